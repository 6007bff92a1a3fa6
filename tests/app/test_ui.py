from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from app.ui.tables import harmless
from app.ui.text import plain
from app.ui.view import View

HOSTILE = [
    "![x](https://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    ":material/bug_report: :red[danger] :smile:",
    "$\\frac{a}{b}$ `code` **bold** _it_ ~~no~~",
    "# heading\n- list\n\n> quote",
    "https://evil.example www.evil.example me@evil.example",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_has_no_markup_left(text: str) -> None:
    shown = plain(text)
    for opening in ("[", "]", "<", "`", "*", "$", "!"):
        assert all(shown[at - 1] == "\\" for at, character in enumerate(shown) if character == opening)
    assert "\n" not in shown
    assert "://e" not in shown
    assert ":material/" not in shown.replace("\\", "")
    assert ":smile" not in shown.replace("\\", "")
    assert "www." not in shown


@given(st.text())
def test_escaping_loses_no_visible_text(text: str) -> None:
    seen = plain(text, longest=10_000)
    unescaped = "".join(
        character for at, character in enumerate(seen) if not (character == "\\" and _escapes_next(seen, at))
    )
    assert [c for c in unescaped if c.isalnum()] == [c for c in text if c.isalnum()]


def _escapes_next(text: str, at: int) -> bool:
    before = 0
    while at - before - 1 >= 0 and text[at - before - 1] == "\\":
        before += 1
    return before % 2 == 0


def test_long_text_is_cut() -> None:
    assert plain("x" * 500, longest=10) == "x" * 9 + "…"


def test_a_formula_does_not_run_in_a_spreadsheet() -> None:
    frame = pl.DataFrame({"user": ["=HYPERLINK(1)", "@x", "-rm", "u-1", "+18 %", "-3.5"], "n": [1, 2, 3, 4, 5, 6]})
    assert harmless(frame)["user"].to_list() == ["'=HYPERLINK(1)", "'@x", "'-rm", "u-1", "+18 %", "-3.5"]


def test_a_default_view_needs_no_address() -> None:
    assert View().query_string() == ""


condition = st.text(min_size=1).filter(lambda text: text.isprintable())


@given(st.lists(condition, max_size=4, unique=True), st.sampled_from(["7d", "30d", "2026-11-01"]), condition)
def test_a_view_survives_its_address(where: list[str], since: str, project: str) -> None:
    view = View(since=since, project=project, where=tuple(where))
    read = parse_qs(view.query_string(), keep_blank_values=True)
    assert tuple(read.get("where", [])) == view.where
    assert read.get("since", ["7d"]) == [since]
    assert read["project"] == [project]


def test_conditions_are_added_once_and_removed() -> None:
    view = View().adding("model=a").adding("model=a", "level=ERROR")
    assert view.where == ("model=a", "level=ERROR")
    assert view.without("model=a").where == ("level=ERROR",)


def script() -> None:
    import streamlit  # noqa: PLC0415 - the function's source is run as a script of its own

    from app.ui.view import current_view, set_view  # noqa: PLC0415

    page = streamlit.session_state.get("go", "Costs")
    view = current_view(page)
    streamlit.text(f"{page} {view.since} {view.where}")
    if streamlit.session_state.get("set"):
        set_view(streamlit.session_state["set"])


def said(app: AppTest) -> str:
    assert not app.exception, app.exception
    value: Any = app.text[0].value
    return str(value)


def test_the_address_decides_on_a_page() -> None:
    app = AppTest.from_function(script)
    app.query_params["where"] = ["model=a", "tag=x"]
    app.query_params["since"] = "30d"
    assert said(app.run()) == "Costs 30d ('model=a', 'tag=x')"
    app.query_params["since"] = "24h"
    assert said(app.run()) == "Costs 24h ('model=a', 'tag=x')"


def test_the_view_is_carried_to_another_page_whose_address_is_empty() -> None:
    app = AppTest.from_function(script)
    app.query_params["where"] = ["model=a"]
    app.query_params["session"] = "s-1"
    app.run()
    app.query_params.clear()
    app.session_state["go"] = "Errors"
    assert said(app.run()) == "Errors 7d ('model=a',)"
    assert app.query_params["where"] in ("model=a", ["model=a"])


def test_going_back_to_an_empty_address_shows_the_default_view() -> None:
    app = AppTest.from_function(script)
    app.query_params["where"] = ["model=a"]
    app.run()
    app.query_params.clear()
    assert said(app.run()) == "Costs 7d ()"


def test_setting_a_view_leaves_other_parameters_alone() -> None:
    app = AppTest.from_function(script)
    app.query_params["session"] = "s-1"
    app.query_params["since"] = "30d"
    app.session_state["set"] = View(where=("model=b",))
    app.run()
    assert app.query_params["session"] in ("s-1", ["s-1"])
    assert app.query_params["where"] in ("model=b", ["model=b"])
    assert "since" not in app.query_params

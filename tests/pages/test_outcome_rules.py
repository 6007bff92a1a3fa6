from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]


def opened(open_page: OpenPage, home: Path) -> AppTest:
    app = open_page("sessions", home, since="30d")
    app.session_state["outcome_rules"] = True
    app.run()
    return app


def ask(app: AppTest) -> AppTest:
    [button] = [button for button in app.button if button.label == "Count what would change"]
    button.click().run()
    assert not app.exception
    return app


def field(app: AppTest, label: str) -> object:
    [found] = [each for kind in (app.text_input, app.number_input) for each in kind if each.label == label]
    return found


def test_the_same_rules_change_nothing(open_page: OpenPage, traffic_home: Path) -> None:
    app = ask(opened(open_page, traffic_home))
    assert any("none of 240 sessions changes" in each.value for each in app.markdown)
    assert not [button for button in app.button if button.label == "Save these rules"]


def test_other_rules_say_what_they_change_and_are_saved_on_request(open_page: OpenPage, traffic_home: Path) -> None:
    app = opened(open_page, traffic_home)
    field(app, "Satisfied from, of 5").set_value(5.0)  # type: ignore[attr-defined]
    ask(app)
    [sentence] = [each.value for each in app.markdown if "sessions change" in each.value]
    assert "of 240 sessions change" in sentence
    assert not (traffic_home / "saved.toml").exists()
    [save] = [button for button in app.button if button.label == "Save these rules"]
    save.click().run()
    try:
        assert "satisfied_from_of_5 = 5.0" in (traffic_home / "saved.toml").read_text(encoding="utf-8")
    finally:
        (traffic_home / "saved.toml").unlink()


def test_a_broken_pattern_is_one_line(open_page: OpenPage, traffic_home: Path) -> None:
    app = opened(open_page, traffic_home)
    field(app, "Names of escalations").set_value("(")  # type: ignore[attr-defined]
    ask(app)
    assert any("is no regular expression" in each.value for each in app.error)

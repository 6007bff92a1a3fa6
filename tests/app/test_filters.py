"""Conditions as text: the same object from a command line, a link and a widget, and back."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.metrics.filters import (
    Condition,
    Filters,
    condition_text,
    merged,
    parse_condition,
    parse_conditions,
    parse_filters,
)
from app.metrics.windows import Window, parse_window
from etl.errors import ConfigError

AS_OF = datetime(2026, 10, 28, 15, 30)
UTC = ZoneInfo("UTC")

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize(
    ("text", "dimension", "operator", "value"),
    [
        ("model=gpt-4o", "model", "=", "gpt-4o"),
        (" model = gpt-4o ", "model", "=", "gpt-4o"),
        ("user_id=", "user_id", "=", None),
        ("user_id=(none)", "user_id", "=", None),
        ('user_id=""', "user_id", "=", ""),
        ('user_id="(none)"', "user_id", "=", "(none)"),
        ("tag!=beta", "tag", "!=", "beta"),
        ("user_id!=", "user_id", "!=", None),
        ("status_message~429 or so", "status_message", "~", "429 or so"),
        ('status_message~" 429 "', "status_message", "~", " 429 "),
        ("session.cost_usd>1", "session.cost_usd", ">", "1"),
        ("session.turns>=3", "session.turns", ">=", "3"),
        ("metadata.score<-0.5", "metadata.score", "<", "-0.5"),
        # The first operator splits; the value keeps the others.
        ("tag=a=b", "tag", "=", "a=b"),
        ("tag==b", "tag", "=", "=b"),
        ("tag=x!=y", "tag", "=", "x!=y"),
        ("status_message=a>b", "status_message", "=", "a>b"),
        # Quotes protect a name; a quote that never closes is a character.
        ('"metadata.a=b"=x', "metadata.a=b", "=", "x"),
        ('metadata."a~b".c=x', "metadata.a~b.c", "=", "x"),
        ('tag="open', "tag", "=", '"open'),
        ("metadata.it's=x", "metadata.it's", "=", "x"),
        ("metadata.a!b=x", "metadata.a!b", "=", "x"),
        ("tag:agent_id:*=checkout", "tag:agent_id:*", "=", "checkout"),
    ],
)
def test_what_a_condition_says(text: str, dimension: str, operator: str, value: str | None) -> None:
    assert parse_condition(text) == Condition(dimension, operator, (value,))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "model",
            "",
            "=x",
            "modle=x",
            "model>3",
            "session.cost_usd>lots",
            "session.cost_usd>",
            "session.cost_usd>nan",
        ),
        *("session.turns=three", "is_error=maybe", "model~", "metadata.=x", "tag:*=x", "trace.cost_usd>1_000"),
        "model=\udcff",
    ],
)
def test_what_means_nothing_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_condition(text)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean trace_name"):
        parse_condition("tracename=x")


@given(
    st.one_of(
        st.sampled_from(["model", "tag", "user_id", "trace_name"]),
        anything.filter(bool).map(lambda key: f"metadata.{key}"),
        anything.filter(bool).map(lambda prefix: f"tag:{prefix}*"),
    ),
    st.sampled_from(["=", "!=", "~"]),
    st.one_of(st.none(), anything),
)
def test_every_text_condition_survives_as_text(dimension: str, operator: str, value: str | None) -> None:
    assume((value or "").strip() or operator != "~")
    condition = Condition(dimension, operator, (value,))
    assert parse_condition(condition_text(dimension, operator, value)) == condition


@given(
    st.sampled_from(["session.cost_usd", "trace.latency_ms", "metadata.n"]),
    st.sampled_from([">", "<", ">=", "<="]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
def test_every_number_condition_survives_as_text(dimension: str, operator: str, value: str) -> None:
    condition = Condition(dimension, operator, (value,))
    assert parse_condition(condition_text(dimension, operator, value)) == condition


@given(anything)
def test_any_text_is_read_or_refused_and_then_stays_the_same(text: str) -> None:
    try:
        condition = parse_condition(text)
    except ConfigError:
        return
    (again,) = condition.texts()
    assert parse_condition(again) == condition


def test_repeating_a_dimension_means_any_of_it() -> None:
    found = parse_conditions(["model=a", "tag=x", "model=b", "model!=c", "model=a", "user_id="])
    assert found == (
        Condition("model", "=", ("a", "b")),
        Condition("tag", "=", ("x",)),
        Condition("model", "!=", ("c",)),
        Condition("user_id", "=", (None,)),
    )
    assert merged(found) == found


def test_filters_survive_in_an_address() -> None:
    window = parse_window("2026-10-20", "2026-10-24", AS_OF, UTC)
    filters = Filters(window, parse_conditions(["model=a", "model=b", "tag~ü &x=1"]), "demo")
    params = filters.to_params()
    assert params == {
        "since": ["2026-10-20"],
        "until": ["2026-10-24"],
        "project": ["demo"],
        "where": ["model=a", "model=b", "tag~ü &x=1"],
    }
    assert parse_filters(params, AS_OF, UTC) == filters


def test_a_window_made_of_moments_survives_too() -> None:
    filters = Filters(Window(datetime(2026, 10, 1, 5), datetime(2026, 10, 2, 6)))
    again = parse_filters(filters.to_params(), AS_OF, ZoneInfo("Europe/Lisbon"))
    assert (again.window.start, again.window.end) == (filters.window.start, filters.window.end)


def test_nothing_in_an_address_is_the_last_seven_days() -> None:
    filters = parse_filters({}, AS_OF, UTC)
    assert filters == Filters(parse_window("7d", None, AS_OF, UTC))
    assert filters.where == ()
    assert filters.with_condition("model=a").with_condition("model=b").where == ("model=a", "model=b")

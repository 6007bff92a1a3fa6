"""Windows against hand-worked days, in zones that change their clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.metrics.timezones import offset_s, to_local, to_utc, transitions
from app.metrics.windows import Window, parse_window
from etl.errors import ConfigError

UTC_ZONE = ZoneInfo("UTC")
LISBON = ZoneInfo("Europe/Lisbon")  # UTC+1 until 2026-10-25 01:00 UTC, then UTC
AS_OF = datetime(2026, 10, 28, 15, 30)  # a Wednesday


def window(
    since: str | None = None, until: str | None = None, *, zone: ZoneInfo = LISBON, as_of: datetime = AS_OF
) -> Window:
    return parse_window(since, until, as_of, zone)


def ends(found: Window) -> tuple[datetime, datetime]:
    return found.start, found.end


@pytest.mark.parametrize(
    ("since", "until", "start", "end"),
    [
        (None, None, datetime(2026, 10, 21, 15, 30), AS_OF),
        ("24h", None, datetime(2026, 10, 27, 15, 30), AS_OF),
        ("28d", None, datetime(2026, 9, 30, 15, 30), AS_OF),
        ("2w", None, datetime(2026, 10, 14, 15, 30), AS_OF),
        ("7D", None, datetime(2026, 10, 21, 15, 30), AS_OF),
        ("today", None, datetime(2026, 10, 28), AS_OF),
        ("this_week", None, datetime(2026, 10, 26), AS_OF),
        ("this_month", None, datetime(2026, 9, 30, 23), AS_OF),
        # Midnights of the display zone: summer time before the 25th, standard time after.
        ("2026-10-24", None, datetime(2026, 10, 23, 23), AS_OF),
        ("2026-10-26", None, datetime(2026, 10, 26), AS_OF),
        ("2026-10-24", "2026-10-26", datetime(2026, 10, 23, 23), datetime(2026, 10, 26)),
        ("7d", "2026-10-26", datetime(2026, 10, 19), datetime(2026, 10, 26)),
        ("2026-10-24T10:00", "2026-10-24T12:00Z", datetime(2026, 10, 24, 9), datetime(2026, 10, 24, 12)),
        ("2026-10-24T10:00+02:00", None, datetime(2026, 10, 24, 8), AS_OF),
        ("all", "2026-10-26", datetime(1, 1, 1), datetime(2026, 10, 26)),
    ],
)
def test_what_texts_mean(since: str | None, until: str | None, start: datetime, end: datetime) -> None:
    assert ends(window(since, until)) == (start, end)


def test_all_of_history_holds_clocks_that_are_wrong() -> None:
    found = window("all")
    assert found.start <= datetime(1970, 1, 1)
    assert found.end > datetime(9999, 12, 31)
    assert found.previous().start == found.previous().end
    assert found.local_end(LISBON).year == 9999


@pytest.mark.parametrize(
    ("since", "until", "start", "end"),
    [
        ("7d", None, datetime(2026, 10, 14, 15, 30), datetime(2026, 10, 21, 15, 30)),
        # The same elapsed part: Monday 00:00 to Wednesday 15:30, in summer time the week before.
        ("this_week", None, datetime(2026, 10, 18, 23), datetime(2026, 10, 21, 14, 30)),
        ("this_month", None, datetime(2026, 8, 31, 23), datetime(2026, 9, 28, 14, 30)),
        ("today", None, datetime(2026, 10, 27), datetime(2026, 10, 27, 15, 30)),
        # Seven days by the calendar, though the clock went back in between.
        ("2026-10-20", "2026-10-27", datetime(2026, 10, 12, 23), datetime(2026, 10, 19, 23)),
        ("2026-10-28T10:00", "2026-10-28T12:00", datetime(2026, 10, 28, 8), datetime(2026, 10, 28, 10)),
    ],
)
def test_the_period_before(since: str, until: str | None, start: datetime, end: datetime) -> None:
    assert ends(window(since, until).previous()) == (start, end)


def test_a_long_month_does_not_reach_past_a_short_one() -> None:
    found = window("this_month", as_of=datetime(2026, 3, 31, 10), zone=UTC_ZONE)
    assert ends(found.previous()) == (datetime(2026, 2, 1), datetime(2026, 3, 1))


@pytest.mark.parametrize(("preset", "start"), [("today", 29), ("this_week", 24), ("this_month", 1)])
def test_data_that_ends_at_midnight_belongs_to_the_day_before(preset: str, start: int) -> None:
    found = window(preset, as_of=datetime(2026, 8, 30), zone=UTC_ZONE)
    assert ends(found) == (datetime(2026, 8, start), datetime(2026, 8, 30))


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("soon", None),
        ("0d", None),
        ("7d", "never"),
        ("2026-13-01", None),
        ("2026-10-24", "2026-10-24"),
        ("2027-01-01", None),
        ("99999999d", None),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(since: str, until: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        window(since, until)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_window_survives_as_text() -> None:
    for since, until in [("7d", ""), ("this_month", ""), ("2026-10-24", "2026-10-26"), ("24h", "2026-10-26")]:
        found = window(since, until)
        assert (found.since, found.until) == (since, until)


ZONES = [
    ZoneInfo(name)
    for name in ("Europe/Lisbon", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca")
]


@given(st.sampled_from(ZONES), st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)))
def test_offsets_between_transitions_are_the_zones_own(zone: ZoneInfo, moment: datetime) -> None:
    first, changes = transitions(datetime(2015, 1, 1), datetime(2030, 1, 1), zone)
    found = [first, *(change.offset_s for change in changes if change.at <= moment)][-1]
    assert found == moment.replace(tzinfo=UTC).astimezone(zone).utcoffset().total_seconds()


def test_a_transition_is_found_to_the_second() -> None:
    first, changes = transitions(datetime(2026, 10, 1), datetime(2026, 11, 1), LISBON)
    assert first == 3600
    assert [(change.at, change.offset_s) for change in changes] == [(datetime(2026, 10, 25, 1), 0)]


def test_a_midnight_that_the_clock_skips_is_the_change_itself() -> None:
    sao_paulo = ZoneInfo("America/Sao_Paulo")  # 2018-11-04 began at 01:00
    assert to_utc(datetime(2018, 11, 4), sao_paulo) == datetime(2018, 11, 4, 3)
    assert to_local(datetime(2018, 11, 4, 3), sao_paulo) == datetime(2018, 11, 4, 1)


def test_a_bare_window_compares_with_as_long_before() -> None:
    made = Window(datetime(2026, 10, 5), datetime(2026, 10, 8))
    assert ends(made.previous()) == (datetime(2026, 10, 2), datetime(2026, 10, 5))
    assert made.local_start(LISBON) - made.start == timedelta(seconds=offset_s(made.start, LISBON))

"""Windows and slices: everything is covered exactly once, and quiet years cost nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.landing import Slice
from etl.plan import (
    HISTORY_START,
    MOST_EVEN_SLICES,
    Reach,
    Volume,
    Window,
    advance,
    lookback,
    plan,
    split,
    uncovered,
    whole,
    window,
)
from etl.settings import SyncSettings

NOW = datetime.fromisoformat("2026-11-24T12:30:15.123456")
NOW_MS = datetime.fromisoformat("2026-11-24T12:30:15.123000")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

moments = st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-01-01")).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)


@st.composite
def intervals(draw: st.DrawFn) -> tuple[datetime, datetime]:
    return tuple(sorted((draw(moments), draw(moments))))  # type: ignore[return-value] # two of them


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(moments)
    return Window(start, start + draw(st.timedeltas(timedelta(milliseconds=1), timedelta(days=900))) + HOUR)


volumes = st.builds(
    lambda interval, rows: Volume(*interval, rows), intervals(), st.one_of(st.just(0), st.integers(0, 200_000))
)


def observations(**changes: object) -> list[Slice]:
    arguments: dict[str, object] = {
        "project_id": "p",
        "entity": "observations",
        "family": "modern",
        "watermark": None,
        "slice_length": HOUR,
        **changes,
    }
    return plan(**arguments)  # type: ignore[arg-type] # the tests name them


def is_exact(slices: list[Slice], wanted: Window) -> bool:
    """Newest first, each beginning where the next one ends, from one end of the window to the other."""
    edges = [slice_.end for slice_ in slices] + [slices[-1].start]
    starts = [slice_.start for slice_ in slices]
    return (
        edges[0] == wanted.end
        and edges[-1] == wanted.start
        and starts == edges[1:]
        and edges == sorted(set(edges), reverse=True)
    )


@settings(deadline=None)
@given(
    wanted=windows(),
    found=st.one_of(st.none(), st.lists(volumes, max_size=12)),
    watermark=st.one_of(st.none(), moments),
    family=st.sampled_from(["modern", "legacy"]),
    entity=st.sampled_from(["observations", "traces", "scores", "sessions"]),
)
def test_slices_cover_the_window_exactly(
    wanted: Window, found: list[Volume] | None, watermark: datetime | None, family: str, entity: str
) -> None:
    """Whatever the server claims to hold, and wherever the watermark is."""
    slices = observations(window=wanted, watermark=watermark, family=family, entity=entity, measure=lambda _: found)
    assert is_exact(slices, wanted)
    assert not any(watermark and slice_.start < watermark < slice_.end for slice_ in slices)
    assert len({slice_.key for slice_ in slices}) == len(slices)


@settings(deadline=None)
@given(wanted=windows(), covered=st.lists(intervals(), max_size=6))
def test_uncovered_and_covered_make_the_whole(wanted: Window, covered: list[tuple[datetime, datetime]]) -> None:
    left = uncovered(wanted, covered)
    for piece in left:
        assert wanted.start <= piece.start < piece.end <= wanted.end
        assert not any(start < piece.end and end > piece.start and start < end for start, end in covered)
    whole_again = [(piece.start, piece.end) for piece in left] + covered
    assert advance(None, wanted, whole_again) is not None
    assert advance(None, wanted, whole_again) >= wanted.end  # type: ignore[operator] # asserted above


def test_what_ends_before_it_starts_covers_nothing() -> None:
    wanted = Window(NOW_MS - DAY, NOW_MS)
    younger_than_the_look_back = [(NOW_MS - step * HOUR, NOW_MS - 2 * DAY) for step in (1, 2, 3)]
    assert uncovered(wanted, younger_than_the_look_back) == [wanted]


@settings(deadline=None)
@given(wanted=windows())
def test_halves_cover_their_slice(wanted: Window) -> None:
    slice_ = Slice("p", "observations", "modern", wanted.start, wanted.end)
    newer, older = split(slice_)
    assert (older.start, older.end, newer.start, newer.end) == (slice_.start, newer.start, older.end, slice_.end)
    assert older.start < older.end < newer.end


def test_a_millisecond_can_not_be_split() -> None:
    with pytest.raises(ValueError, match="can't be split"):
        split(Slice("p", "observations", "modern", NOW_MS, NOW_MS + timedelta(milliseconds=1)))


def test_a_first_run_reads_all_history_in_few_slices() -> None:
    wanted = window(now=NOW, family="modern", watermark=None, lookback=DAY)
    assert wanted == Window(HISTORY_START, NOW_MS)
    assert len(observations(window=wanted)) <= 16


def test_a_first_run_follows_the_rows() -> None:
    """30 days with 3,000 rows each after 56 years without any: as many slices as the rows need, and no more."""
    wanted = Window(HISTORY_START, NOW_MS)
    days = [
        Volume(datetime.fromisoformat("2026-10-25") + DAY * day, datetime.fromisoformat("2026-10-26") + DAY * day, 3000)
        for day in range(30)
    ]
    slices = observations(window=wanted, measure=lambda _: days)
    assert is_exact(slices, wanted)
    assert len(slices) == 10
    assert slices[-1].start == HISTORY_START


def test_a_heavy_day_is_cut_evenly() -> None:
    day = Volume(datetime.fromisoformat("2026-11-20"), datetime.fromisoformat("2026-11-21"), 100_000)
    after = Volume(datetime.fromisoformat("2026-11-21"), datetime.fromisoformat("2026-11-22"), 10)
    slices = observations(window=Window(HISTORY_START, NOW_MS), measure=lambda _: [after, day])
    assert len(slices) == 11
    assert {slice_.end - slice_.start for slice_ in slices[1:-1]} == {timedelta(hours=2, minutes=24)}


def test_a_server_without_rows_is_one_slice() -> None:
    assert len(observations(window=Window(HISTORY_START, NOW_MS), measure=lambda _: [])) == 1


def test_the_server_is_not_asked_for_a_narrow_window() -> None:
    def measure(_: Window) -> None:
        pytest.fail("asked")

    observations(window=Window(NOW_MS - DAY, NOW_MS), watermark=NOW_MS - HOUR, measure=measure)


def test_a_regular_run_reads_what_is_new_apart_from_the_look_back() -> None:
    watermark = NOW_MS - timedelta(minutes=10)
    wanted = window(now=NOW, family="modern", watermark=watermark, lookback=DAY)
    assert wanted is not None
    slices = observations(window=wanted, watermark=watermark)
    assert is_exact(slices, wanted)
    assert slices[0].start == watermark
    assert len(slices) == 1 + MOST_EVEN_SLICES


def test_short_windows_are_not_cut_below_the_slice_length() -> None:
    assert len(observations(window=Window(NOW_MS - HOUR, NOW_MS), slice_length=HOUR)) == 1
    assert len(observations(window=Window(NOW_MS - 3 * HOUR, NOW_MS), slice_length=HOUR)) == 3


def test_landed_slices_are_not_planned_again_but_for_what_was_young() -> None:
    done = Slice(
        "p", "observations", "modern", datetime.fromisoformat("2026-11-01"), datetime.fromisoformat("2026-11-20")
    )
    seen_at = datetime.fromisoformat("2026-11-20T01:00:00")
    wanted = Window(datetime.fromisoformat("2026-11-01"), datetime.fromisoformat("2026-11-24"))
    slices = observations(window=wanted, landed=[(done, seen_at)], lookback=DAY)
    assert is_exact(slices, Window(datetime.fromisoformat("2026-11-19T01:00:00"), wanted.end))
    other = Slice("p", "scores", "modern", done.start, done.end)
    assert is_exact(observations(window=wanted, landed=[(other, seen_at)], lookback=DAY), wanted)


@pytest.mark.parametrize(
    ("reach", "start"),
    [
        (Reach(), NOW_MS - timedelta(hours=25)),
        (Reach(full=True), HISTORY_START),
        (Reach(full=True, retention_days=90), NOW_MS - 90 * DAY),
        (Reach(since=NOW - 3 * DAY), NOW_MS - 3 * DAY),
        (Reach(since=NOW - timedelta(minutes=5)), NOW_MS - timedelta(hours=25)),  # no gap behind the watermark
        (Reach(deep=30 * DAY), NOW_MS - 30 * DAY),
        (Reach(deep=HOUR), NOW_MS - timedelta(hours=25)),
        (Reach(deep=30 * DAY, retention_days=7), NOW_MS - 7 * DAY),
    ],
)
def test_where_a_window_starts(reach: Reach, start: datetime) -> None:
    wanted = window(now=NOW, family="modern", watermark=NOW_MS - HOUR, lookback=DAY, reach=reach)
    assert wanted == Window(start, NOW_MS)


@pytest.mark.parametrize(
    ("reach", "start"),
    [
        (Reach(), HISTORY_START),
        (Reach(since=NOW - 3 * DAY), NOW_MS - 3 * DAY),
        (Reach(retention_days=30), NOW_MS - 30 * DAY),
        (Reach(since=NOW - 60 * DAY, retention_days=30), NOW_MS - 30 * DAY),
        (Reach(deep=3 * DAY), HISTORY_START),
    ],
)
def test_where_a_first_window_starts(reach: Reach, start: datetime) -> None:
    assert window(now=NOW, family="modern", watermark=None, lookback=DAY, reach=reach) == Window(start, NOW_MS)


def test_the_legacy_family_settles_first() -> None:
    wanted = window(now=NOW, family="legacy", watermark=NOW - HOUR, lookback=HOUR)
    assert wanted is not None
    assert wanted.end == NOW_MS - timedelta(minutes=2)


def test_until_ends_a_window() -> None:
    reach = Reach(until=NOW - DAY)
    wanted = window(now=NOW, family="legacy", watermark=None, lookback=HOUR, reach=reach)
    assert wanted is not None
    assert wanted.end == NOW_MS - DAY


def test_a_watermark_ahead_of_the_clock_leaves_nothing_to_read() -> None:
    assert window(now=NOW, family="modern", watermark=NOW + 2 * DAY, lookback=HOUR) is None


def test_look_backs() -> None:
    sync = SyncSettings(lookback_hours=24, score_lookback_hours=72)
    assert [lookback(entity, sync) for entity in ("observations", "traces", "scores", "sessions")] == [
        DAY,
        DAY,
        3 * DAY,
        HOUR,
    ]


def test_the_watermark_stops_at_the_first_gap() -> None:
    wanted = Window(NOW_MS - 4 * HOUR, NOW_MS)
    hours = [(NOW_MS - (n + 1) * HOUR, NOW_MS - n * HOUR) for n in range(4)]
    assert advance(None, wanted, hours) == NOW_MS
    assert advance(None, wanted, [hours[0], hours[2], hours[3]]) == NOW_MS - 2 * HOUR
    assert advance(None, wanted, hours[:3]) is None


def test_the_watermark_never_steps_back() -> None:
    wanted = Window(NOW_MS - DAY, NOW_MS)
    watermark = NOW_MS - HOUR
    assert advance(watermark, wanted, []) == watermark
    assert advance(watermark, wanted, [(NOW_MS - DAY, NOW_MS - 20 * HOUR)]) == watermark
    assert advance(watermark, wanted, [(watermark, NOW_MS)]) == NOW_MS


def test_the_watermark_passes_over_what_the_server_no_longer_keeps() -> None:
    wanted = Window(NOW_MS - 30 * DAY, NOW_MS)
    assert advance(NOW_MS - 90 * DAY, wanted, [(wanted.start, wanted.end)]) == NOW_MS


def test_lists_without_times_are_one_slice() -> None:
    slice_ = whole(project_id="p", entity="models", now=NOW)
    assert (slice_.start, slice_.end) == (HISTORY_START, NOW_MS)

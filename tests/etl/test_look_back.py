"""Reading again: how far back and how often, only what differs in full, and what counts as deleted."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl.errors import Interrupted
from etl.fetch import Source
from etl.langfuse.capabilities import detect
from etl.langfuse.client import Client, iso
from etl.langfuse.limiter import Limiter
from etl.load import Counts
from etl.outside import Outside
from etl.pipeline import SyncOptions, SyncReport, sync
from etl.plan import Window
from etl.planning import EntityPlan, ProjectPlan
from etl.progress import SilentProgress
from etl.sandbox.records import Observation, World
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.tiny import END, HOUR, tiny_world
from etl.sandbox.traffic import generate
from etl.sandbox.transport import direct_transport
from etl.settings import Settings, load_settings
from etl.state import State
from etl.totals import shortfalls
from etl.warehouse.snapshots import open_reader

MINUTES = timedelta(minutes=1)
HOURS = timedelta(hours=1)
NOW = datetime.fromtimestamp(END / 1000, UTC).replace(tzinfo=None)  # the end of the tiny world: 2026-11-19
NUMBERED = "{:032x}".format


@dataclass
class Site:
    """One home; which server answers may change between two runs."""

    sandbox: Sandbox
    settings: Settings
    monkeypatch: pytest.MonkeyPatch

    def serve(self, sandbox: Sandbox) -> None:
        """Another server at the same address, or the same one after an upgrade."""
        self.sandbox = sandbox
        outside = functools.partial(Outside, transport=direct_transport(sandbox), sleep=lambda _: None)
        self.monkeypatch.setattr("etl.pipeline.Outside", outside)

    def configure(self, **changes: Any) -> None:
        known = self.settings.definitions
        self.settings = replace(self.settings, definitions=replace(known, sync=replace(known.sync, **changes)))

    def sync(self, now: datetime, *, stop: threading.Event | None = None, **options: Any) -> SyncReport:
        self.sandbox.seen.clear()
        return sync(
            self.settings,
            now=now,
            options=SyncOptions(**options),
            progress=SilentProgress(),
            stop=stop or threading.Event(),
        )

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(open_reader(self.settings.warehouse / "current.duckdb")) as connection:
            return connection.execute(text).fetchall()

    def asked(self, path: str, *, light: bool | None = None) -> list[dict[str, str]]:
        """Requests of the last run, without the probes."""
        found = [seen.query for seen in self.sandbox.seen if seen.path == path and seen.query.get("limit") != "1"]
        if light is None:
            return found
        return [query for query in found if (query["fields"] in {"core,time", "core"}) == light]

    def start_of(self, path: str, *, light: bool | None = None) -> str:
        bound = "fromStartTime" if path.endswith("observations") else "fromTimestamp"
        return min(query[bound] for query in self.asked(path, light=light))


Make = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    def made(world: World | None = None, **personality: Any) -> Site:
        environ = {"TRACEHOUSE_HOME": str(tmp_path / "home"), "LANGFUSE_BASE_URL": "http://langfuse.internal"}
        environ |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}
        sandbox = Sandbox(world or tiny_world(), **personality)
        site = Site(sandbox, load_settings(environ, tmp_path), monkeypatch)
        site.serve(sandbox)
        return site

    return made


def spans_of(sandbox: Sandbox, trace_id: str) -> list[Observation]:
    return [span for span in sandbox.world.observations if span.trace_id == trace_id]


# How far back, how often.


def test_three_depths(make: Make) -> None:
    site = make()
    site.sync(NOW)
    assert site.asked("/v2/observations", light=True) == []  # a first run has nothing behind it
    moments = [10 * MINUTES, 20 * MINUTES, 71 * MINUTES, 6 * HOURS + 10 * MINUTES]
    depths = [(24, 72), (1, 1), (24, 1), (24, 72)]
    before = NOW
    for after, (observations, scores) in zip(moments, depths, strict=True):
        site.sync(NOW + after)
        assert site.start_of("/v2/observations", light=True) == iso(before - observations * HOURS), after
        assert site.start_of("/v3/scores") == iso(before - scores * HOURS), after
        assert site.start_of("/v2/observations", light=False) == iso(before)
        before = NOW + after


def test_the_depths_are_settings(make: Make) -> None:
    site = make()
    site.configure(recent_hours=2, lookback_hours=48, lookback_every_hours=0, score_lookback_hours=5)
    site.sync(NOW)
    for after in (10 * MINUTES, 20 * MINUTES):
        site.sync(NOW + after)
        assert site.start_of("/v2/observations", light=True) == iso(NOW + after - 10 * MINUTES - 48 * HOURS)
    assert site.start_of("/v3/scores") == iso(NOW + 10 * MINUTES - 2 * HOURS)


def test_a_run_that_was_stopped_has_not_looked_back(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make()
    site.sync(NOW)
    stop = threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(SilentProgress, "page", lambda *_: stop.set())
        with pytest.raises(Interrupted):
            site.sync(NOW + 10 * MINUTES, stop=stop)
    site.sync(NOW + 20 * MINUTES)
    assert site.start_of("/v2/observations", light=True) == iso(NOW - 24 * HOURS)


def test_a_lost_state_makes_everything_due(make: Make) -> None:
    site = make()
    site.sync(NOW)
    site.sync(NOW + 10 * MINUTES)
    site.settings.state_path.unlink()
    site.sync(NOW + 20 * MINUTES)
    assert site.start_of("/v2/observations", light=True) <= iso(NOW - 24 * HOURS)


# Only what differs is read in full.


def test_what_has_not_changed_is_not_read_in_full(make: Make) -> None:
    """Duplicates and spans with two starts among it: no reason to read them again each time."""
    site = make()
    site.sync(NOW)
    report = site.sync(NOW, deep=timedelta(days=30))
    assert report.status == "unchanged"
    assert site.asked("/v2/observations", light=False) == []
    assert len(site.asked("/v2/observations", light=True)) == 1
    assert site.asked("/v2/observations", light=True)[0]["limit"] == "1000"


def test_one_changed_row_costs_about_one_page(make: Make) -> None:
    world = generate(traces=600, days=1, seed=3, end=NOW)
    site = make(world)
    site.sync(NOW)
    row = world.observations[len(world.observations) // 2]
    site.sandbox.update(row, updated=END + 1, name="renamed")
    report = site.sync(NOW + 10 * MINUTES)
    [asked] = site.asked("/v2/observations", light=False)[1:]
    window = datetime.fromisoformat(asked["toStartTime"]) - datetime.fromisoformat(asked["fromStartTime"])
    assert window < 3 * HOURS
    assert (report.entities["observations"].updated, report.entities["observations"].fetched <= 210) == (1, True)
    assert site.query("select count(*) from marts.observations where name = 'renamed'") == [(1,)]


@pytest.mark.parametrize("generation", ["v4", "v3"])
def test_a_deep_look_finds_late_changed_and_moved_rows(make: Make, generation: str) -> None:
    """Late spans, edited rows and spans that were sent again with another start, weeks after."""
    site = make(generation=generation)
    later = NOW + timedelta(days=20)
    site.sync(later)
    span = spans_of(site.sandbox, NUMBERED(4))[0]
    late = replace(span, id="late", created=END, updated=END)
    moved = spans_of(site.sandbox, NUMBERED(1))[-1]
    site.sandbox.insert(late)
    site.sandbox.update(span, updated=END + 1, name="renamed")
    site.sandbox.update(moved, updated=END + 1, start=moved.start - 5 * HOUR)
    [trace] = [one for one in site.sandbox.world.traces if one.id == NUMBERED(16)]
    site.sandbox.update(trace, updated=END + 1, user_id="zoe")
    unseen = site.sync(later + 10 * MINUTES)
    assert unseen.status == "unchanged"
    report = site.sync(later + 20 * MINUTES, deep=timedelta(days=30))
    assert report.entities["observations"].inserted == 1
    assert report.entities["observations"].deleted == 0
    names = "select name from marts.observations where observation_id in ('late', '{}') order by 1"
    assert site.query(names.format(span.id)) == sorted([(span.name,), ("renamed",)])
    start = f"select epoch_ms(start_time) from marts.observations where observation_id = '{moved.id}'"
    assert site.query(start) == [(moved.start - 5 * HOUR,)]
    if generation == "v3":
        assert site.query(f"select user_id from marts.traces where trace_id = '{NUMBERED(16)}'") == [("zoe",)]
        assert [query["fields"] for query in site.asked("/traces")].count("core,io") == 1 + 1  # what is new, one piece
    assert site.sync(later + 30 * MINUTES, deep=timedelta(days=30)).status == "unchanged"


# Deletions.


@pytest.mark.parametrize("generation", ["v4", "v3"])
def test_what_two_looks_miss_is_deleted_and_may_come_back(make: Make, generation: str) -> None:
    site = make(generation=generation)
    site.sync(NOW)
    gone = NUMBERED(16)  # of a user in a session-less trace, 14 h ago
    rows = f"select count(*) from raw.observations where trace_id = '{gone}'"
    [(held,)] = site.query(rows)
    site.sandbox.delete_trace(gone)
    for after in (1, 2, 6):
        report = site.sync(NOW + after * HOURS)
        assert sum(counts.deleted for counts in report.entities.values()) == 0, after
    report = site.sync(NOW + 7 * HOURS)
    assert sum(counts.deleted for counts in report.entities.values()) == held
    assert (report.status, report.exit_code, report.warnings) == ("done", 0, [])
    marked = "select run_id, deleted_at from raw.observations where deleted_at is not null group by all"
    assert site.query(marked) == [(report.run_id, NOW + 7 * HOURS)]
    for mart in ("traces", "observations", "payloads"):
        assert site.query(f"select count(*) from marts.{mart} where trace_id = '{gone}'") == [(0,)]
    assert site.sync(NOW + 8 * HOURS).status == "unchanged"

    world = tiny_world()
    site.sandbox.insert(*[one for one in world.traces if one.id == gone])
    site.sandbox.insert(*[one for one in world.observations if one.trace_id == gone])
    back = site.sync(NOW + 9 * HOURS)
    assert site.query(f"{rows} and deleted_at is null and run_id = '{back.run_id}'") == [(held,)]
    assert site.query(f"select count(*) from marts.traces where trace_id = '{gone}'") == [(1,)]


def test_a_score_and_the_session_it_belongs_to(make: Make) -> None:
    site = make()
    site.sync(NOW)
    last = "select satisfaction_last from marts.sessions where session_id = 'chat-1'"
    before = site.query(last)
    [score] = [one for one in site.sandbox.world.scores if one.id == "sc-late"]
    site.sandbox.delete(score)
    reports = [site.sync(NOW + after * HOURS) for after in (1, 7)]
    assert [report.entities["scores"].deleted for report in reports] == [0, 1]
    assert site.query("select count(*) from marts.scores where score_id = 'sc-late'") == [(0,)]
    assert site.query(last) != before


def test_a_deletion_at_the_end_of_the_look_back_is_followed_up(make: Make) -> None:
    """Missed once within the day, and the second look would be too late."""
    site = make()
    site.configure(lookback_hours=15)
    site.sync(NOW)
    gone = NUMBERED(16)
    site.sandbox.delete_trace(gone)
    site.sync(NOW + 10 * MINUTES)
    for after in (5, 7):
        site.sync(NOW + after * HOURS)
    assert site.query(f"select count(*) from marts.traces where trace_id = '{gone}'") == [(0,)]
    site.sync(NOW + 8 * HOURS)
    assert len(site.asked("/v2/observations", light=True)) == 1  # nothing is looked for any more


@pytest.mark.parametrize("generation", ["v4", "v3"])
def test_half_of_the_rows_without_an_error_are_no_deletions(make: Make, generation: str) -> None:
    site = make(generation=generation)
    site.sync(NOW)
    world = site.sandbox.world
    site.sandbox.delete(*world.observations[::2], *world.scores[::2])
    reports = [site.sync(NOW + after * HOURS, deep=timedelta(days=9)) for after in (1, 8, 15)]
    for report in reports:
        assert sum(counts.deleted for counts in report.entities.values()) == 0
        assert any("left out" in warning and "observations" in warning for warning in report.warnings)
        assert any("left out" in warning and "scores" in warning for warning in report.warnings)
        assert report.exit_code == 0
    assert "nothing was deleted" in reports[0].summary()
    with contextlib.closing(State(site.settings.state_path)) as state:
        assert state.missing() == []


def test_what_is_older_than_the_server_keeps_stays(make: Make) -> None:
    site = make(retention_days=2)
    site.sync(NOW)
    gone = NUMBERED(4)  # 38 h old; a server may clean up a little before its time
    site.sandbox.delete(*spans_of(site.sandbox, gone))
    for after in (1, 8, 15):
        report = site.sync(NOW + after * HOURS, deep=timedelta(days=30))
        assert (report.warnings, sum(counts.deleted for counts in report.entities.values())) == ([], 0)
    assert site.query(f"select count(*) from marts.traces where trace_id = '{gone}'") == [(1,)]


def test_a_span_that_moved_out_of_sight_and_back_is_no_deletion(make: Make) -> None:
    site = make()
    site.sync(NOW)
    span = spans_of(site.sandbox, NUMBERED(16))[0]
    site.sandbox.update(span, updated=END + 1, start=span.start + 3 * HOUR, end=span.start + 4 * HOUR)
    for after in (1, 8):
        report = site.sync(NOW + after * HOURS)
        assert report.entities["observations"].deleted == 0
    start = f"select epoch_ms(start_time) from raw.observations where observation_id = '{span.id}'"
    assert site.query(start) == [(span.start + 3 * HOUR,)]


# The server's generation changes between two runs.


@pytest.mark.parametrize(("before", "after"), [("v3", "v4"), ("v4", "v3")])
def test_one_family_never_deletes_what_came_from_the_other(make: Make, before: str, after: str) -> None:
    """Nothing of before is there after the switch: history is copied later, or never."""
    site = make(generation=before)
    site.sync(NOW)
    keys = "select trace_id, observation_id from raw.observations where deleted_at is null order by all"
    scores = "select score_id from raw.scores where deleted_at is null order by all"
    known, scored = site.query(keys), site.query(scores)
    empty = replace(tiny_world(), traces=[], observations=[], scores=[])
    site.serve(Sandbox(empty, generation=after))  # type: ignore[arg-type] # one of its names
    for hours in (1, 8, 15):
        report = site.sync(NOW + hours * HOURS, deep=timedelta(days=9))
        assert sum(counts.deleted for counts in report.entities.values()) == 0
        assert report.warnings == []
    assert site.query(keys) == known
    assert site.query(scores) == scored


def test_an_upgraded_server_gives_no_duplicates_and_no_endless_reading(make: Make) -> None:
    site = make(generation="v3")
    site.sync(NOW)
    site.serve(Sandbox(tiny_world()))
    site.sync(NOW + 1 * HOURS, deep=timedelta(days=9))
    site.sync(NOW + 2 * HOURS, deep=timedelta(days=9))
    assert site.sync(NOW + 3 * HOURS, deep=timedelta(days=9)).status == "unchanged"
    assert [query["fromStartTime"] for query in site.asked("/v2/observations", light=False)] == [iso(NOW + 2 * HOURS)]
    doubled = "select trace_id, observation_id from raw.observations group by all having count(*) > 1"
    assert site.query(doubled) == []
    truth = site.sandbox.world.truth
    assert site.query("select count(*), round(sum(cost_usd), 7) from marts.traces") == [
        (truth["traces"], truth["cost_usd"])
    ]


# A first run says when it may not have seen everything.


@pytest.mark.parametrize("generation", ["v4", "v3"])
def test_a_first_run_is_held_against_the_servers_totals(
    make: Make, monkeypatch: pytest.MonkeyPatch, generation: str
) -> None:
    """Rows that turn up while it reads: the walk missed them, the total has them, the look-back heals it."""
    site = make(generation=generation)
    late = [span for span in site.sandbox.world.observations if span.start > END - 20 * HOUR][:3]
    site.sandbox.delete(*late)
    monkeypatch.setattr("etl.pipeline.shortfalls", _after(lambda: site.sandbox.insert(*late), shortfalls))
    report = site.sync(NOW)
    assert report.exit_code == 0
    [warning] = [warning for warning in report.warnings if warning.startswith("observations")]
    assert "rows were read, and the server counts" in warning
    monkeypatch.undo()
    site.serve(site.sandbox)
    assert site.sync(NOW + 10 * MINUTES).entities["observations"].inserted == len(late)


@pytest.mark.parametrize(("total", "is_said"), [(9_999, False), (10_000, False), (10_010, False), (10_100, True)])
def test_a_version_at_the_edge_of_a_page_is_no_shortfall(
    make: Make, monkeypatch: pytest.MonkeyPatch, total: int, *, is_said: bool
) -> None:
    """The totals count versions, and a cursor passes over those of its row."""
    site = make()
    monkeypatch.setattr("etl.langfuse.source.total", lambda *_: total)
    with Client(site.settings.credentials()[0], limiter=Limiter(), transport=direct_transport(site.sandbox)) as client:
        source = Source("default", client, detect(client, previous=None))
        window = Window(NOW - 9 * HOURS, NOW)
        plan = ProjectPlan(source, (EntityPlan("observations", "modern", window, None),), ())
        said = shortfalls([plan], {"observations": Counts(fetched=10_000)})
        assert bool(said) == is_said
        known = replace(plan, entities=(replace(plan.entities[0], watermark=NOW - 9 * HOURS),))
        assert shortfalls([known], {"observations": Counts(fetched=10)}) == []


def _after(first: Callable[[], object], then: Callable[..., Any]) -> Callable[..., Any]:
    def both(*arguments: Any) -> Any:
        first()
        return then(*arguments)

    return both


def test_quiet_years_cost_nothing(make: Make) -> None:
    """All history since 1970: two counts by day, and about as many pages as the rows need."""
    world = tiny_world()
    old = [replace(span, id=f"old-{number}", start=number * 1000, end=None) for number, span in
           enumerate(world.observations)]  # fmt: skip
    site = make(replace(world, observations=world.observations + old))
    report = site.sync(NOW)
    assert report.warnings == []
    assert len(site.asked("/v2/observations")) <= 2
    assert report.requests <= 25

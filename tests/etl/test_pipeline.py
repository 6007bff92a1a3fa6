"""A whole run against a served project: what it reads, publishes, remembers, and how it ends when it can't."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl.errors import ApiError, AuthError, ConfigError, Interrupted, Locked, RateLimited, SchemaMismatch
from etl.landing import Landing, Slice
from etl.langfuse.client import iso
from etl.lock import hold
from etl.pipeline import SyncOptions, SyncReport, sync
from etl.progress import SilentProgress
from etl.sandbox.faults import Fault
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import END, HOUR, tiny_world
from etl.settings import OutcomeSettings, PriceSettings, RedactSettings, Settings, load_settings
from etl.state import State
from etl.warehouse import migrate
from etl.warehouse.snapshots import Warehouse, open_reader

NOW = datetime.fromtimestamp(END / 1000, UTC).replace(tzinfo=None) + timedelta(hours=2)
FOREVER_S = 4000  # a wait that no client sits out
EVERYTHING = "select * exclude (run_id, family) from raw.observations order by all"


class Stopping(SilentProgress):
    """Calls back at every page that is landed."""

    def __init__(self, at_page: Callable[[], None]) -> None:
        super().__init__()
        self._at_page = at_page

    def page(self, entity: str, key: str, rows: int) -> None:  # noqa: ARG002 - the protocol's signature
        self._at_page()


@dataclass
class Site:
    """One served project and one home."""

    sandbox: Sandbox
    settings: Settings

    def sync(self, *, now: datetime = NOW, progress: SilentProgress | None = None, stop: threading.Event | None = None,
             **options: Any) -> SyncReport:  # fmt: skip
        return sync(
            self.settings,
            now=now,
            options=SyncOptions(**options),
            progress=progress or SilentProgress(),
            stop=stop or threading.Event(),
        )

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(open_reader(self.settings.warehouse / "current.duckdb")) as connection:
            return connection.execute(text).fetchall()

    def requests(self, path: str) -> list[dict[str, str]]:
        return [seen.query for seen in self.sandbox.seen if seen.path == path]

    def compared_from(self) -> str:
        """From when on versions were compared."""
        asked = [query for query in self.requests("/v2/observations") if query["fields"] == "core,time"]
        return min(query["fromStartTime"] for query in asked)

    def with_outcome(self, **changes: Any) -> Site:
        return self.with_rules(outcome=OutcomeSettings(**changes))

    def with_rules(self, **changes: Any) -> Site:
        definitions = replace(self.settings.definitions, **changes)
        return Site(self.sandbox, replace(self.settings, definitions=definitions))


@contextlib.contextmanager
def site_of(sandbox: Sandbox, home: Path, **environ: str) -> Iterator[Site]:
    with serving(sandbox) as base_url:
        known = {"TRACEHOUSE_HOME": str(home), "LANGFUSE_BASE_URL": base_url}
        known |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}
        yield Site(sandbox, load_settings({**known, **environ}, home.parent))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_of(Sandbox(tiny_world()), tmp_path / "home") as made:
        yield made


@pytest.fixture(scope="module")
def synced_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after one run of the tiny world; tests work on copies of it."""
    home = tmp_path_factory.mktemp("synced") / "home"
    with site_of(Sandbox(tiny_world()), home) as made:
        made.sync()
    return home


@pytest.fixture
def synced(synced_home: Path, tmp_path: Path) -> Iterator[Site]:
    """A site whose first run was at NOW."""
    shutil.copytree(synced_home, tmp_path / "home", symlinks=True)
    with site_of(Sandbox(tiny_world()), tmp_path / "home") as made:
        # This server listens elsewhere than the one of the copy; nothing else about it is new.
        snapshot = made.settings.warehouse / "snapshots" / "1.duckdb"
        snapshot.chmod(0o600)
        with contextlib.closing(duckdb.connect(str(snapshot))) as connection:
            url = made.settings.credentials()[0].base_url
            connection.execute("update raw.projects set base_url = ?", [url])
        yield made


def test_a_first_run_publishes_everything(site: Site) -> None:
    report = site.sync()
    assert (report.status, report.snapshot, report.exit_code) == ("done", 1, 0)
    assert report.generation == "modern 4.16.0"
    truth = site.sandbox.world.truth
    counted = "select count(*) filter (where not is_synthetic), count(distinct trace_id) from raw.observations"
    assert site.query(counted) == [(truth["observations"], truth["traces"])]
    assert site.query("select count(*) from raw.scores") == [(truth["scores"],)]
    assert site.query("select count(*), round(sum(cost_usd), 7) from marts.traces") == [
        (truth["traces"], truth["cost_usd"])
    ]
    assert site.query("select as_of, run_id, is_demo from meta.as_of") == [(NOW, report.run_id, False)]
    watermarks = "select entity, watermark from meta.watermarks order by entity"
    assert site.query(watermarks) == [("observations", NOW), ("scores", NOW)]
    assert site.query("select project_id, base_url from raw.projects")[0][0] == "proj-tiny"
    landing = Landing(site.settings.landing)
    assert landing.pending() == []
    assert landing.unfinished() == []
    assert {landed.slice.entity for landed in landing.loaded(report.run_id)} == set(report.entities)
    with contextlib.closing(State(site.settings.state_path)) as state:
        [run] = state.runs()
    assert (run.run_id, run.status, run.snapshot, run.error) == (report.run_id, "done", 1, None)
    assert run.counts["scores"]["inserted"] == truth["scores"]
    assert f"run={report.run_id} status=done" in (site.settings.home / "logs" / "sync.log").read_text()


def test_the_report_is_what_the_contract_says(site: Site, validate: Callable[[str, Any], None]) -> None:
    first, second = site.sync(), site.sync()
    for report in (first, second):
        validate("sync", json.loads(json.dumps(report.to_json())))
    assert first.to_json()["requests"] > 0
    assert first.summary().startswith("Published snapshot 1\n")
    assert second.summary().startswith("Nothing new; snapshot 1 stays current\n")


def test_a_run_that_finds_nothing_publishes_nothing_but_has_looked(synced: Site) -> None:
    later = NOW + timedelta(days=10)
    report = synced.sync(now=later)
    assert (report.status, report.snapshot) == ("unchanged", 1)
    assert synced.query("select as_of from meta.as_of") == [(NOW,)]
    with contextlib.closing(State(synced.settings.state_path)) as state:
        assert {checked.until for checked in state.checked()} == {later}
    synced.sandbox.seen.clear()
    synced.sync(now=later + timedelta(minutes=10))
    assert synced.compared_from() == iso(later - timedelta(hours=1))


def test_without_the_state_the_watermark_of_the_snapshot_counts(synced: Site) -> None:
    later = NOW + timedelta(days=3)
    synced.sync(now=later)
    synced.settings.state_path.unlink()
    synced.sandbox.seen.clear()
    assert synced.sync(now=later).status == "unchanged"
    assert synced.compared_from() == iso(NOW - timedelta(hours=24))


def test_a_broken_state_costs_one_warning(synced: Site, capsys: pytest.CaptureFixture[str]) -> None:
    synced.settings.state_path.write_bytes(b"broken" * 100)
    assert synced.sync().status == "unchanged"
    assert capsys.readouterr().err.count("warning:") == 1


def test_late_and_changed_rows_arrive_by_the_look_back(synced: Site) -> None:
    [late] = [one for one in synced.sandbox.world.observations if one.id == synced.sandbox.world.observations[-1].id][
        :1
    ]
    near = END - HOUR
    synced.sandbox.insert(replace(late, id="late", start=near, end=near + 5, created=END, updated=END))
    first = synced.sync()
    assert first.entities["observations"].inserted == 1
    version = synced.sandbox.observation(late.trace_id, "late")
    synced.sandbox.update(version, updated=END + 1, name="renamed")
    second = synced.sync(now=NOW + timedelta(hours=1))
    assert (second.entities["observations"].updated, second.snapshot) == (1, 3)
    assert synced.query("select name from marts.observations where observation_id = 'late'") == [("renamed",)]


def test_changed_rules_are_reason_enough_to_publish(synced: Site) -> None:
    report = synced.with_outcome(resolved_tag="solved").sync()
    assert (report.status, report.snapshot) == ("done", 2)
    assert all(not counts.has_changes for counts in report.entities.values())


def test_changed_rules_say_how_many_rows_read_differently(synced: Site) -> None:
    resolved = synced.query("select count(*) from marts.sessions where outcome = 'resolved'")[0][0]
    sessions = synced.query("select count(*) from marts.sessions")[0][0]
    report = synced.with_outcome(
        resolved_tag="nothing", resolved_score="nothing", satisfied_from_of_5=99, satisfied_from_of_1=99
    ).sync()
    assert resolved > 0
    [note] = report.notes
    assert note.startswith("Everything was modelled again (changed: [outcome]): 0 of ")
    assert note.endswith(f", {resolved} of {sessions} sessions read differently")
    assert note in report.summary()


def test_a_changed_price_says_how_many_rows_read_differently(synced: Site) -> None:
    costs = "select trace_id, observation_id, cost_usd from marts.observations where model = 'gpt-4o-mini'"
    before = {(trace, step): cost for trace, step, cost in synced.query(costs)}
    [note] = synced.with_rules(price=(PriceSettings("gpt-4o-mini", 1.0, 2.0),)).sync().notes
    changed = sum(before[trace, step] != cost for trace, step, cost in synced.query(costs))
    stored = synced.query("select count(*) from marts.observations")[0][0]
    assert changed > 0
    assert note.startswith(f"Everything was modelled again (changed: [[price]]): {changed} of {stored} observations, ")


def test_changed_redaction_says_how_many_rows_read_differently(synced: Site) -> None:
    users = synced.query("select count(*) filter (user_id is not null), count(*) from marts.observations")[0]
    site = synced.with_rules(redact=RedactSettings(hash_ids=("user_id",)))
    site = Site(site.sandbox, replace(site.settings, environ={**site.settings.environ, "TRACEHOUSE_REDACT_KEY": "k"}))
    [note] = site.sync().notes
    assert users[0] > 0
    assert note.startswith("Everything was modelled again (changed: [redact]")
    assert f": {users[0]} of {users[1]} observations, " in note


def test_both_families_give_the_same_rows(synced: Site, tmp_path: Path) -> None:
    with site_of(Sandbox(tiny_world(), generation="v3"), tmp_path / "legacy") as legacy:
        report = legacy.sync()
        assert report.generation == "legacy 3.150.0"
        assert set(report.entities) >= {"traces", "sessions", "observations", "scores"}
        facts = (
            "select trace_id, observation_id, type, start_time, level, model, usage_details, total_cost, prompt_name"
        )
        same = f"{facts} from raw.observations where not is_synthetic order by all"
        assert legacy.query(same) == synced.query(same)


def test_a_server_that_is_upgraded_goes_on_without_a_gap(tmp_path: Path) -> None:
    world = tiny_world()
    with site_of(Sandbox(world, generation="v3"), tmp_path / "home") as legacy:
        legacy.sync()
        before = legacy.query("select trace_id, observation_id from raw.observations order by all")
        settings = legacy.settings
    with site_of(Sandbox(world), tmp_path / "home") as modern:
        report = modern.sync(now=NOW + timedelta(hours=1))
        assert report.generation == "modern 4.16.0"
        after = modern.query("select trace_id, observation_id from raw.observations order by all")
        assert set(before) <= set(after)
        [window] = modern.query("select watermark from meta.watermarks where entity = 'observations'")
        assert window >= (NOW - timedelta(minutes=2),)
        starts = [seen["fromStartTime"] for seen in modern.requests("/v2/observations") if "io" in seen["fields"]]
        assert min(starts) >= f"{(NOW - timedelta(hours=25)).isoformat()}"
    assert settings.home == modern.settings.home


def test_refused_keys_end_the_run_and_change_nothing(tmp_path: Path) -> None:
    with site_of(Sandbox(tiny_world()), tmp_path / "home", LANGFUSE_SECRET_KEY="sk-lf-wrong") as site:
        with pytest.raises(AuthError) as caught:
            site.sync()
        assert caught.value.exit_code == 77
        assert Warehouse(site.settings.warehouse).current() is None
        with contextlib.closing(State(site.settings.state_path)) as state:
            [run] = state.runs()
        assert run.status == "failed"
        assert run.error == str(caught.value)
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [path for path in files if b"sk-lf-wrong" in path.read_bytes()]


def test_what_was_read_before_a_failure_is_published_and_the_rest_follows(site: Site) -> None:
    site.sandbox.faults.add(Fault("429", "/v3/scores", times=None, after=1, retry_after_s=FOREVER_S))
    report = site.sync()
    assert (report.status, report.snapshot, report.exit_code) == ("partial", 1, 1)
    assert isinstance(report.error, RateLimited)
    assert "Not everything could be read" in report.summary()
    assert site.query("select entity from meta.watermarks where entity = 'scores'") == []
    site.sandbox.faults.clear()
    report = site.sync()
    assert (report.status, report.exit_code) == ("done", 0)
    assert site.query("select count(*) from raw.scores") == [(site.sandbox.world.truth["scores"],)]
    assert site.query("select watermark from meta.watermarks where entity = 'scores'") == [(NOW,)]


def test_nothing_at_all_is_an_error(site: Site) -> None:
    site.sandbox.faults.add(Fault("429", times=None, after=7, retry_after_s=FOREVER_S))
    with pytest.raises(ApiError):
        site.sync()
    assert Warehouse(site.settings.warehouse).current() is None


def test_a_slice_that_is_too_much_is_halved(synced: Site, tmp_path: Path) -> None:
    with site_of(Sandbox(tiny_world()), tmp_path / "other") as strict:
        strict.sandbox.faults.add(Fault("422", "/v2/observations", times=None, wider_than_s=40 * 3600))
        report = strict.sync(since=NOW - timedelta(days=5))
        assert report.status == "done"
        assert strict.query(EVERYTHING) == synced.query(EVERYTHING)
        assert Landing(strict.settings.landing).unfinished() == []


def test_a_server_to_which_everything_is_too_much(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.fetch.MOST_REFUSALS", 10)
    site.sandbox.faults.add(Fault("422", "/v2/observations", times=None, limit_over=1))
    report = site.sync()
    assert (report.status, report.exit_code) == ("partial", 1)
    assert "422" in str(report.error)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_what_is_landed(site: Site, number: signal.Signals) -> None:
    stop = threading.Event()
    stop.signal_number = number  # type: ignore[attr-defined]
    with pytest.raises(Interrupted) as caught:
        site.sync(stop=stop, progress=Stopping(stop.set))
    assert caught.value.exit_code == 128 + number
    landing = Landing(site.settings.landing)
    kept = [path for landed in landing.pending() for path in landed.paths]
    kept += [path for slice_ in landing.unfinished() for path in landing.paths(slice_)]
    assert kept
    assert Warehouse(site.settings.warehouse).current() is None
    with contextlib.closing(State(site.settings.state_path)) as state:
        assert state.runs()[0].status == "interrupted"
    assert site.sync().status == "done"
    assert site.query("select count(*) from marts.traces") == [(site.sandbox.world.truth["traces"],)]


def test_a_second_run_at_the_same_time(site: Site) -> None:
    with hold(site.settings.lock_path, run_id="other", now=NOW), pytest.raises(Locked) as caught:
        site.sync()
    assert caught.value.exit_code == 75
    assert site.sandbox.seen == []


def test_a_page_of_an_earlier_run_is_loaded_and_a_bad_record_set_aside(site: Site) -> None:
    landing = Landing(site.settings.landing)
    slice_ = Slice("proj-tiny", "observations", "modern", NOW - timedelta(days=9), NOW - timedelta(days=8))
    record = {"id": "pending", "traceId": "pending", "startTime": "2026-11-12T00:00:00Z"}
    body = json.dumps({"data": [record, {"id": "bad"}], "meta": {}}).encode()
    landing.write_page(slice_, 1, body, next_cursor=None)
    landing.complete(slice_, read_at=NOW - timedelta(hours=1))
    report = site.sync()
    assert (report.status, report.exit_code) == ("done", 3)
    assert report.entities["observations"].quarantined == 1
    assert site.query("select count(*) from marts.traces where trace_id = 'pending'") == [(1,)]
    assert site.sync().exit_code == 0


def test_another_projects_pages_wait_for_their_own_run(site: Site) -> None:
    landing = Landing(site.settings.landing)
    slice_ = Slice("proj-other", "observations", "modern", NOW - timedelta(days=9), NOW)
    landing.write_page(slice_, 1, b'{"data":[],"meta":{}}', next_cursor=None)
    landing.complete(slice_, read_at=NOW)
    site.sync()
    assert [landed.slice for landed in landing.pending()] == [slice_]


def test_only_some_entities(site: Site) -> None:
    report = site.sync(entities=("scores", "traces"))
    assert set(report.entities) == {"scores"}
    assert site.query("select as_of from meta.as_of") == [(NOW,)]
    with pytest.raises(ConfigError, match=r"'cheese' is not an entity\. Choose among observations"):
        site.sync(entities=("cheese",))


def test_a_dry_run_says_what_and_does_nothing(site: Site) -> None:
    report = site.sync(dry_run=True)
    assert (report.status, report.snapshot, report.exit_code) == ("planned", None, 0)
    assert any(line.startswith("proj-tiny observations ") for line in report.planned)
    assert "nothing was" in report.summary()
    assert not site.settings.warehouse.exists()
    assert not site.settings.landing.exists()
    assert not site.settings.lock_path.exists()


def test_generated_and_real_data_never_mix(site: Site) -> None:
    assert site.sync(is_demo=True, full=True).snapshot == 1
    assert site.query("select is_demo from meta.as_of") == [(True,)]
    again = site.sync(is_demo=True, full=True)
    assert (again.snapshot, again.entities["scores"].inserted) == (2, site.sandbox.world.truth["scores"])
    real = site.sync()
    assert (real.snapshot, real.entities["scores"].inserted) == (3, site.sandbox.world.truth["scores"])
    assert site.query("select is_demo from meta.as_of") == [(False,)]
    with pytest.raises(ConfigError, match="would mix with generated data"):
        site.sync(is_demo=True)
    assert site.query("select is_demo from meta.as_of") == [(False,)]


def test_several_projects_share_a_warehouse(tmp_path: Path) -> None:
    toml = '[[project]]\nname = "one"\n[[project]]\nname = "two"\nsecret_key_env = "OTHER_SECRET"\nbase_url = "{}"\n'
    other_world = replace(tiny_world(), project_id="proj-two")
    with serving(Sandbox(other_world, secret_key="sk-lf-two")) as other_url:
        config = tmp_path / "tracehouse.toml"
        config.write_text(toml.format(other_url))
        environ = {"TRACEHOUSE_CONFIG": str(config), "OTHER_SECRET": "sk-lf-no"}
        with site_of(Sandbox(tiny_world()), tmp_path / "home", **environ) as site:
            partial = site.sync()
            assert (partial.status, partial.exit_code) == ("partial", 77)
            assert site.query("select project_id from raw.projects") == [("proj-tiny",)]
        with site_of(Sandbox(tiny_world()), tmp_path / "home", **{**environ, "OTHER_SECRET": "sk-lf-two"}) as site:
            assert site.sync().exit_code == 0
            per_project = "select project_id, count(*) from marts.traces group by all order by all"
            assert site.query(per_project) == [("proj-tiny", 16), ("proj-two", 16)]


def test_a_warehouse_of_a_newer_version_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = (*migrate.migrations(), migrate.Migration(99, "future", "create table meta.future (a integer)"))
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "migrations", lambda: newer)
        with Warehouse(site.settings.warehouse).building(now=NOW) as build:
            build.publish()
    with pytest.raises(SchemaMismatch, match="version 99"):
        site.sync()


def test_a_broken_check_is_reported_and_published(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.pipeline.run_checks", lambda _connection: ["marts.traces: broken by 2 rows"])
    report = site.sync()
    assert (report.status, report.exit_code) == ("done", 3)
    assert "Look at: marts.traces: broken by 2 rows" in report.summary()


def test_an_incremental_run_models_what_a_full_one_would(site: Site, tmp_path: Path) -> None:
    hidden = [one for one in site.sandbox.world.observations if one.start > END - 24 * HOUR][:6]
    site.sandbox.hide(*hidden)
    site.sync()
    site.sandbox.insert(*hidden)
    assert site.sync().entities["observations"].inserted > 0
    with site_of(Sandbox(tiny_world()), tmp_path / "fresh") as fresh:
        fresh.sync()
        for mart in ("observations", "traces", "sessions", "scores", "error_groups"):
            everything = f"from marts.{mart} order by all"
            assert site.query(everything) == fresh.query(everything), mart


class StoppingAt(SilentProgress):
    """Asks for a stop as soon as a stage begins."""

    def __init__(self, name: str, stop: threading.Event) -> None:
        super().__init__()
        self._name = name
        self._stop = stop

    def stage(self, name: str) -> None:
        if name == self._name:
            self._stop.set()


@pytest.mark.parametrize("stage", ["load", "model", "check"])
def test_a_stop_after_fetching_ends_the_run_at_its_next_stage(site: Site, tmp_path: Path, stage: str) -> None:
    stop = threading.Event()
    with pytest.raises(Interrupted) as caught:
        site.sync(progress=StoppingAt(stage, stop), stop=stop)
    assert caught.value.exit_code == 143
    assert Warehouse(site.settings.warehouse).current() is None
    before = len(site.sandbox.seen)
    assert site.sync().status == "done"
    paths = {seen.path for seen in site.sandbox.seen[before:]}
    with site_of(Sandbox(tiny_world()), tmp_path / "whole") as whole:
        whole.sync()
        assert site.query(EVERYTHING) == whole.query(EVERYTHING)
    assert "/v2/observations" in paths  # the probe and the newest part only; what was landed is loaded


def test_a_reader_is_not_disturbed_by_a_run(synced: Site) -> None:
    current = Warehouse(synced.settings.warehouse).current()
    assert current is not None
    with contextlib.closing(open_reader(current.path)) as reader:
        synced.with_outcome(resolved_tag="solved").sync()
        synced.with_outcome(resolved_tag="closed").sync()
        assert reader.execute("select count(*) from marts.traces").fetchall() == [(16,)]

"""The warehouse against the server's own counts: equal, or different for a reason that is named."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from etl.cli import ETL_COMMANDS, ETL_SUMMARIES, make_group
from etl.errors import WarehouseMissing
from etl.pipeline import SyncOptions, sync
from etl.progress import SilentProgress
from etl.reconcile import Day, reconcile
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import END, HOUR, tiny_world
from etl.settings import Settings, load_settings
from etl.state import State
from etl.status import read_status

NOW = datetime.fromtimestamp(END / 1000, UTC).replace(tzinfo=None) + timedelta(hours=2)
SINCE = NOW - timedelta(days=400)


@dataclass
class Site:
    sandbox: Sandbox
    settings: Settings
    environ: dict[str, str]

    def sync(self) -> None:
        sync(self.settings, now=NOW, options=SyncOptions(), progress=SilentProgress(), stop=threading.Event())


@pytest.fixture(params=["v4", "v3"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    sandbox = Sandbox(tiny_world(), generation=request.param)
    with serving(sandbox) as base_url:
        environ = {"TRACEHOUSE_HOME": str(tmp_path / "home"), "LANGFUSE_BASE_URL": base_url}
        environ |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}
        yield Site(sandbox, load_settings(environ, tmp_path), environ)


def test_before_a_sync_there_is_nothing_to_compare(site: Site) -> None:
    with pytest.raises(WarehouseMissing, match="Run `tracehouse sync`"):
        reconcile(site.settings, since=None)


def test_what_was_synced_matches_day_by_day(site: Site) -> None:
    site.sync()
    found = reconcile(site.settings, since=SINCE)
    assert found.days
    for day in found.days:
        assert day.matches or day.is_explained or "version" in " ".join(day.reasons), day
    assert sum(day.warehouse_count for day in found.days) > 0


@pytest.mark.parametrize("site", ["v4"], indirect=True)
def test_every_difference_has_its_reason(site: Site) -> None:
    site.sync()
    # This server counts two versions of rows from the start.
    [day] = _different(site)
    assert day.reasons == ("the server counts 2 more versions of rows that are one here each",)
    known = site.sandbox.world.observations[0]
    start = END - 24 * 7 * HOUR
    stamp = int(NOW.replace(tzinfo=UTC).timestamp() * 1000)
    late = replace(known, id="late", start=start, end=start + 5, created=stamp + 5, updated=stamp + 5)
    lost = replace(known, id="lost", start=start, end=start + 5, created=start, updated=start)
    site.sandbox.insert(late)
    [day, _] = _different(site)
    assert (day.server_count - day.warehouse_count, day.is_explained) == (1, True)
    assert day.reasons == ("1 row arrived after the last run; the next one reads them",)
    site.sandbox.insert(lost)
    [day, _] = _different(site)
    assert not day.is_explained
    assert not reconcile(site.settings, since=SINCE).matches
    assert "1 row missing here: `tracehouse sync --since" in day.reasons[1]


def _different(site: Site) -> list[Day]:
    return [day for day in reconcile(site.settings, since=SINCE).days if not day.matches]


@pytest.mark.parametrize("site", ["v4"], indirect=True)
def test_a_wrong_cost_is_seen(site: Site) -> None:
    site.sync()
    priced = next(one for one in site.sandbox.world.observations if one.cost.get("total"))
    site.sandbox.update(priced, updated=priced.updated + 1, cost={"total": priced.cost["total"] + 1e-6})
    [day] = [day for day in _different(site) if not day.is_explained]
    assert day.server_count == day.warehouse_count
    assert "1 row with another cost" in day.reasons[-1]


@pytest.mark.parametrize("site", ["v4"], indirect=True)
def test_one_reason_does_not_cover_for_another(site: Site) -> None:
    site.sync()
    [before] = _different(site)
    assert before.is_explained  # two versions of a row
    same_day = [one for one in site.sandbox.world.observations if _day(one.start) == before.day and one.cost]
    site.sandbox.update(same_day[0], updated=same_day[0].updated + 1, cost={"total": 9.0})
    [after] = _different(site)
    assert after.reasons[0] == before.reasons[0]
    assert "1 row with another cost" in after.reasons[1]
    assert not after.is_explained


def _day(moment_ms: int) -> date:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).date()


@pytest.mark.parametrize("site", ["v4"], indirect=True)
def test_the_command_answers_people_and_programs(
    site: Site, validate: Callable[[str, Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.sync()
    for name, value in site.environ.items():
        monkeypatch.setenv(name, value)
    group = make_group("etl", ETL_COMMANDS, ETL_SUMMARIES, "help")

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(
            group, ["reconcile", "--since", f"{SINCE:%Y-%m-%d}", *arguments], standalone_mode=False
        )
        return int(done.return_value), done.stdout

    code, text = run("--json")
    assert code == 0
    validate("reconcile", json.loads(text))
    code, text = run()
    assert code == 0
    assert "1 differ, 0 without an explanation" in text
    start = END - 24 * 7 * HOUR
    lost = replace(site.sandbox.world.observations[0], id="lost", start=start, end=start, created=start, updated=start)
    site.sandbox.insert(lost)
    code, text = run()
    assert code == 3
    assert "2 differ, 1 without an explanation" in text
    assert "row missing here" in text


@pytest.mark.parametrize("site", ["v4"], indirect=True)
def test_a_month_costs_one_request_of_the_metrics_budget(site: Site) -> None:
    site.sync()
    reconcile(site.settings, since=None)
    before = len([seen for seen in site.sandbox.seen if seen.path == "/v2/metrics"])
    reconcile(site.settings, since=None)
    asked = [seen for seen in site.sandbox.seen if seen.path == "/v2/metrics"][before:]
    assert len(asked) == 2  # one of them finds out which generation this is


def test_the_days_are_remembered_and_looked_at_again(site: Site) -> None:
    site.sync()
    found = reconcile(site.settings, since=SINCE, now=NOW)
    with contextlib.closing(State(site.settings.state_path)) as state:
        kept = state.reconciled()
    assert {(row["project_id"], row["day"]) for row in kept} == {
        (day.project_id, day.day.isoformat()) for day in found.days
    }
    assert {row["compared_at"] for row in kept} == {NOW.isoformat()}
    later = NOW + timedelta(hours=1)
    reconcile(site.settings, since=SINCE, now=later)
    with contextlib.closing(State(site.settings.state_path)) as state:
        assert {row["compared_at"] for row in state.reconciled()} == {later.isoformat()}
        assert len(state.reconciled()) == len(kept)
    status = read_status(site.settings, now=later)
    assert status.reconciled is not None
    assert status.reconciled.days == len(kept)
    assert status.reconciled.compared_at == later

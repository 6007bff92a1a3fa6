"""Lists that are read on request, payloads that are cut, and fields that nobody has seen before."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl.errors import ConfigError
from etl.pipeline import SyncOptions, SyncReport, sync
from etl.progress import SilentProgress
from etl.sandbox.evaluations import with_evaluations
from etl.sandbox.exchange import reply
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import END, HOUR, tiny_world
from etl.settings import Settings, load_settings
from etl.status import read_status, to_json
from etl.warehouse.snapshots import open_reader

NOW = datetime.fromtimestamp(END / 1000, UTC).replace(tzinfo=None) + timedelta(hours=2)
LISTS = ("datasets", "dataset_items", "experiments")


class Listening(SilentProgress):
    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@dataclass
class Site:
    sandbox: Sandbox
    settings: Settings

    def sync(self, progress: SilentProgress | None = None, **options: Any) -> SyncReport:
        return sync(
            self.settings,
            now=NOW,
            options=SyncOptions(**options),
            progress=progress or SilentProgress(),
            stop=threading.Event(),
        )

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(open_reader(self.settings.warehouse / "current.duckdb")) as reader:
            return reader.execute(text).fetchall()


def site_of(tmp_path: Path, generation: Any, settings: str = "") -> Iterator[Site]:
    sandbox = Sandbox(with_evaluations(tiny_world()), generation=generation)
    (tmp_path / "tracehouse.toml").write_text(settings, encoding="utf-8")
    with serving(sandbox) as base_url:
        environ = {"TRACEHOUSE_HOME": str(tmp_path / "home"), "LANGFUSE_BASE_URL": base_url}
        environ |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}
        yield Site(sandbox, load_settings(environ, tmp_path))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    yield from site_of(tmp_path, "v4", '[sync]\noptional = ["datasets", "dataset_items", "experiments"]\n')


def test_they_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    for plain in site_of(tmp_path, "v4"):
        report = plain.sync()
        assert not set(LISTS) & set(report.entities)
        assert not [seen for seen in plain.sandbox.seen if seen.path in {"/v2/datasets", "/dataset-items"}]
        report = plain.sync(entities=("datasets",))
        assert report.entities["datasets"].inserted == 2


def test_what_the_server_holds_is_stored(site: Site, validate: Callable[[str, Any], None]) -> None:
    report = site.sync()
    world = site.sandbox.world
    assert report.entities["dataset_items"].inserted == len(world.dataset_items)
    stored = site.query("select item_id, dataset_name, source_trace_id, input from raw.dataset_items order by item_id")
    held = sorted((item.id, item.dataset_name, item.source_trace_id) for item in world.dataset_items)
    assert [row[:3] for row in stored] == held
    assert all(row[3] for row in stored)
    runs = site.query("select experiment_id, item_count, start_time from raw.experiments order by experiment_id")
    assert [row[:2] for row in runs] == sorted((each.id, each.item_count) for each in world.experiments)
    status = read_status(site.settings, now=NOW)
    assert status.entities["experiments"].rows == len(world.experiments)
    validate("status", to_json(status, now=NOW))
    assert site.sync().status == "unchanged"


def test_what_is_gone_from_a_list_goes(site: Site) -> None:
    site.sync()
    gone = site.sandbox.world.dataset_items.pop()
    report = site.sync()
    assert report.entities["dataset_items"].deleted == 1
    assert site.query(f"select count(*) from raw.dataset_items where item_id = '{gone.id}'") == [(0,)]


def test_an_older_server_has_no_experiments(tmp_path: Path) -> None:
    for old in site_of(tmp_path, "v3", '[sync]\noptional = ["datasets", "experiments"]\n'):
        progress = Listening()
        report = old.sync(progress)
        assert (report.status, report.exit_code) == ("done", 0)
        assert report.entities["datasets"].inserted == 2
        assert ["no experiments" in line for line in progress.warnings] == [True]


@pytest.mark.parametrize("status", [404, 410, 501])
def test_a_route_that_is_switched_off_is_a_warning(site: Site, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    answer = site.sandbox.answer

    def without_datasets(call: Any) -> Any:
        if call.path == "/v2/datasets":
            return reply({"message": "not available"}, status)
        return answer(call)

    monkeypatch.setattr(site.sandbox, "answer", without_datasets)
    progress = Listening()
    report = site.sync(progress)
    assert (report.status, report.exit_code) == ("done", 0)
    assert progress.warnings == [f"default: this server offers no datasets ({status})"]
    assert report.entities["dataset_items"].inserted == len(site.sandbox.world.dataset_items)


def test_an_unknown_name_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "tracehouse.toml").write_text('[sync]\noptional = ["dataset"]\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\[sync\] optional names 'dataset'"):
        load_settings({"TRACEHOUSE_HOME": str(tmp_path)}, tmp_path)


def test_long_payloads_are_stored_or_cut(tmp_path: Path) -> None:
    for settings, length in (("", 5_000_000), ("[sync]\nmax_payload_kb = 2\n", 2000)):
        folder = tmp_path / str(length)
        folder.mkdir()
        for site in site_of(folder, "v4", settings):
            known = site.sandbox.world.observations[0]
            start = END - HOUR
            long = replace(known, id="long", start=start, end=start, input="x" * 5_000_000, created=END, updated=END)
            site.sandbox.insert(long)
            assert site.sync().exit_code == 0
            [(text,)] = site.query("select input from raw.observations where observation_id = 'long'")
            assert text.startswith("x" * 2000)
            assert length <= len(text) <= length + 60
            assert text.endswith("[cut from 5000000 characters]") == (length == 2000)


def test_a_new_field_is_named_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from etl.sandbox.routes import evaluations  # noqa: PLC0415 - the module under change

    real = evaluations.dataset_reply
    monkeypatch.setattr(evaluations, "dataset_reply", lambda service, each: {**real(service, each), "colour": "blue"})
    report = site.sync()
    assert report.warnings == ["datasets have fields that are new here and not stored: colour"]
    assert report.exit_code == 0
    site.sandbox.world.datasets[0].description = "another"
    assert site.sync().warnings == []
    assert json.dumps(report.to_json())

"""Whatever happens on the server and to the runs, a last quiet reading ends in the server's truth."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl.checks import run_checks
from etl.sandbox.personality import Generation
from etl.transform import transform
from etl.warehouse.attach import attach_published, open_workspace
from tests.exact.histories import Play, Step, histories
from tests.exact.site import broken, differences, digest, left_behind
from tests.exact.truth import compare, compare_marts

SERVERS: tuple[tuple[Generation, str | None], ...] = (("v4", None), ("v3", None), ("v3", "3.180.0"), ("dual", None))


def prove(generation: Generation, version: str | None, steps: list[Step]) -> None:
    """Act a history out, then read everything again and compare."""
    with tempfile.TemporaryDirectory() as folder:
        play = Play(Path(folder) / "home", generation, version)
        for step in steps:
            play.act(step)
        for report in play.reports:
            assert broken(report) == []
        play.settle()
        play.site.sync()  # what an earlier run began is finished as it was then
        report = play.site.sync(full=True)
        assert report.error is None
        assert broken(report) == []
        with play.site.reading() as connection:
            assert compare(connection, play.sandbox, may_stay=play.gone) == []
            assert compare_marts(connection) == []
        assert left_behind(play.site.settings) == []
        prove_that_a_rebuild_changes_nothing(play)
        before = play.site.digest()
        again = play.site.sync(full=True)
        assert (again.status, again.snapshot) == ("unchanged", report.snapshot)
        assert differences(play.site.digest(), before) == []
        prove_that_the_deleted_is_gone(play)


def prove_that_the_deleted_is_gone(play: Play) -> None:
    """After two more complete readings, hours apart, only what is doubted or came from another family may stay."""
    reports = []
    for _ in range(2):
        play.clock.advance(hours=7)
        reports.append(play.site.sync(full=True))
    is_sure = not play.is_upgraded and not any(report.warnings for report in reports)
    with play.site.reading() as connection:
        assert compare(connection, play.sandbox, may_stay=() if is_sure else play.gone) == []
        assert compare_marts(connection) == []
    prove_that_a_rebuild_changes_nothing(play)


def prove_that_a_rebuild_changes_nothing(play: Play) -> None:
    """Marts grown run by run are those that are built at once from the same rows.

    Prices once looked up may stay when the last call of their model was deleted; nothing reads them then.
    """
    with play.site.reading() as connection:
        grown = digest(connection)
        [(as_of,)] = connection.execute("select as_of from meta.as_of").fetchall()
    with _copy(play) as connection:
        transform(connection, play.site.settings.definitions, as_of, full=True)
        assert run_checks(connection) == []
        assert [name for name in differences(digest(connection), grown) if name != "meta.prices"] == []


@contextlib.contextmanager
def _copy(play: Play) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published snapshot in memory, to be changed."""
    path = (play.site.settings.warehouse / "current.duckdb").resolve()
    with contextlib.closing(open_workspace(play.home / "spill", memory_mb=400)) as connection:
        attach_published(connection, path)
        connection.execute("use memory")
        connection.execute("copy from database wh to memory")
        connection.execute("detach wh")
        yield connection


UNSHRUNK = settings(
    deadline=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.generate),  # a history takes seconds; add Phase.shrink when one has to be understood
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@settings(UNSHRUNK, max_examples=4, derandomize=True)
@given(server=st.sampled_from(SERVERS), steps=histories(rounds=2))
def test_any_history_ends_in_the_truth(server: tuple[Generation, str | None], steps: list[Step]) -> None:
    prove(*server, steps)


@pytest.mark.long
@settings(UNSHRUNK, max_examples=300)
@given(server=st.sampled_from(SERVERS), steps=histories())
def test_many_histories_end_in_the_truth(server: tuple[Generation, str | None], steps: list[Step]) -> None:
    prove(*server, steps)

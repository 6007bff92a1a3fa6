"""The landing folder keeps bodies verbatim, knows how far it got, and survives a crash at any step."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import WarehouseError
from etl.landing import Landing, Slice

START = datetime.fromisoformat("2026-11-20")
LATER = datetime.fromisoformat("2026-11-21T08:00:00")


def slice_of(*, entity: str = "observations", project_id: str = "proj", hour: int = 0) -> Slice:
    start = START + timedelta(hours=hour)
    return Slice(project_id, entity, "modern", start, start + timedelta(hours=1))


def land(landing: Landing, slice_: Slice, *bodies: bytes, read_at: datetime = LATER) -> None:
    for page, body in enumerate(bodies, start=1):
        landing.write_page(slice_, page, body, next_cursor=f"after {page}" if page < len(bodies) else None)
    landing.complete(slice_, read_at=read_at)


def test_bodies_come_back_byte_for_byte_in_their_order(tmp_path: Path) -> None:
    bodies = [b'{"data":[]}\n', b"\xff\x00 not even text", b""]
    land(Landing(tmp_path), slice_of(), *bodies)
    [landed] = Landing(tmp_path).pending()
    assert [path.read_bytes() for path in landed.paths] == bodies
    assert (landed.slice, landed.read_at) == (slice_of(), LATER)


def test_progress_says_where_to_go_on(tmp_path: Path) -> None:
    landing = Landing(tmp_path, clock=lambda: LATER)
    assert landing.progress(slice_of()).pages == 0
    landing.write_page(slice_of(), 1, b"one", next_cursor="abc")
    landing.write_page(slice_of(), 2, b"two", next_cursor="def")
    progress = Landing(tmp_path).progress(slice_of())
    assert (progress.pages, progress.next_cursor, progress.is_complete) == (2, "def", False)
    assert progress.begun_at == LATER
    assert landing.unfinished() == [slice_of()]
    assert landing.pending() == []


def test_a_body_without_its_line_in_the_manifest_does_not_count(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    path = landing.write_page(slice_of(), 1, b"one", next_cursor="abc")
    path.with_name("000002.json").write_bytes(b"written, then killed")
    assert landing.progress(slice_of()).pages == 1
    landing.write_page(slice_of(), 2, b"two", next_cursor=None)
    assert [page.read_bytes() for page in landing.paths(slice_of())] == [b"one", b"two"]


def test_writing_a_page_again_drops_those_behind_it(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    for page in (1, 2, 3):
        landing.write_page(slice_of(), page, b"old", next_cursor=str(page))
    landing.write_page(slice_of(), 1, b"new", next_cursor=None)
    assert [page.read_bytes() for page in landing.paths(slice_of())] == [b"new"]


def test_a_page_can_not_be_skipped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="page 2"):
        Landing(tmp_path).write_page(slice_of(), 2, b"two", next_cursor=None)


def test_a_reading_with_lost_bytes_starts_over(tmp_path: Path) -> None:
    """A power cut may leave an empty file under the right name."""
    landing = Landing(tmp_path)
    land(landing, slice_of(), b"one", b"two")
    landing.paths(slice_of())[1].write_bytes(b"")
    assert landing.pending() == []
    assert landing.progress(slice_of()).pages == 0
    land(landing, slice_of(), b"one", b"two")
    assert len(landing.pending()) == 1


@pytest.mark.parametrize("manifest", [b"", b"{", b"[]", b'{"slice": null}'])
def test_a_damaged_manifest_means_nothing_is_landed(tmp_path: Path, manifest: bytes) -> None:
    landing = Landing(tmp_path)
    path = landing.write_page(slice_of(), 1, b"one", next_cursor=None)
    path.with_name("manifest.json").write_bytes(manifest)
    assert landing.progress(slice_of()).pages == 0
    assert landing.pending() == landing.unfinished() == []


def test_pending_is_in_the_order_of_reading(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    for hour, minutes in [(0, 30), (1, 10), (2, 20)]:
        land(landing, slice_of(hour=hour), b"x", read_at=LATER + timedelta(minutes=minutes))
    assert [landed.slice.start.hour for landed in landing.pending()] == [1, 2, 0]


def test_unfinished_is_newest_first(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    for hour in (1, 2, 0):
        landing.write_page(slice_of(hour=hour), 1, b"x", next_cursor="more")
    assert [slice_.start.hour for slice_ in landing.unfinished()] == [2, 1, 0]


def test_loaded_slices_are_neither_pending_nor_read(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, slice_of(), b"first reading")
    landing.mark_loaded([slice_of(), slice_of(hour=5)], "run-1")
    assert landing.pending() == landing.unfinished() == []
    assert landing.progress(slice_of()).pages == 0
    [landed] = landing.loaded("run-1")
    assert landed.paths[0].read_bytes() == b"first reading"


def test_a_slice_is_read_again_in_a_later_run_and_in_the_same(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    for run_id, body in [("run-1", b"one"), ("run-2", b"two"), ("run-2", b"three")]:
        land(landing, slice_of(), body)
        landing.mark_loaded([slice_of()], run_id)
    assert sorted(landed.paths[0].read_bytes() for landed in landing.loaded("run-2")) == [b"three", b"two"]
    assert [landed.paths[0].read_bytes() for landed in landing.loaded("run-1")] == [b"one"]


def test_a_slice_without_rows_can_be_complete(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    landing.complete(slice_of(), read_at=LATER)
    assert [landed.paths for landed in landing.pending()] == [()]


def test_discard_forgets(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, slice_of(), b"x")
    landing.discard(slice_of())
    landing.discard(slice_of())
    assert landing.pending() == []


def test_clean_by_age_keeps_what_is_younger_or_not_loaded(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    for day in range(10):
        land(landing, slice_of(hour=day), b"x" * 10, read_at=START + timedelta(days=day))
        if day < 9:
            landing.mark_loaded([slice_of(hour=day)], f"run-{day}")
    assert landing.clean(START + timedelta(days=10), 7, 10**9) > 0
    assert [day for day in range(10) if landing.loaded(f"run-{day}")] == [3, 4, 5, 6, 7, 8]
    assert len(landing.pending()) == 1


def test_clean_by_bytes_deletes_the_oldest_runs(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    for day in range(4):
        land(landing, slice_of(hour=day), b"x" * 10_000, read_at=START + timedelta(days=day))
        landing.mark_loaded([slice_of(hour=day)], f"run-{day}")
    landing.clean(START + timedelta(days=4), 30, 25_000)
    assert [day for day in range(4) if landing.loaded(f"run-{day}")] == [2, 3]


def test_clean_removes_what_a_kill_left_before_it_counted(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    land(landing, slice_of(hour=1), b"kept")
    begun = landing.write_page(slice_of(hour=2), 1, b"kept", next_cursor="more").parent
    page = landing.write_page(slice_of(hour=3), 1, b"secret prompt", next_cursor="more")
    page.with_name("manifest.json").unlink()
    landing.clean(LATER, 7, 10**9)
    assert not page.parent.exists()
    assert begun.exists()
    assert (len(landing.pending()), len(landing.unfinished())) == (1, 1)


def test_nothing_to_clean(tmp_path: Path) -> None:
    assert Landing(tmp_path / "absent").clean(LATER, 7, 10) == 0


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    landing = Landing(tmp_path / "landing")
    before = os.umask(0)
    try:
        path = landing.write_page(slice_of(), 1, b"secret prompt", next_cursor=None)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_name("manifest.json").stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in list(path.parents)[:4]} == {0o750}


@pytest.mark.parametrize("project_id", ["../../etc", ".loaded", "a/b", "..", "ação", "a\x00b", "con space"])
def test_any_project_id_stays_inside_the_folder(tmp_path: Path, project_id: str) -> None:
    landing = Landing(tmp_path / "landing")
    land(landing, slice_of(project_id=project_id), b"x")
    [landed] = landing.pending()
    assert landed.slice.project_id == project_id
    assert landed.paths[0].resolve().is_relative_to((tmp_path / "landing").resolve())
    landing.mark_loaded([landed.slice], "run-1")
    assert len(landing.loaded("run-1")) == 1


def test_a_disk_that_refuses_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file where the folder should be")
    with pytest.raises(WarehouseError, match=r"landing.*can't be written: File exists") as caught:
        Landing(tmp_path / "landing").write_page(slice_of(), 1, b"x", next_cursor=None)
    assert "nothing that was landed is lost" in caught.value.hint


class Killed(BaseException):
    """Stands for a process that ends between two steps."""


@settings(max_examples=60, deadline=None)
@given(kills=st.lists(st.integers(0, 6), max_size=5), pages=st.integers(1, 6))
def test_a_reading_that_is_killed_anywhere_ends_the_same(
    tmp_path_factory: pytest.TempPathFactory, kills: list[int], pages: int
) -> None:
    root = tmp_path_factory.mktemp("landing")
    bodies = [f"page {page}".encode() * page for page in range(1, pages + 1)]

    def read_on(steps: int | None) -> None:
        """Go on where the folder says, and be killed before the given rename."""
        landing = Landing(root)
        progress = landing.progress(slice_of())
        with pytest.MonkeyPatch.context() as patch:
            if steps is not None:
                patch.setattr(Path, "replace", killing(steps))
            for page in range(progress.pages + 1, pages + 1):
                landing.write_page(slice_of(), page, bodies[page - 1], next_cursor=str(page))
            landing.complete(slice_of(), read_at=LATER)

    for steps in kills:
        try:
            read_on(steps)
        except Killed:
            continue
    read_on(None)
    [landed] = Landing(root).pending()
    assert [path.read_bytes() for path in landed.paths] == bodies


def killing(steps: int) -> object:
    replace = Path.replace
    left = [steps]

    def replace_or_die(self: Path, target: Path) -> Path:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return replace(self, target)

    return replace_or_die

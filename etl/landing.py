"""Page bodies on disk exactly as received, and how far each slice has been read.

Land first: a page is written down before anything interprets it, so that a crash or a bug costs no second download
and a page that can't be read is kept as evidence. The folder describes itself; nothing else has to survive.

    landing/<project>/<entity>/<slice key>/          read, or being read
        000001.json 000002.json ...                  bodies, numbered from 1 in the order of reading
        manifest.json                                how many of them count, where to go on, whether that was all
    landing/.loaded/<run id>/<project>/<entity>/...  the same folders, moved here once a published run holds their rows

A body counts once the manifest says so: a crash between the two leaves a file that the next page overwrites. Both are
written under another name and renamed. A reading whose files were lost (a power cut, a tidy colleague) starts over.
Different slices may be written from different threads.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from etl.errors import WarehouseError

MANIFEST = "manifest.json"
LOADED = ".loaded"


def utc_now() -> datetime:
    """The time, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Slice:
    """One unit of reading: an entity's rows whose own time is in [start, end), naive UTC.

    Attributes:
        entity: observations, traces, scores, sessions, models, score_configs or projects.
        family: modern or legacy, the routes it is read from.
    """

    project_id: str
    entity: str
    family: str
    start: datetime
    end: datetime

    @property
    def key(self) -> str:
        """Stable text, unique within project and entity, fit as the name of a folder."""
        return f"{_stamp(self.start)}-{_stamp(self.end)}-{self.family}"


@dataclass(frozen=True)
class SliceProgress:
    """How far a slice has been read.

    Attributes:
        pages: how many bodies are landed.
        next_cursor: what to ask for next; None when nothing is landed or nothing is left.
        begun_at: when the first of them was written, naive UTC.
    """

    pages: int = 0
    next_cursor: str | None = None
    is_complete: bool = False
    begun_at: datetime | None = None


@dataclass(frozen=True)
class LandedSlice:
    """A slice that has been read to its end: the bodies in their order, and when the last one was received."""

    slice: Slice
    paths: tuple[Path, ...]
    read_at: datetime


@dataclass(frozen=True)
class _Manifest:
    slice: Slice
    sizes: tuple[int, ...]
    next_cursor: str | None
    begun_at: datetime
    read_at: datetime | None

    def paths(self, folder: Path) -> tuple[Path, ...]:
        return tuple(_page_path(folder, page) for page in range(1, len(self.sizes) + 1))


class Landing:
    """The landing folder.

    Args:
        root: made on the first write.
        clock: naive UTC.
    """

    def __init__(self, root: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.root = root
        self.clock = clock

    def write_page(self, slice_: Slice, page: int, body: bytes, *, next_cursor: str | None) -> Path:
        """Keep a page. Writing a page again drops those behind it.

        Args:
            slice_: what the page is a part of.
            page: 1-based; at most one more than what is landed.
            body: as received.
            next_cursor: what the following request has to send, whatever the style of paging; None after the last.

        Raises:
            ValueError: a page before this one is missing.
            WarehouseError: the disk refused.
        """
        folder = self._folder(slice_)
        before = _read_manifest(folder, is_checked=False)  # checked when a slice is begun or loaded; here it adds up
        sizes = before.sizes if before else ()
        if not 1 <= page <= len(sizes) + 1:
            raise ValueError(f"page {page} of {slice_.key} after {len(sizes)} pages")
        path = _page_path(folder, page)
        with _explained(folder):
            _make_folder(folder)
            _write(path, body)
            begun_at = before.begun_at if before and page > 1 else self.clock()
            _write_manifest(
                folder, _Manifest(slice_, (*sizes[: page - 1], len(body)), next_cursor, begun_at, read_at=None)
            )
        return path

    def complete(self, slice_: Slice, *, read_at: datetime) -> None:
        """Mark a slice as wholly read.

        Args:
            slice_: it may have no page at all.
            read_at: when its last page was received, naive UTC; slices are loaded in this order.

        Raises:
            WarehouseError: the disk refused.
        """
        folder = self._folder(slice_)
        before = _read_manifest(folder) or _Manifest(slice_, (), None, read_at, None)
        with _explained(folder):
            _make_folder(folder)
            _write_manifest(folder, _Manifest(slice_, before.sizes, None, before.begun_at, read_at))

    def progress(self, slice_: Slice) -> SliceProgress:
        """How far a slice is; after it has been loaded it counts as unread again."""
        manifest = _read_manifest(self._folder(slice_))
        if manifest is None:
            return SliceProgress()
        return SliceProgress(
            pages=len(manifest.sizes),
            next_cursor=manifest.next_cursor,
            is_complete=manifest.read_at is not None,
            begun_at=manifest.begun_at,
        )

    def paths(self, slice_: Slice) -> tuple[Path, ...]:
        """The landed bodies of a slice, complete or not, in the order of reading."""
        folder = self._folder(slice_)
        manifest = _read_manifest(folder)
        return manifest.paths(folder) if manifest else ()

    def pending(self) -> list[LandedSlice]:
        """Slices that are wholly read and not loaded yet, in the order of reading."""
        return _in_order(self._manifests(self.root))

    def unfinished(self) -> list[Slice]:
        """Slices that were begun and have not been read to their end, newest first."""
        begun = [manifest.slice for _, manifest in self._manifests(self.root) if manifest.read_at is None]
        return sorted(begun, key=lambda slice_: (slice_.end, slice_.entity, slice_.project_id), reverse=True)

    def discard(self, slice_: Slice) -> None:
        """Forget what is landed of a slice, because it is going to be read in other pieces."""
        shutil.rmtree(self._folder(slice_), ignore_errors=True)

    def mark_loaded(self, slices: Iterable[Slice], run_id: str) -> None:
        """Put slices aside whose rows a published snapshot holds.

        Each folder moves in one step: what a crash leaves behind is pending still, and loading it again changes
        nothing.

        Raises:
            WarehouseError: the disk refused.
        """
        run_folder = self._run_folder(run_id)
        newest: datetime | None = None
        for slice_ in slices:
            folder = self._folder(slice_)
            manifest = _read_manifest(folder)
            if manifest is None:
                continue
            read_at = manifest.read_at or manifest.begun_at
            newest = max(newest or read_at, read_at)
            with _explained(folder):
                target = run_folder / folder.relative_to(self.root)
                while target.exists():  # read twice in one run
                    target = target.with_name(f"{target.name}+")
                _make_folder(target.parent)
                folder.rename(target)
        if newest is not None:
            seconds = newest.replace(tzinfo=UTC).timestamp()
            os.utime(run_folder, (seconds, seconds))

    def loaded(self, run_id: str) -> list[LandedSlice]:
        """What a published run has loaded, in the order of reading, as far as it has not been cleaned away."""
        return _in_order(self._manifests(self._run_folder(run_id)))

    def clean(self, now: datetime, keep_days: float, keep_bytes: float) -> int:
        """Delete loaded bodies that are too old or too many, whole runs at a time, oldest first.

        What is not loaded yet is never deleted, but for slices without a manifest: a kill left those before anything
        of them counted. Call it when nothing is being read.

        Args:
            now: naive UTC.
            keep_days: age of a run's last page.
            keep_bytes: of all loaded bodies together.

        Returns:
            The bytes deleted.
        """
        for folder in self.root.glob("[!.]*/*/*"):
            if _read_manifest(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)
        runs = self.root / LOADED
        folders = [path for path in runs.iterdir() if path.is_dir()] if runs.is_dir() else []
        sizes = {folder: _bytes_below(folder) for folder in folders}
        oldest_kept = (now - timedelta(days=keep_days)).replace(tzinfo=UTC).timestamp()
        total = sum(sizes.values())
        deleted = 0
        for folder in sorted(folders, key=lambda path: (path.stat().st_mtime, path.name)):
            if folder.stat().st_mtime >= oldest_kept and total - deleted <= keep_bytes:
                break
            shutil.rmtree(folder, ignore_errors=True)
            deleted += sizes[folder]
        return deleted

    def _folder(self, slice_: Slice) -> Path:
        return self.root / _folder_name(slice_.project_id) / _folder_name(slice_.entity) / slice_.key

    def _run_folder(self, run_id: str) -> Path:
        return self.root / LOADED / _folder_name(run_id)

    @staticmethod
    def _manifests(root: Path) -> Iterator[tuple[Path, _Manifest]]:
        for path in sorted(root.glob(f"[!.]*/*/*/{MANIFEST}")):
            manifest = _read_manifest(path.parent)
            if manifest is not None:
                yield path.parent, manifest


def _in_order(manifests: Iterable[tuple[Path, _Manifest]]) -> list[LandedSlice]:
    complete = [
        LandedSlice(manifest.slice, manifest.paths(folder), manifest.read_at)
        for folder, manifest in manifests
        if manifest.read_at is not None
    ]
    return sorted(complete, key=lambda landed: (landed.read_at, landed.slice.entity, landed.slice.key))


def _page_path(folder: Path, page: int) -> Path:
    return folder / f"{page:06d}.json"


def _read_manifest(folder: Path, *, is_checked: bool = True) -> _Manifest | None:
    """What counts in a folder; None when there is nothing, or not what was written down."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        named = content["slice"]
        manifest = _Manifest(
            slice=Slice(
                project_id=named["project_id"],
                entity=named["entity"],
                family=named["family"],
                start=datetime.fromisoformat(named["start"]),
                end=datetime.fromisoformat(named["end"]),
            ),
            sizes=tuple(content["sizes"]),
            next_cursor=content["next_cursor"],
            begun_at=datetime.fromisoformat(content["begun_at"]),
            read_at=datetime.fromisoformat(content["read_at"]) if content["read_at"] else None,
        )
        if is_checked and any(
            path.stat().st_size != size for path, size in zip(manifest.paths(folder), manifest.sizes, strict=True)
        ):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest


def _write_manifest(folder: Path, manifest: _Manifest) -> None:
    slice_ = manifest.slice
    content = {
        "slice": {
            "project_id": slice_.project_id,
            "entity": slice_.entity,
            "family": slice_.family,
            "start": slice_.start.isoformat(),
            "end": slice_.end.isoformat(),
        },
        "sizes": manifest.sizes,
        "next_cursor": manifest.next_cursor,
        "begun_at": manifest.begun_at.isoformat(),
        "read_at": manifest.read_at.isoformat() if manifest.read_at else None,
    }
    _write(folder / MANIFEST, json.dumps(content).encode())


def _write(path: Path, content: bytes) -> None:
    # Not fsynced: a killed process loses nothing, and after a power cut the sizes in the manifest tell.
    unfinished = path.with_name(f".{path.name}.part")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - a mode is needed
        file.write(content)
    unfinished.replace(path)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o750, exist_ok=True)


def _folder_name(text: str) -> str:
    """Any id as one harmless path component that doesn't start with a dot."""
    return quote(text, safe="").replace(".", "%2E")


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}"


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WarehouseError(
            f"The landing folder {folder} can't be written: {error.strerror or error}",
            hint="Make room or give yourself the right, then run again; nothing that was landed is lost",
        ) from error

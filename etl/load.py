"""Landed pages into raw tables: typed in bulk, de-duplicated, the newer version of a row wins.

DuckDB reads the bodies and types the records; Python sees pages, batches and counts. Loading the same pages again
changes nothing, whatever the overlap. A record that can't be stored goes to the quarantine and the rest of its page
loads. Knows nothing of the API's routes, of watermarks or of publishing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from itertools import groupby
from pathlib import Path

import duckdb

from etl.landing import LandedSlice
from etl.load_fields import KNOWN_FIELDS
from etl.redaction import Redactor

BATCH_BYTES = 32_000_000  # of page bodies at a time; peak memory is a few times this


@dataclass(frozen=True)
class Target:
    """Where an entity's records go: ``raw.<table>``, and the statement that types them."""

    table: str
    statement: str


TARGETS: Mapping[tuple[str, str], Target] = {
    ("observations", "modern"): Target("observations", "type_observations_modern"),
    ("observations", "legacy"): Target("observations", "type_observations_legacy"),
    ("traces", "legacy"): Target("observations", "type_traces_legacy"),
    **{
        (name, family): Target(name, f"type_{name}")
        for name in (
            *("scores", "sessions", "models", "score_configs", "projects"),
            *("datasets", "dataset_items", "experiments"),
        )
        for family in ("modern", "legacy")
    },
}
"""By (entity, family) of a slice."""

REFERENCES = frozenset({"models", "score_configs", "datasets", "dataset_items", "experiments"})
"""Lists that are read whole: what a new reading leaves out is gone."""


@dataclass
class Counts:
    """What became of the records of one entity in one run.

    ``fetched`` is the sum of the others except ``deleted``. A record that was in the quarantine before, and a second
    version of a row in the same run, count as unchanged.
    """

    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined: int = 0
    deleted: int = 0

    @property
    def has_changes(self) -> bool:
        """Whether the warehouse is different for it."""
        return bool(self.inserted or self.updated or self.quarantined or self.deleted)


@dataclass(frozen=True)
class _Batch:
    """Pages of one project, entity and family, in the order of reading."""

    project_id: str
    entity: str
    family: str
    paths: tuple[Path, ...]


@dataclass
class Loader:
    """One run's load. Afterwards the connection holds ``touched_traces`` and ``touched_sessions``.

    Attributes:
        connection: the warehouse is in use on it; it may be read-only until ``before_write`` was called.
        run_id: recorded with every row that is written.
        now: naive UTC, recorded with the quarantine.
        base_urls: project id -> server, stored with the project.
        before_write: called before each change to the warehouse.
        payloads: input and output of observations are stored as well.
        max_payload_kb: longer inputs and outputs are cut, with a mark that says so; 0: none is.
        redactor: takes personal data out of what is stored and of the quarantine.
        counts: by entity.
    """

    connection: duckdb.DuckDBPyConnection
    run_id: str
    now: datetime
    base_urls: Mapping[str, str] = field(default_factory=dict)
    before_write: Callable[[], None] = lambda: None
    payloads: bool = True
    redactor: Redactor | None = None
    max_payload_kb: int = 0
    counts: dict[str, Counts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connection.execute(_statement("prepare"))
        if self.redactor is not None:
            self.redactor.prepare(self.connection)

    @property
    def has_changes(self) -> bool:
        """Whether anything was written."""
        return any(counts.has_changes for counts in self.counts.values())

    def load(self, landed: Iterable[LandedSlice]) -> None:
        """Load slices in the order of their reading. Call it with later readings later: a tie goes to them.

        Raises:
            duckdb.Error: the disk or the memory refused.
        """
        ordered = sorted(landed, key=_loading_order)
        for batch in _batches(ordered):
            self._load_batch(batch)

    def new_fields(self) -> list[str]:
        """One line per entity whose records had fields for the first time that this version doesn't know."""
        query = "select entity, list(distinct field order by field) from meta.unknown_fields where first_run_id = $1"
        found = self.connection.execute(f"{query} group by entity order by entity", [self.run_id]).fetchall()
        return [f"{entity} have fields that are new here and not stored: {', '.join(names)}" for entity, names in found]

    def _load_batch(self, batch: _Batch) -> None:
        target = TARGETS[batch.entity, batch.family]
        run = self.connection.execute
        run("delete from this_load")
        described = [self.run_id, self.now, batch.project_id, batch.entity, batch.family]
        base_url = self.base_urls.get(batch.project_id)
        run("insert into this_load values (?, ?, ?, ?, ?, ?)", [*described, base_url])
        run("delete from rejected")
        unreadable = self._read_records(batch.paths)
        columns = "0::bigint as read_rank, null::varchar as problem, * exclude (run_id)"
        run(f"create or replace temp table incoming as select {columns} from raw.{target.table} limit 0")  # noqa: S608 - declared names
        run("alter table incoming drop column if exists deleted_at")
        run(f"insert into incoming by name {_statement(target.statement)}")
        if target.table == "observations" and not self.payloads:
            run("update incoming set input = null, output = null")
        run(_statement("reject"))
        if self.redactor is not None:
            self.redactor.apply(self.connection, target.table)
            self.redactor.apply_to_rejected(self.connection)
        if target.table == "observations" and self.payloads and self.max_payload_kb:
            # Only now: half an address would match no pattern, and a cut document has no paths.
            run(_statement("cut_payloads"), {"most": self.max_payload_kb * 1000})
        run(_statement(f"plan_{target.table}"))
        run(_statement("unknown_fields_now"), {"known": sorted(KNOWN_FIELDS[batch.entity])})
        run(_statement("rejected_now"))
        found = self._count(batch, unreadable)
        if found.has_changes:
            self.before_write()
            self._apply(target)

    def _apply(self, target: Target) -> None:
        run = self.connection.execute
        run("begin")
        try:
            run(_statement(f"apply_{target.table}"))
            run(_statement("keep_unknown_fields"))
            run("insert into meta.quarantine by name from newly_rejected")
        except BaseException:
            run("rollback")
            raise
        run("commit")

    def _read_records(self, paths: Sequence[Path]) -> int:
        """Fill ``records`` from the pages, mending what the engine refuses but a person would read.

        Returns:
            How many pages stay unreadable; they are in ``rejected``.
        """
        run = self.connection.execute
        run(_statement("read_pages"), {"paths": [str(path) for path in paths]})
        self._mend("select page from pages where body is null or contains(body, '\\u0000')", paths)
        run(_statement("split_records"))
        if not run(_statement("silent_pages")).fetchall():
            return 0
        # Half a surrogate pair makes a whole page unreadable to the engine; it is looked for only then.
        self._mend(f"select page from ({_statement('silent_pages')})", paths)  # noqa: S608 - our own file
        run(_statement("split_records"))
        unreadable = run(_statement("silent_pages")).fetchall()
        for page, reason in unreadable:
            run("insert into rejected select ?, body from pages where page = ?", [reason, page])
        return len(unreadable)

    def _mend(self, query: str, paths: Sequence[Path]) -> None:
        for (page,) in self.connection.execute(query).fetchall():
            text = readable(paths[page - 1].read_bytes())
            self.connection.execute("update pages set body = ? where page = ?", [text, page])

    def _count(self, batch: _Batch, unreadable: int) -> Counts:
        run = self.connection.execute
        actions = dict(run("select action, count(*) from planned group by action").fetchall())
        [(records,)] = run("select count(*) from records").fetchall()
        [(quarantined,)] = run("select count(*) from newly_rejected").fetchall()
        found = Counts(
            fetched=records + unreadable,
            inserted=actions.get("insert", 0),
            updated=actions.get("replace", 0) + actions.get("return", 0),
            quarantined=quarantined,
            deleted=actions.get("delete", 0),
        )
        found.unchanged = found.fetched - found.inserted - found.updated - found.quarantined
        total = self.counts.setdefault(batch.entity, Counts())
        for name, value in vars(found).items():
            setattr(total, name, getattr(total, name) + value)
        return found


def readable(body: bytes) -> str:
    """A page's text without what JSON allows and a database doesn't: null characters, halves of surrogate pairs.

    Bytes that are not UTF-8 become the replacement character.
    """
    text = body.decode("utf-8", errors="replace").replace("\x00", "")
    return _ESCAPES.sub(_mended_escape, text)


_ESCAPES = re.compile(
    r"\\\\"  # an escaped backslash: what follows it is no escape
    r"|\\u0000"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"  # half of one
)
_PAIR_LENGTH = len("\\ud83d\\ude00")


def _mended_escape(match: re.Match[str]) -> str:
    found = match.group()
    if found == r"\\" or len(found) == _PAIR_LENGTH:
        return found
    return "" if found == r"\u0000" else "\ufffd"


def _loading_order(landed: LandedSlice) -> tuple[str, str, str, datetime, str]:
    """Like with like, in the order of reading; where both families hold a row, the modern one is the later server's."""
    return landed.slice.project_id, landed.slice.family, landed.slice.entity, landed.read_at, landed.slice.key


def _batches(ordered: Iterable[LandedSlice]) -> Iterator[_Batch]:
    """Pages that can be loaded together, at most ``BATCH_BYTES`` of them unless one alone is larger."""
    by_kind = groupby(ordered, key=lambda each: (each.slice.project_id, each.slice.entity, each.slice.family))
    for (project_id, entity, family), group in by_kind:
        if entity in REFERENCES:
            yield from (_Batch(project_id, entity, family, each.paths) for each in group if each.paths)
            continue
        paths: list[Path] = []
        size = 0
        for path in (path for each in group for path in each.paths):
            page_size = path.stat().st_size
            if paths and size + page_size > BATCH_BYTES:
                yield _Batch(project_id, entity, family, tuple(paths))
                paths, size = [], 0
            paths.append(path)
            size += page_size
        if paths:
            yield _Batch(project_id, entity, family, tuple(paths))


@functools.cache
def _statement(name: str) -> str:
    return (resources.files("etl.load_sql") / f"{name}.sql").read_text(encoding="utf-8")

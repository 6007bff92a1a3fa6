"""One sync run: detect, plan, fetch, load, model, check, publish.

Pages are landed before anything interprets them, and loading goes on while others are fetched. Everything is built
beside the published snapshot, which is replaced in one step at the end, and only if something changed. So a run that
ends anywhere leaves either the old snapshot or the new one, and what it landed is loaded by the next.

    lock ─► detect ─► plan ─► fetch ─► load ─► model ─► check ─► publish ─► remember
                               └── landing/ ──┘          in the snapshot: rows, watermarks, as_of
"""

from __future__ import annotations

import contextlib
import functools
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from etl import deletions
from etl.checks import run_checks
from etl.errors import ApiError, AuthError, ConfigError, Interrupted, TracehouseError
from etl.fetch import Source
from etl.landing import Landing
from etl.langfuse.capabilities import Capabilities, detect
from etl.langfuse.client import Client
from etl.load import Counts, Loader
from etl.lock import hold
from etl.logs import log_to_file
from etl.outside import Outside
from etl.planning import ALL_ENTITIES, Key, Memory, ProjectPlan, plan_project
from etl.progress import Progress
from etl.reading import Reading, interrupted
from etl.redaction import Redactor, remember_rules, rules_changed
from etl.report import Status, SyncOptions, SyncReport
from etl.reread import Rereading, held_rows, looked_back
from etl.settings import Credentials, Settings
from etl.state import Checked, Missing, Run, State
from etl.totals import shortfalls
from etl.transform import outdated_parts, transform
from etl.warehouse.snapshots import Build, Warehouse, open_reader
from etl.warehouse.spare import record_publication
from etl.watermarks import Advance, Base, read_base

__all__ = ["SyncOptions", "SyncReport", "sync"]

LOG = logging.getLogger(__name__)
GIGABYTE = 1e9


def sync(
    settings: Settings,
    *,
    now: datetime,
    options: SyncOptions,
    progress: Progress,
    stop: threading.Event,
    outside: Outside | None = None,
) -> SyncReport:
    """Read what is new of every configured project, and publish it.

    Args:
        settings: places, keys and definitions.
        now: naive UTC; what starts later is left for the next run.
        options: what is asked of this run.
        progress: is told about the work.
        stop: ends the run after the pages in flight; its ``signal_number`` (default SIGTERM) becomes the exit code.
        outside: replaces the network and the time in tests.

    Raises:
        Locked: another run is at work.
        ConfigError: a key is missing, an entity unknown, or generated data would mix with real data.
        AuthError: keys were refused.
        ApiError: nothing at all could be read.
        WarehouseError: the disk refused; what is published stays as it is.
        Interrupted: ``stop`` was set.
    """
    credentials = settings.credentials()
    _check_entities(options.entities)
    redactor = Redactor.of(settings)
    run_id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    with contextlib.ExitStack() as stack:
        if not options.dry_run:
            stack.enter_context(hold(settings.lock_path, run_id=run_id, now=now))
            stack.enter_context(log_to_file(settings.home))
        state = State(settings.state_path)
        stack.callback(state.close)
        if state.warning:
            progress.warn(state.warning)
        outside = outside or Outside()
        run = _Sync(settings, credentials, state, now, options, progress, stop, run_id, redactor, outside)
        return run.plan_only() if options.dry_run else run.recorded()


def _check_entities(entities: tuple[str, ...] | None) -> None:
    unknown = [name for name in entities or () if name not in ALL_ENTITIES]
    if unknown:
        raise ConfigError(f"{unknown[0]!r} is not an entity", hint=f"Choose among {', '.join(ALL_ENTITIES)}")


class _Sync:
    """One run."""

    def __init__(
        self,
        settings: Settings,
        credentials: tuple[Credentials, ...],
        state: State,
        now: datetime,
        options: SyncOptions,
        progress: Progress,
        stop: threading.Event,
        run_id: str,
        redactor: Redactor | None,
        outside: Outside,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._state = state
        self._now = now
        self._options = options
        self._progress = progress
        self._stop = stop
        self._redactor = redactor
        self._warehouse = Warehouse(settings.warehouse)
        self._outside = outside
        self._landing = Landing(settings.landing, clock=outside.today)
        self._clients: list[Client] = []
        self._errors: list[ApiError] = []
        sync = settings.definitions.sync
        self._reading = Reading(self._landing, sync, progress, stop, self._clients, self._errors)
        self._base: Base | None = None
        self._starts_empty = False
        self._looked_back: list[Key] = []
        self._missing: list[Missing] | None = None
        self._began = time.monotonic()
        self.report = SyncReport(run_id=run_id)

    def recorded(self) -> SyncReport:
        """The run, with its end in the state whichever way it ends."""
        self._state.begin(Run(self.report.run_id, self._now))
        try:
            checked = self._work()
        except TracehouseError as error:
            self._remember("interrupted" if isinstance(error, Interrupted) else "failed", [], error)
            raise
        self._remember(self.report.status, checked, self.report.error)
        self._state.remember_looks(looked_back=self._looked_back, now=self._now, missing=self._missing)
        return self.report

    def plan_only(self) -> SyncReport:
        """What the run would read."""
        with self._open_sources() as sources:
            slices = [task.slice for plan in self._plans(sources) for task in (*plan.tasks, *plan.light_tasks)]
        self._raise_if_nothing(bool(slices))
        self.report.planned = [
            f"{each.project_id} {each.entity} {each.start.isoformat()}Z to {each.end.isoformat()}Z" for each in slices
        ]
        self._finish_report("planned")
        return self.report

    def _work(self) -> list[Checked]:
        self._stage("detect")
        with self._open_sources() as sources:
            self._stage("plan")
            plans = self._plans(sources)
            urls = {source.project_id: source.client.base_url for source in sources}
            memory_mb = self._settings.definitions.sync.memory_mb
            with self._warehouse.building(now=self._now, from_empty=self._starts_empty, memory_mb=memory_mb) as build:
                loader = Loader(
                    build.connection,
                    self.report.run_id,
                    self._now,
                    base_urls=urls,
                    before_write=build.make_writable,
                    payloads=self._settings.definitions.sync.payloads,
                    redactor=self._redactor,
                    max_payload_kb=self._settings.definitions.sync.max_payload_kb,
                )
                self._tighten(build)
                self.report.entities = loader.counts
                for entity in (each.entity for plan in plans for each in plan.entities):
                    loader.counts.setdefault(entity, Counts())
                rereading = Rereading(build.connection, self._now)
                self._stage("fetch")
                self._reading.run(plans, loader, rereading)
                self._next("load")
                self._reading.load_rest(plans, loader)
                self._raise_if_nothing(bool(self._reading.loaded))
                self._settle(plans, loader, rereading)
                advance = Advance(plans, self._reading.loaded)
                is_published = self._publish(build, loader, advance)
                self.report.warnings += rereading.warnings
            self._stage("finish")
            self._put_landing_aside()
            self._finish_report("done" if is_published else "unchanged")
        if is_published:
            return advance.checked(self.report.run_id)
        return advance.checked(self._base.run_id) if self._base else []

    @contextlib.contextmanager
    def _open_sources(self) -> Iterator[list[Source]]:
        """Every project that answers; one that doesn't is an error of its own while others do."""
        current = self._warehouse.current()
        self._base = read_base(current.path) if current else None
        self._starts_empty = self._begins_anew()
        limiter = self._outside.limiter()
        with contextlib.ExitStack() as stack:
            sources = []
            for credentials in self._credentials:
                timeout_s = self._settings.definitions.sync.timeout_seconds
                client = self._outside.client(credentials, limiter=limiter, timeout_s=timeout_s, stop=self._stop)
                stack.enter_context(client)
                self._clients.append(client)
                try:
                    sources.append(Source(credentials.project_name, client, self._detect(credentials, client)))
                except ApiError as error:
                    LOG.warning("project=%s error=%s", credentials.project_name, error)
                    self._errors.append(error)
                except Interrupted as error:
                    raise interrupted(self._stop) from error
            if not sources:
                raise self._errors[0]
            versions = {f"{each.capabilities.family} {each.capabilities.version}".strip() for each in sources}
            self.report.generation = ", ".join(sorted(versions))
            yield sources

    def _detect(self, credentials: Credentials, client: Client) -> Capabilities:
        place = f"{credentials.project_name} {credentials.base_url}"
        found = detect(client, previous=self._state.capabilities(place))
        self._state.remember_capabilities(place, found)
        return found

    def _begins_anew(self) -> bool:
        """Whether what is published is left out: generated data never mixes with real data."""
        base, options = self._base, self._options
        if base is None:
            return False
        if options.is_demo and not base.is_demo:
            raise ConfigError(
                f"{self._settings.warehouse} holds synced data, which the demo would mix with generated data",
                hint="Give the demo a place of its own: TRACEHOUSE_HOME=~/.tracehouse-demo tracehouse demo",
            )
        if base.is_demo and not options.is_demo:
            self._progress.note("The warehouse holds the demo's data; it is replaced by this project's")
            return True
        return options.is_demo and options.full

    def _plans(self, sources: list[Source]) -> list[ProjectPlan]:
        with contextlib.ExitStack() as stack:
            return self._planned(sources, self._memory(stack))

    def _memory(self, stack: contextlib.ExitStack) -> Memory:
        current = self._warehouse.current()
        if current is None or self._base is None or self._starts_empty:
            return Memory()
        reader = stack.enter_context(contextlib.closing(open_reader(current.path)))
        return Memory(
            watermarks=self._watermarks(self._base),
            looked_back=self._state.looked_back(),
            missing=self._state.missing(),
            held=functools.partial(held_rows, reader),
        )

    def _planned(self, sources: list[Source], memory: Memory) -> list[ProjectPlan]:
        plans = []
        for source in sources:
            try:
                plan = plan_project(
                    source,
                    now=self._now,
                    options=self._options,
                    settings=self._settings.definitions.sync,
                    landing=self._landing,
                    memory=memory,
                    progress=self._progress,
                )
            except Interrupted as error:
                raise interrupted(self._stop) from error
            except ApiError as error:
                self._errors.append(error)
                continue
            plans.append(plan)
        return plans

    def _watermarks(self, base: Base) -> dict[tuple[str, str], datetime]:
        """How far each entity is read: as the snapshot says, or further where later runs found nothing new."""
        known = dict(base.watermarks)
        for checked in self._state.checked():
            key = (checked.project_id, checked.entity)
            if checked.base_run_id == base.run_id and key in known:
                known[key] = max(known[key], checked.until)
        return known

    def _settle(self, plans: list[ProjectPlan], loader: Loader, rereading: Rereading) -> None:
        """Judge what was missing, and hold a first reading against the server's totals."""
        if not self._options.is_demo:
            deletions.begin(loader.connection, self._state.missing())
            self._missing = deletions.settle(loader)
        self._looked_back = looked_back(plans, self._reading.loaded, rereading)
        if not self._errors:
            try:
                rereading.warnings += shortfalls(plans, loader.counts)
            except Interrupted as error:
                raise interrupted(self._stop) from error

    def _publish(self, build: Build, loader: Loader, advance: Advance) -> bool:
        """Finish the build and swap it in; nothing of that when nothing changed, rows or rules."""
        definitions, report = self._settings.definitions, self.report
        if not loader.has_changes and not build.is_writable and not outdated_parts(build.connection, definitions):
            report.snapshot = build.base.number if build.base else None
            return False
        build.make_writable()
        as_of = advance.write(build.connection, run_id=report.run_id, now=self._now, is_demo=self._options.is_demo)
        self._next("model")
        modelled = transform(build.connection, definitions, as_of)
        report.notes += [str(modelled)] if modelled.changed else []
        record_publication(
            build.connection,
            run_id=report.run_id,
            base_run_id=self._base.run_id if self._base else None,
            is_full=modelled.is_full,
        )
        self._next("check")
        failures = [str(failure) for failure in run_checks(build.connection)]
        report.warnings += [*failures, *loader.new_fields()]
        report.is_suspicious = bool(failures) or any(each.quarantined for each in loader.counts.values())
        self._next("publish")
        report.snapshot = build.publish().number
        return True

    def _tighten(self, build: Build) -> None:
        """Apply rules of redaction that are new to what is stored already."""
        names = self._redactor.names if self._redactor else set()
        added, dropped = rules_changed(build.connection, names)
        if any(not rule.startswith("key:") for rule in dropped):
            self.report.warnings.append(
                "[redact] lets more through than before: what was redacted stays so until `tracehouse sync --full`"
            )
        elif dropped:
            self.report.warnings.append(
                "[redact] has another key: ids hashed before are not those hashed now until `tracehouse sync --full`"
            )
        if not added and not dropped:
            return
        build.make_writable()
        if added and self._redactor is not None and build.base is not None:
            self._redactor.prepare(build.connection)
            rows = self._redactor.rewrite_stored(build.connection, self.report.run_id)
            self._progress.note(f"[redact] changed: {rows:,} stored rows were redacted again")
            build.is_secret = True
        remember_rules(build.connection, names)

    def _put_landing_aside(self) -> None:
        """Keep what was loaded for its days; of a project with redaction nothing stays."""
        sync = self._settings.definitions.sync
        if self._redactor is None:
            self._landing.mark_loaded(self._reading.loaded, self.report.run_id)
            self._landing.clean(self._now, sync.landing_days, sync.landing_gigabytes * GIGABYTE)
            return
        for slice_ in self._reading.loaded:
            self._landing.discard(slice_)
        self._landing.clean(self._now, keep_days=0, keep_bytes=0)

    def _raise_if_nothing(self, has_something: bool) -> None:  # noqa: FBT001 - a private question with one answer
        """An error is raised when it left nothing to do, and reported otherwise; refused keys come first."""
        if not self._errors:
            return
        worst = next((error for error in self._errors if isinstance(error, AuthError)), self._errors[0])
        if not has_something:
            raise worst
        self.report.error = worst

    def _finish_report(self, status: Status) -> None:
        report = self.report
        report.status = status if report.error is None else "partial"
        counters = [client.counters for client in self._clients]
        report.requests = sum(each.requests for each in counters)
        report.retries = sum(each.retries for each in counters)
        report.rate_limit_wait_s = sum(each.rate_limit_wait_s for each in counters)
        report.duration_s = time.monotonic() - self._began

    def _remember(self, status: str, checked: list[Checked], error: TracehouseError | None) -> None:
        report = self.report
        seconds = time.monotonic() - self._began
        run = Run(
            run_id=report.run_id,
            started=self._now,
            finished=self._now + timedelta(seconds=seconds),
            status=status,
            counts=report.to_json()["entities"],
            requests=sum(client.counters.requests for client in self._clients),
            retries=sum(client.counters.retries for client in self._clients),
            rate_limit_wait_s=sum(client.counters.rate_limit_wait_s for client in self._clients),
            duration_s=seconds,
            snapshot=report.snapshot,
            error=str(error) if error else None,
        )
        self._state.finish(run, checked)
        LOG.info("run=%s status=%s seconds=%.1f snapshot=%s", run.run_id, status, seconds, run.snapshot)

    def _next(self, name: str) -> None:
        """Go on to a stage, unless a stop was asked for: what is landed is loaded by the next run."""
        if self._stop.is_set():
            raise interrupted(self._stop)
        self._stage(name)

    def _stage(self, name: str) -> None:
        LOG.info("run=%s stage=%s", self.report.run_id, name)
        self._progress.stage(name)

"""Turns raw rows into marts: runs the models in their declared order for what a run touched.

Work follows change. The load leaves the keys of changed traces and sessions behind; their rows are modelled again and
replace the old ones, everything else stays. A full rebuild of the same rows at the same time gives the same marts.
When something changes that every row may depend on (the models' text, a definition, the price list, the server's
model or score configurations) its fingerprint shows it, and everything is modelled again.

Knows nothing of the API, of files or of publishing: it works on the connection it is given.
"""

from __future__ import annotations

import hashlib
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.resources import files
from typing import Any, Literal

import duckdb

from etl import topics
from etl.errors import ConfigError
from etl.prices import list_version, store_prices
from etl.redaction import PATTERNS
from etl.settings import Definitions
from etl.warehouse.outcomes import scale_values, settings_values

Kind = Literal["script", "settings", "view", "temp", "parts", "prices", "topics", "mart"]


@dataclass(frozen=True)
class Model:
    """One SQL file and what becomes of its result.

    Attributes:
        path: file below ``etl/models``, without ``.sql``.
        kind: script = run as it is; settings = a table of this run, with bound values; temp = a table of this run;
            parts = the same, some thousand sessions at a time; prices = the same, after which unit prices are looked
            up; topics = the same, after which topics are fitted where that is due; view = a view of the warehouse;
            mart = rows of a mart, which replace those whose key is in ``scope`` (without a scope: all).
        scope: the table of this run that names the keys to replace.
    """

    path: str
    kind: Kind
    scope: str = ""

    @property
    def name(self) -> str:
        """The object that it makes, with its schema where that is not the run's own."""
        folder, name = self.path.split("/")
        return {"marts": f"marts.{name}", "staging": f"stg.{name.removeprefix('stg_')}"}.get(folder, name)

    @property
    def text(self) -> str:
        """The file's SQL."""
        return (files("etl.models") / f"{self.path}.sql").read_text(encoding="utf-8")


SCOPES = {
    "int_touched": ("project_id, trace_id", "replaced_traces"),
    "int_touched_sessions": ("project_id, session_id", "replaced_sessions"),
    "int_touched_scores": ("project_id, score_id", "replaced_scores"),
}
"""The tables that say what is replaced: their key columns, and where the keys of replaced rows are left behind."""

BASE = (
    Model("seeds/model_state", "script"),
    Model("seeds/macros", "script"),
    Model("seeds/error_macros", "script"),
    Model("seeds/count_macros", "script"),
    Model("seeds/message_macros", "script"),
    Model("seeds/topic_macros", "script"),
    Model("seeds/int_stop_words", "temp"),
    Model("seeds/usage_keys", "temp"),
    Model("seeds/int_settings", "settings"),
    Model("seeds/int_score_settings", "settings"),
    Model("seeds/int_price_overrides", "settings"),
    Model("seeds/int_recording_projects", "settings"),
    Model("seeds/int_step_rules", "settings"),
    Model("staging/stg_observations", "view"),
    Model("staging/stg_scores", "view"),
    Model("intermediate/int_score_scales", "temp"),
    Model("seeds/model_facts", "temp"),
)
"""What has to be known before it is clear how much must be modelled."""

CHANGED = "changed: "
"""How the reason begins when rules are others than those that the marts were built by."""

TOPIC_RULES = ("topic_macros", "int_stop_words")
"""The seeds by which words are told from one another: others make other topics."""

SESSIONS_AT_ONCE = 10_000
"""What a model of the kind ``parts`` takes at a time: its rows of so many sessions and 60 topics take about 60 MB."""

COMPARED = ("observations", "traces", "sessions")
"""The marts whose rows are compared then, with how they read before."""

EVERYTHING = Model("seeds/everything", "script")
TOUCHED = Model("seeds/touched", "script")
"""What is in scope: all of it, or what the load left behind."""

SESSION_MODELS = (
    Model("intermediate/int_session_traces", "temp"),
    Model("intermediate/int_questions", "temp"),
    Model("intermediate/int_user_messages", "temp"),
    Model("intermediate/int_session_texts", "topics"),
    Model("intermediate/int_session_terms", "temp"),
    Model("intermediate/int_session_topics", "parts"),
    Model("intermediate/int_session_satisfaction", "temp"),
    Model("intermediate/int_escalation_names", "temp"),
    Model("intermediate/int_signals", "temp"),
    Model("intermediate/int_unanswered_sessions", "temp"),
    Model("intermediate/int_endings", "temp"),
    Model("intermediate/int_outcomes", "temp"),
    Model("intermediate/int_step_names", "temp"),
    Model("intermediate/int_paths", "temp"),
    Model("marts/sessions", "mart", "int_touched_sessions"),
    Model("marts/topics", "mart"),
    Model("marts/session_topics", "mart", "int_touched_sessions"),
)
"""What is made of the touched sessions, once the traces and scores are modelled."""

MODELS = (
    Model("intermediate/int_touched", "temp"),
    Model("intermediate/int_spans", "temp"),
    Model("intermediate/int_parents", "temp"),
    Model("intermediate/int_roots", "temp"),
    Model("intermediate/int_trace_context", "temp"),
    Model("intermediate/int_trace_names", "temp"),
    Model("intermediate/int_models", "temp"),
    Model("intermediate/int_usage", "temp"),
    Model("intermediate/int_tokens", "temp"),
    Model("intermediate/int_reported_costs", "temp"),
    Model("intermediate/int_wrappers", "temp"),
    Model("intermediate/int_price_requests", "prices"),
    Model("intermediate/int_span_prices", "temp"),
    Model("intermediate/int_costs", "temp"),
    Model("intermediate/int_self_times", "temp"),
    Model("intermediate/int_errors", "temp"),
    Model("intermediate/int_error_groups", "temp"),
    Model("intermediate/int_metadata", "temp"),
    Model("marts/observations", "mart", "int_touched"),
    Model("intermediate/int_unanswered_errors", "temp"),
    Model("intermediate/int_traces", "temp"),
    Model("intermediate/int_touched_sessions", "temp"),
    Model("marts/traces", "mart", "int_touched"),
    Model("intermediate/int_touched_scores", "temp"),
    Model("marts/scores", "mart", "int_touched_scores"),
    *SESSION_MODELS,
    Model("intermediate/int_error_origins", "temp"),
    Model("intermediate/int_error_pace", "temp"),
    Model("intermediate/int_error_silences", "temp"),
    Model("marts/error_groups", "mart"),
    Model("marts/payloads", "view"),
)
"""Every other model, each after those it reads."""


@dataclass
class TransformReport:
    """What one transformation did.

    Attributes:
        reason: why everything was modelled again; empty when only what was touched.
        rows: rows written, by mart.
        changed: rows that read differently under changed rules, by mart; empty when the rules are the same.
        seconds: wall time, by model.
    """

    reason: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether everything was modelled again."""
        return bool(self.reason)

    def __str__(self) -> str:
        """What changed rules did, in one line; empty when they are the same."""
        if not self.changed:
            return ""
        counts = ", ".join(f"{rows:,} of {self.rows[f'marts.{mart}']:,} {mart}" for mart, rows in self.changed.items())
        return f"Everything was modelled again ({self.reason}): {counts} read differently"


def transform(
    connection: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    as_of: datetime,
    full: bool = False,  # noqa: FBT001, FBT002 - the one switch of the one entry point
) -> TransformReport:
    """Bring the marts up to the raw rows.

    The connection's current database holds raw.*; the temp tables ``touched_traces(project_id, trace_id)`` and
    ``touched_sessions(project_id, session_id)`` name what changed. Running it twice changes nothing.

    Args:
        connection: a connection that may write.
        definitions: outcome, flow, price and score settings.
        as_of: naive UTC; time-dependent columns (outcomes, states of error groups) are evaluated at it.
        full: model everything again, whatever is touched.

    Raises:
        ConfigError: the escalation pattern of the settings is no regular expression.
    """
    run = _Run(connection, definitions)
    report = TransformReport(reason="asked for" if full else "")
    for model in BASE:
        run.build(model, as_of, report)
    run.scope(report)
    for model in MODELS:
        run.build(model, as_of, report)
    run.place_anew(as_of, report)
    if report.reason.startswith(CHANGED):
        report.changed = run.changed_rows()
    run.remember()
    return report


def outdated_parts(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> list[str]:
    """Which rules have changed since the marts were built: a reason to transform although no row has changed.

    Only reads. Empty as well when nothing was built yet.
    """
    try:
        known = connection.execute("select part, fingerprint from meta.model_state").fetchall()
    except duckdb.CatalogException:
        return []
    facts = _Run(connection, definitions).code_facts()
    return [part for part, was in known if facts.get(part, was) != was]


class _Run:
    """One transformation on one connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> None:
        self._connection = connection
        self._definitions = definitions
        self._facts: dict[str, str] = {}
        self._is_fitted = False
        self._is_second_pass = False

    def build(self, model: Model, as_of: datetime, report: TransformReport) -> None:
        """Run one model as its kind says."""
        started = time.perf_counter()
        if model.kind == "script":
            self._connection.execute(model.text)
        elif model.kind == "view":
            self._connection.execute(f"create or replace view {model.name} as {model.text}")
        elif model.kind == "parts":
            self._build_in_parts(model)
        elif model.kind == "mart":
            report.rows[model.name] = self._replace_rows(model, is_full=report.is_full and not self._is_second_pass)
        else:
            values = self._settings(model, as_of) if model.kind == "settings" else None
            self._connection.execute(f"create or replace temp table {model.name} as {model.text}", values)
        if model.kind == "prices":
            store_prices(self._connection, self._definitions.price)
        if model.kind == "topics" and self._knows_all_sessions(report):
            self._fit_topics(as_of)
        report.seconds[model.path] = time.perf_counter() - started

    def _build_in_parts(self, model: Model) -> None:
        """Its rows are many more than its sources': the engine's memory holds those of so many sessions."""
        run = self._connection.execute
        parts = 1 + _count(run("select count(*) from int_session_texts")) // SESSIONS_AT_ONCE
        for part in range(parts):
            verb = f"insert into {model.name}" if part else f"create or replace temp table {model.name} as"
            run(f"{verb} {model.text}", {"part": part, "parts": parts})

    def _knows_all_sessions(self, report: TransformReport) -> bool:
        return report.is_full or self._is_second_pass

    def _fit_topics(self, as_of: datetime) -> None:
        if self._is_second_pass or topics.is_outgrown(self._connection, self._topic_rules()):
            topics.fit(self._connection, self._topic_rules(), as_of)
            self._is_fitted = True

    def place_anew(self, as_of: datetime, report: TransformReport) -> None:
        """Fit topics on all sessions where what was modelled shows that it is due, and model the sessions again."""
        if not self._is_fitted and topics.is_outdated(self._connection, self._topic_rules(), as_of):
            self._is_second_pass = True
            every = "select project_id, session_id from marts.sessions"
            self._connection.execute(f"create or replace temp table int_touched_sessions as {every}")
            for model in SESSION_MODELS:
                self.build(model, as_of, report)
        if self._is_fitted:
            topics.note_standing(self._connection, as_of)

    def _topic_rules(self) -> str:
        words = [(files("etl.models") / "seeds" / f"{name}.sql").read_text(encoding="utf-8") for name in TOPIC_RULES]
        return topics.rules_digest(*words, self._redaction_digest())

    def _settings(self, model: Model, as_of: datetime) -> dict[str, Any]:
        flow = self._definitions.flow
        if model.path.endswith("int_score_settings"):
            return scale_values(self._definitions)
        if model.path.endswith("int_price_overrides"):
            return {"models": [price.model for price in self._definitions.price]}
        if model.path.endswith("int_recording_projects"):
            return {"projects": self._recording_projects()}
        if model.path.endswith("int_step_rules"):
            return {
                "patterns": [*flow.rename, *flow.ignore],
                "names": [*flow.rename.values(), *(None for _ in flow.ignore)],
            }
        self._check_pattern(self._definitions.outcome.escalation_pattern)
        return settings_values(self._definitions, as_of)

    def _check_pattern(self, pattern: str) -> None:
        try:
            self._connection.execute("select regexp_matches('', $1)", [pattern]).fetchall()
        except duckdb.Error as error:
            raise ConfigError(
                f"[outcome] escalation_pattern is {pattern!r}, which is no regular expression: {error}",
                hint="The syntax is that of RE2: no look-around, no back-references",
            ) from error

    def _recording_projects(self) -> list[str]:
        """Projects with at least one output; asked one by one, so that each stops at its first."""
        projects = self._connection.execute("select distinct project_id from raw.observations order by 1").fetchall()
        first = "select 1 from raw.observations where project_id = $1 and output is not null limit 1"
        return [project for (project,) in projects if self._connection.execute(first, [project]).fetchall()]

    def scope(self, report: TransformReport) -> None:
        """Decide between what is touched and everything, and make ready for it."""
        run = self._connection.execute
        known = dict(run("select part, fingerprint from meta.model_state").fetchall())
        self._facts = {**self.code_facts(), **dict(run("select part, fingerprint from model_facts").fetchall())}
        changed = [part for part, was in known.items() if self._facts.get(part, was) != was]
        if not report.reason:
            report.reason = f"{CHANGED}{', '.join(changed)}" if changed else "" if known else "first run"
        if report.is_full:
            run(EVERYTHING.text)
            run("delete from meta.prices")
        run(TOUCHED.text)
        if report.reason.startswith(CHANGED):
            for mart in COMPARED:
                run(f"create or replace temp table before_{mart} as {self._contents(mart)}")
        for keys, replaced in SCOPES.values():
            columns = ", ".join(f"{key} varchar" for key in keys.split(", "))
            run(f"create or replace temp table {replaced} ({columns})")
        for name, mart in mart_schema().items():
            if not mart.get("is_view"):
                columns = ", ".join(f"{column} {about['type']}" for column, about in mart["columns"].items())
                verb = "create or replace table" if report.is_full else "create table if not exists"
                run(f"{verb} marts.{name} ({columns})")

    def changed_rows(self) -> dict[str, int]:
        """How many rows, by mart, are there still and say something else."""
        counts = {}
        for mart in COMPARED:
            now = f"({self._contents(mart)}) as fresh"
            query = f"select count(*) from before_{mart} inner join {now} using (key) where before_{mart}.content <> fresh.content"  # noqa: S608, E501 - declared names
            counts[mart] = _count(self._connection.execute(query))
            self._connection.execute(f"drop table before_{mart}")
        return counts

    @staticmethod
    def _contents(mart: str) -> str:
        key = ", ".join(mart_schema()[mart]["key"])
        return f"select hash({key}) as key, hash(*columns(*)) as content from marts.{mart}"  # noqa: S608 - declared names

    def code_facts(self) -> dict[str, str]:
        """Fingerprints of what the marts depend on besides rows."""
        definitions = self._definitions
        texts = [model.text for model in (*BASE, *MODELS)] + [str(mart_schema())]
        return {
            "models": _digest(*texts),
            "price list": list_version(),
            "[outcome]": _digest(definitions.outcome),
            "[flow]": _digest(replace(definitions.flow, handoff_cost_usd=0.0)),  # no mart depends on it
            "[[price]]": _digest(definitions.price),
            "[redact]": self._redaction_digest(),
            "topics": self._topic_rules(),
            "[score]": _digest(sorted(definitions.score.items())),
        }

    def _redaction_digest(self) -> str:
        redact = self._definitions.redact
        patterns = [(name, PATTERNS[name]) for name in redact.patterns]
        return _digest(patterns, redact.paths, redact.hash_ids, sorted(redact.own.items()))

    def _replace_rows(self, model: Model, *, is_full: bool) -> int:
        """Delete what is in scope, insert what the model says. The model may read the mart it fills."""
        run = self._connection.execute
        if is_full:
            return _count(run(f"insert into {model.name} by name {model.text}"))
        run(f"create or replace temp table fresh_rows as {model.text}")
        if model.scope:
            keys, replaced = SCOPES[model.scope]
            run(f"insert into {replaced} select {keys} from {model.scope} union select {keys} from fresh_rows")  # noqa: S608 - declared names
            run(f"delete from {model.name} where ({keys}) in (from {replaced})")  # noqa: S608 - declared names
        else:
            run(f"delete from {model.name}")  # noqa: S608 - declared names
        written = _count(run(f"insert into {model.name} by name from fresh_rows"))
        run("drop table fresh_rows")
        return written

    def remember(self) -> None:
        """Keep what the marts were built from."""
        self._connection.execute("delete from meta.model_state")
        for part, fingerprint in sorted(self._facts.items()):
            self._connection.execute("insert into meta.model_state values ($1, $2)", [part, fingerprint])


def mart_schema() -> Mapping[str, Any]:
    """The declared marts: name -> description, grain, key, columns (type, meaning, unit, tests)."""
    return tomllib.loads((files("etl.models") / "marts" / "_schema.toml").read_text(encoding="utf-8"))


def _digest(*values: object) -> str:
    return hashlib.sha256("\0".join(map(repr, values)).encode()).hexdigest()


def _count(result: duckdb.DuckDBPyConnection) -> int:
    """The row count that an INSERT answers with."""
    [(written,)] = result.fetchall()
    return int(written)

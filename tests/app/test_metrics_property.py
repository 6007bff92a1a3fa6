"""The compiler against a slow, obvious implementation over the same rows, and against hostile text."""

from __future__ import annotations

import itertools
import json
import math
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.metrics.compile import compile_query
from app.metrics.filters import Condition, Filters, merged
from app.metrics.query import Query, TimeGrain, run
from app.metrics.registry import METRICS, find_dimension, find_metric
from app.metrics.result import Result
from app.metrics.windows import Window
from app.store import Store

LISBON = ZoneInfo("Europe/Lisbon")
UTC_ZONE = ZoneInfo("UTC")
CHANGE = datetime(2026, 10, 25, 1)  # Lisbon's clock goes back from 02:00 to 01:00
FIRST = CHANGE - timedelta(days=3)
HOSTILE = "'; drop table marts.traces; -- \"${x}{0} $p0 %s"

Row = dict[str, Any]
Rows = list[Row]


def random_rows(seed: int) -> dict[str, Rows]:
    """Marts that keep the contract's identities: lists of a trace are what its observations say, sums add up."""
    draw = random.Random(seed)
    models = [("gpt-4o", "openai"), ("claude-sonnet-4", "anthropic"), ("gpt-4o-mini", "openai"), (HOSTILE, None)]
    tables: dict[str, Rows] = {name: [] for name in ("observations", "traces", "sessions", "scores", "payloads")}
    for number in range(90):
        project = draw.choice(["p", "p", "q"])
        start = FIRST + timedelta(seconds=draw.randrange(5 * 86_400))
        session = draw.choice([None, *(f"s{index}" for index in range(20))])
        shared = {
            "project_id": project,
            "trace_id": f"t{number}",
            "environment": draw.choice([None, "production", "staging", "langfuse-llm-as-a-judge"]),
            "user_id": draw.choice([None, "ana", "Ana", "zé", HOSTILE]),
            "session_id": session,
            "tags": draw.sample(["beta", "agent:a", "agent:b", "variant_A", "Ünïcode"], draw.randrange(4)),
            "release": draw.choice([None, "1.0", "1.1"]),
        }
        name = draw.choice([None, "checkout", "support"])
        rows = []
        for place in range(draw.randrange(5)):
            kind = draw.choice(["GENERATION", "GENERATION", "TOOL", "SPAN"])
            called = kind == "GENERATION"
            model, provider = draw.choice(models) if called else (None, None)
            is_error = draw.random() < 0.2
            tokens = draw.choice([None, 0, 100, 1000]) if called else None
            cost = draw.choice([None, 0.0, 0.5, 1.25]) if called else None
            rows.append(
                {
                    **shared,
                    "observation_id": f"o{number}-{place}",
                    "trace_name": name,
                    "type": kind,
                    "name": kind.lower(),
                    "level": "ERROR" if is_error else draw.choice(["DEFAULT", "WARNING"]),
                    "start_time": start + timedelta(minutes=place * draw.randrange(40)),
                    "latency_ms": draw.choice([None, 0.0, 250.0, 900.0]),
                    "time_to_first_token_ms": draw.choice([None, 100.0]) if called else None,
                    "metadata": {"own": "x"},
                    "model": model,
                    "provider": provider,
                    "prompt_version": draw.choice([None, 1, 2]) if called else None,
                    "tool_name": draw.choice(["search", "pay"]) if kind == "TOOL" else None,
                    "input_tokens": tokens,
                    "output_tokens": draw.choice([None, 50]) if called else None,
                    "cache_read_input_tokens": None if tokens is None else tokens // 2,
                    "total_tokens": tokens,
                    "cost_usd": cost,
                    "reported_cost_usd": 0.25,
                    "cost_source": None if cost is None else "langfuse",
                    "is_double_counted": called and draw.random() < 0.1,
                    "is_error": is_error,
                    "is_propagated": is_error and draw.random() < 0.3,
                    "is_synthetic": draw.random() < 0.1,
                    "error_group_id": draw.choice(["g1", "g2", "gone"]) if is_error else None,
                }
            )
        tables["observations"] += rows
        real = [row for row in rows if not row["is_synthetic"]]
        costs = [row["cost_usd"] for row in real if row["cost_usd"] is not None]
        tables["traces"].append(
            {
                **shared,
                "name": name,
                "start_time": start,
                "latency_ms": draw.choice([None, 1000.0, 4000.0, 9000.0]),
                "metadata": draw.choice(
                    [
                        None,
                        {"tenant": "acme", "ab.arm": "x"},
                        {"tenant": "Acme", "ab.arm": "y", "n": 7},
                        {"ab": {"arm": "nested"}, HOSTILE: "found", "n": "12.5", "a/b~c": True},
                    ]
                ),
                "models": sorted({row["model"] for row in real if row["model"]}),
                "providers": sorted({row["provider"] for row in real if row["provider"]}),
                "is_error": any(row["is_error"] for row in real),
                "is_failed": draw.random() < 0.1,
                "cost_usd": sum(costs) if costs else None,
                "error_count": sum(row["is_error"] for row in real),
            }
        )
    by_session: dict[tuple[str, str], Rows] = {}
    for trace in tables["traces"]:
        if trace["session_id"]:
            by_session.setdefault((trace["project_id"], trace["session_id"]), []).append(trace)
    for (project, session), traces in by_session.items():
        costs = [trace["cost_usd"] for trace in traces if trace["cost_usd"] is not None]
        tables["sessions"].append(
            {
                "project_id": project,
                "session_id": session,
                "user_ids": sorted({trace["user_id"] for trace in traces if trace["user_id"]}),
                "environment": traces[0]["environment"],
                "release": traces[0]["release"],
                "tags": sorted({tag for trace in traces for tag in trace["tags"]}),
                "models": sorted({model for trace in traces for model in trace["models"]}),
                "start_time": min(trace["start_time"] for trace in traces),
                "duration_ms": draw.choice([None, 60_000.0, 90_000.0]),
                "turns": len(traces),
                "cost_usd": sum(costs) if costs else None,
                "error_count": sum(trace["error_count"] for trace in traces),
                "failed_count": sum(trace["is_failed"] for trace in traces),
                "outcome": draw.choice(["resolved", "escalated", "abandoned", "open", "unknown"]),
            }
        )
    for number in range(80):
        kind = draw.choice(["trace", "trace", "observation", "session", "dataset_run"])
        value = draw.choice([None, 1.0, 2.0, 5.0])
        subject: Row = {"project_id": "p"}
        if kind == "trace":
            picked = draw.choice(tables["traces"])
            subject = {"project_id": picked["project_id"], "trace_id": picked["trace_id"]}
        elif kind == "observation":
            picked = draw.choice(tables["observations"])
            subject = {key: picked[key] for key in ("project_id", "trace_id", "observation_id")}
        elif kind == "session":
            picked = draw.choice(tables["sessions"])
            subject = {key: picked[key] for key in ("project_id", "session_id")}
        tables["scores"].append(
            {
                **subject,
                "score_id": f"sc{number}",
                "name": draw.choice(["quality", "user_satisfaction", None]),
                "data_type": draw.choice(["NUMERIC", "BOOLEAN", "CATEGORICAL"]),
                "value": value,
                "value_normalised": None if value is None else (value - 1) / 4,
                "subject_kind": kind,
                "scored_at": FIRST + timedelta(seconds=draw.randrange(6 * 86_400)),
                "environment": draw.choice([None, "production"]),
            }
        )
    tables["error_groups"] = [
        {"project_id": project, "error_group_id": group, "error_class": error_class}
        for project in ("p", "q")
        for group, error_class in (("g1", "timeout"), ("g2", "rate_limit"))
    ]
    return tables


class Oracle:
    """The marts as lists of rows, and what the design says about them in plain Python."""

    def __init__(self, tables: dict[str, Rows]) -> None:
        self.tables = tables

    def units(self, grain: str) -> Rows:
        rows = self.tables[f"{grain}s"]
        return [row for row in rows if not row.get("is_synthetic")]

    def traces_of(self, grain: str, unit: Row) -> Rows:
        traces = self.units("trace")
        same = [trace for trace in traces if trace["project_id"] == unit["project_id"]]
        if grain == "session" or (grain == "score" and not unit.get("trace_id")):
            session = unit.get("session_id")
            return [trace for trace in same if session and trace["session_id"] == session]
        return [trace for trace in same if trace["trace_id"] == unit["trace_id"]]

    def related(self, grain: str, unit: Row, other: str) -> Rows:
        """Rows of another mart that a unit touches."""
        if grain == other:
            return [unit]
        traces = self.traces_of(grain, unit)
        if other == "trace":
            return traces
        ids = {trace["trace_id"] for trace in traces}
        mine = [row for row in self.units(other) if row["project_id"] == unit["project_id"]]
        if other == "session":
            session = traces[0]["session_id"] if traces else None
            session = session or unit.get("session_id") if grain == "score" else unit.get("session_id")
            return [row for row in mine if session and row["session_id"] == session]
        if other == "observation":
            single = unit.get("observation_id") if grain == "score" else None
            return [row for row in mine if row["trace_id"] in ids and single in (None, row["observation_id"])]
        session = unit.get("session_id") if grain == "session" else None
        return [
            row
            for row in mine
            if (row.get("trace_id") in ids)
            or (session and not row.get("trace_id") and row.get("session_id") == session)
        ]

    def values(self, grain: str, unit: Row, name: str) -> set[Any]:
        """What a unit says about a dimension; empty when nothing."""
        dimension = find_dimension(name)
        rows = self.related(grain, unit, dimension.mart_for(grain))  # type: ignore[arg-type]
        found = {value for row in rows for value in self.own(dimension.mart_for(grain), row, name)}  # type: ignore[arg-type]
        return {value for value in found if value is not None}

    def own(self, mart: str, row: Row, name: str) -> Iterable[Any]:  # noqa: C901 - one line per kind of dimension
        if name == "tag":
            return list(row["tags"])
        if name.startswith("tag:"):
            prefix = name[4:-1]
            return [tag[len(prefix) :] for tag in row["tags"] if tag.startswith(prefix)]
        if name.startswith("metadata."):
            return [dig(row["metadata"], name[len("metadata.") :])]
        if name == "model":
            return row["models"] if "models" in row else [row["model"]]
        if name == "provider" and "providers" in row:
            return list(row["providers"])
        if name == "user_id" and "user_ids" in row:
            return list(row["user_ids"])
        if name == "is_error" and mart == "session":
            return [row["error_count"] > 0]
        if name == "is_failed" and mart == "session":
            return [row["failed_count"] > 0]
        if name == "error_class":
            groups = self.tables["error_groups"]
            same = [g for g in groups if all(g[key] == row.get(key) for key in ("project_id", "error_group_id"))]
            return [group["error_class"] for group in same]
        column = {"project": "project_id", "score_name": "name"}.get(name, name.rsplit(".", maxsplit=1)[-1])
        if name == "trace_name" and mart == "trace":
            column = "name"
        return [row.get(column)]

    def passes(self, grain: str, unit: Row, condition: Condition) -> bool:
        values = self.values(grain, unit, condition.dimension)
        texts = {as_text(value) for value in values}
        wanted = [value for value in condition.values if value is not None]
        is_missing = None in condition.values and not values
        if condition.operator in ("=", "!="):
            numeric = find_dimension(condition.dimension).kind == "number"
            hit = (
                any(float(value) in values for value in wanted) if numeric else any(value in texts for value in wanted)
            )
            return (hit or is_missing) == (condition.operator == "=")
        if condition.operator == "~":
            return any(value.lower() in text.lower() for value in wanted for text in texts)
        compare: Callable[[float, float], bool] = {
            ">": lambda a, b: a > b,
            "<": lambda a, b: a < b,
            ">=": lambda a, b: a >= b,
            "<=": lambda a, b: a <= b,
        }[condition.operator]
        numbers = [number for value in values if (number := as_number(value)) is not None]
        return any(all(compare(number, float(value)) for value in wanted) for number in numbers)

    def selected(self, grain: str, filters: Filters, *, ignore_scores: bool) -> Rows:
        time = "scored_at" if grain == "score" else "start_time"
        conditions = [
            condition
            for condition in merged(filters.conditions)
            if not (ignore_scores and (condition.dimension, condition.operator) == ("score_name", "="))
        ]
        return [
            unit
            for unit in self.units(grain)
            if filters.window.start <= unit[time] < filters.window.end
            and filters.project in (None, unit["project_id"])
            and (
                any(condition.dimension == "environment" for condition in conditions)
                or not (unit["environment"] or "").startswith("langfuse-")
            )
            and all(self.passes(grain, unit, condition) for condition in conditions)
        ]

    def number(self, name: str, units: Rows) -> float | None:  # noqa: C901, PLR0912 - one line per metric
        """The metric over units, in the plainest words."""
        base, _, score = name.partition(":")

        def column(key: str, rows: Rows = units) -> list[Any]:
            return [row[key] for row in rows if row.get(key) is not None]

        def share(hits: int, of: int) -> float | None:
            return hits / of if of else None

        def total(values: list[Any]) -> Any:
            return sum(values) if values else None

        calls = [row for row in units if row.get("type") == "GENERATION"]
        tools = [row for row in units if row.get("type") == "TOOL"]
        known = [row for row in units if row.get("outcome") in ("resolved", "escalated", "abandoned")]
        if base in ("traces", "observations", "sessions", "scores"):
            return len(units)
        if base == "generations":
            return len(calls)
        if base == "tool_calls":
            return len(tools)
        if base == "users":
            return len(set(column("user_id")))
        if base in ("cost_usd", "total_tokens", "input_tokens"):
            return total(column(base))
        if base in ("cost_per_trace_usd", "cost_per_session_usd"):
            return None if total(column("cost_usd")) is None else total(column("cost_usd")) / len(units)
        if base == "cost_per_user_usd":
            with_user = [row for row in units if row["user_id"]]
            cost = total(column("cost_usd", with_user))
            return None if cost is None else cost / len(set(column("user_id")))
        if base == "cost_per_resolved_session_usd":
            resolved = sum(row["outcome"] == "resolved" for row in units)
            return total(column("cost_usd")) / resolved if resolved and column("cost_usd") else None
        if base == "latency_mean_ms":
            return pl.Series(column("latency_ms"), dtype=pl.Float64).mean()  # type: ignore[return-value]
        if base == "latency_p95_ms":
            return pl.Series(column("latency_ms"), dtype=pl.Float64).quantile(0.95, "linear")
        if base == "time_to_first_token_p50_ms":
            return pl.Series(column("time_to_first_token_ms", calls), dtype=pl.Float64).quantile(0.5, "linear")
        if base == "tokens_per_second":
            timed = [
                r
                for r in calls
                if not r["is_double_counted"] and r["output_tokens"] is not None and (r["latency_ms"] or 0) > 0
            ]
            seconds = sum(r["latency_ms"] - (r["time_to_first_token_ms"] or 0) for r in timed) / 1000
            return sum(r["output_tokens"] for r in timed) / seconds if seconds else None
        if base == "error_rate":
            return share(sum(row["is_error"] for row in units), len(units))
        if base == "success_rate":
            return share(sum(not row["is_error"] for row in units), len(units))
        if base == "failed_rate":
            return share(sum(row["is_failed"] for row in units), len(units))
        if base == "error_occurrences":
            return sum(row["is_error"] and not row["is_propagated"] for row in units)
        if base == "tool_error_rate":
            return share(sum(row["is_error"] for row in tools), len(tools))
        if base == "cache_hit_rate":
            sent = total(column("input_tokens"))
            return total(column("cache_read_input_tokens")) / sent if sent else None
        if base == "unpriced_generations":
            return sum(row["cost_source"] is None for row in calls)
        if base == "double_counted_usd":
            return total([row["reported_cost_usd"] for row in units if row["is_double_counted"]])
        if base == "resolved_rate":
            return share(sum(row["outcome"] == "resolved" for row in known), len(known))
        if base == "turns_per_session":
            return pl.Series(column("turns"), dtype=pl.Float64).mean()  # type: ignore[return-value]
        if base == "satisfaction_avg":
            picked = [row for row in units if row["name"] == "user_satisfaction"]
            return pl.Series(column("value", picked), dtype=pl.Float64).mean()  # type: ignore[return-value]
        if base == "score_avg":
            picked = [row for row in units if row["name"] == score and row["data_type"] != "CATEGORICAL"]
            return pl.Series(column("value", picked), dtype=pl.Float64).mean()  # type: ignore[return-value]
        if base == "score_coverage":
            scored = {
                (row["project_id"], row.get("trace_id"))
                for row in self.tables["scores"]
                if row["name"] == score and row.get("trace_id")
            }
            return share(sum((row["project_id"], row["trace_id"]) in scored for row in units), len(units))
        if base == "waste_usd":
            return total([row["cost_usd"] for row in units if row["cost_usd"] is not None and self.is_waste(row)])
        raise AssertionError(name)

    def is_waste(self, row: Row) -> bool:
        low = [
            score
            for score in self.tables["scores"]
            if (score["project_id"], score.get("trace_id")) == (row["project_id"], row["trace_id"])
            and score["name"] == "user_satisfaction"
            and score["value_normalised"] is not None
            and score["value_normalised"] <= 0.25
        ]
        return (
            row["is_error"]
            or any(trace["is_failed"] for trace in self.traces_of("observation", row))
            or any(session["outcome"] == "abandoned" for session in self.related("observation", row, "session"))
            or bool(low)
        )


METRIC_NAMES = [
    "traces",
    "observations",
    "sessions",
    "scores",
    "generations",
    "tool_calls",
    "users",
    "cost_usd",
    "total_tokens",
    "input_tokens",
    "cost_per_trace_usd",
    "cost_per_session_usd",
    "cost_per_user_usd",
    "cost_per_resolved_session_usd",
    "latency_mean_ms",
    "latency_p95_ms",
    "time_to_first_token_p50_ms",
    "tokens_per_second",
    "error_rate",
    "success_rate",
    "failed_rate",
    "error_occurrences",
    "tool_error_rate",
    "cache_hit_rate",
    "unpriced_generations",
    "double_counted_usd",
    "resolved_rate",
    "turns_per_session",
    "satisfaction_avg",
    "score_avg:quality",
    "score_coverage:quality",
    "waste_usd",
]
DIMENSION_NAMES = [
    *[
        "model",
        "provider",
        "trace_name",
        "user_id",
        "session_id",
        "tag",
        "environment",
        "release",
        "type",
        "level",
        "tool_name",
        "outcome",
    ],
    *["is_error", "is_failed", "prompt_version", "error_class", "error_group_id", "score_name", "project"],
    *["session.turns", "trace.error_count", "observation.cost_usd"],
    *["tag:agent:*", "tag:variant_*", "metadata.tenant", "metadata.ab.arm", "metadata.n", "metadata.a/b~c"],
    f"metadata.{HOSTILE}",
]


def dig(metadata: Row | None, key: str) -> str | None:
    """A key as it stands, else by its dots."""
    value: Any = metadata
    if metadata and key in metadata:
        value = metadata[key]
    else:
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else value if isinstance(value, str) else json.dumps(value)


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_number(value: Any) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def bucket(moment: datetime, grain: str, zone: ZoneInfo) -> datetime:
    local = moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    if grain == "hour":
        return local
    day = local.replace(hour=0)
    return {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[grain]


TEXTS = [
    *("gpt-4o", "beta", "a", "A", "ana", "production", "1.0", "7", "x", "quality", "GENERATION", "ERROR", "resolved"),
    *("timeout", "p", "acme", "s3", "search", "checkout", HOSTILE),
]

Key = tuple[Any, ...]


def expected(oracle: Oracle, query: Query, name: str, window: Window, zone: ZoneInfo) -> tuple[dict[Key, Rows], Rows]:
    """The units of a metric under each key, and all of them once."""
    metric = find_metric(name)
    fine = [dim for dim in query.by if find_dimension(dim).home == "observation"]
    moves = metric.moves_to_observations and bool(fine)
    grain = "observation" if moves else metric.grain
    units = oracle.selected(grain, replace(query.filters, window=window), ignore_scores=metric.base == "score_coverage")
    if moves:
        units = [unit for unit in units if all(oracle.values(grain, unit, dim) for dim in fine)]
    groups: dict[Key, Rows] = {}
    for unit in units:
        values = [sorted(map(as_text, oracle.values(grain, unit, dim))) or ["(none)"] for dim in query.by]
        time = (
            [bucket(unit["scored_at" if grain == "score" else "start_time"], query.grain, zone)] if query.grain else []
        )
        for key in itertools.product(*values):
            groups.setdefault((*key, *time), []).append(unit)
    return groups, units


def same(found: Any, wanted: Any) -> bool:
    if found is None or wanted is None:
        return found is None and wanted is None
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-12)


def check(oracle: Oracle, query: Query, result: Result, zone: ZoneInfo) -> None:
    keys = [*query.by, *(["time"] if query.grain else [])]
    found = {tuple(row[key] for key in keys): row for row in result.frame.to_dicts()}
    assert len(found) == result.frame.height
    groups = {name: expected(oracle, query, name, query.filters.window, zone) for name in query.metrics}
    for name, (by_key, units) in groups.items():
        assert same(result.total[name], oracle.number(name, units)), (name, "total")
        if not keys:
            continue
        for key, members in by_key.items():
            wanted = oracle.number(name, members)
            if key not in found:
                # Only steps without a model, tool or the like that say nothing are left out.
                assert "(none)" in key
                assert not wanted
                continue
            assert same(found[key][name], wanted), (name, key)
        empty = oracle.number(name, [])
        for key, row in found.items():
            assert key in by_key or same(row[name], empty), (name, key)
    extra = set(found) - {key for by_key, _ in groups.values() for key in by_key}
    assert not extra or not keys
    overlap = any(sum(map(len, by_key.values())) > len(units) for by_key, units in groups.values())
    assert not (overlap and result.additive)


@pytest.fixture(scope="module")
def world(make_store: Callable[..., Store]) -> tuple[Oracle, Store]:
    tables = random_rows(7)
    return Oracle(tables), make_store(**tables)


def conditions() -> st.SearchStrategy[Condition]:
    """Conditions that fit their dimension, with values that are there, that are not, and that are missing."""

    def of(name: str) -> st.SearchStrategy[Condition]:
        dimension = find_dimension(name)
        known = {
            "number": ["0", "1", "2", "0.5", "3"],
            "boolean": ["true", "false"],
        }.get(dimension.kind, TEXTS)
        value = st.sampled_from(known)
        anything = st.lists(st.one_of(value, st.none()), min_size=1, max_size=3, unique=True)
        equals = st.builds(Condition, st.just(name), st.sampled_from(["=", "!="]), anything.map(tuple))
        if dimension.is_numeric:
            numbers = st.lists(st.sampled_from(["0", "1", "2.5", "8"]), min_size=1, max_size=2).map(tuple)
            return equals | st.builds(Condition, st.just(name), st.sampled_from([">", "<", ">=", "<="]), numbers)
        return equals | st.builds(
            Condition, st.just(name), st.just("~"), st.lists(value, min_size=1, max_size=2).map(tuple)
        )

    return st.sampled_from(DIMENSION_NAMES).flatmap(of)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    start = FIRST + timedelta(hours=draw(st.integers(-10, 90)))
    window = Window(start, start + timedelta(hours=draw(st.integers(1, 140))))
    by = draw(st.lists(st.sampled_from(DIMENSION_NAMES), max_size=2, unique=True))
    names = [name for name in METRIC_NAMES if "score_name" not in by or not name.startswith("score_coverage")]
    return Query(
        metrics=tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))),
        filters=Filters(
            window, tuple(draw(st.lists(conditions(), max_size=2))), draw(st.sampled_from([None, None, "p"]))
        ),
        by=tuple(by),
        grain=draw(st.sampled_from([None, None, "hour", "day", "week", "month"])),
    )


PROPERTY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PROPERTY
@given(query=queries(), zone=st.sampled_from([LISBON, UTC_ZONE, ZoneInfo("Asia/Kathmandu")]))
def test_every_query_agrees_with_the_obvious_implementation(
    world: tuple[Oracle, Store], query: Query, zone: ZoneInfo
) -> None:
    oracle, store = world
    check(oracle, query, run(store, zone, query), zone)


@settings(max_examples=60, deadline=None)
@given(query=queries(), limit=st.integers(1, 4))
def test_what_a_limit_leaves_out_is_in_the_other_row(world: tuple[Oracle, Store], query: Query, limit: int) -> None:
    oracle, store = world
    if not query.by:
        query = replace(query, by=("model",), metrics=("cost_usd", "traces"))
    full = run(store, LISBON, replace(query, grain=None))
    result = run(store, LISBON, replace(query, grain=None, limit=limit))
    assert result.values == full.frame.height
    assert same_totals(result, full)
    shown = result.frame.head(limit)
    assert shown.equals(full.frame.head(limit))
    assert result.has_other == (full.frame.height > limit)
    if not result.has_other:
        assert result.frame.height == full.frame.height
        return
    (other,) = result.frame.tail(1).to_dicts()
    assert {other[name] for name in query.by} == {"other"}
    kept = {tuple(row[name] for name in query.by) for row in shown.to_dicts()}
    for name in query.metrics:
        by_key, _ = expected(oracle, replace(query, grain=None), name, query.filters.window, LISBON)
        rest = {id(unit): unit for key, units in by_key.items() if key not in kept for unit in units}
        assert same(other[name], oracle.number(name, list(rest.values()))), name


def same_totals(one: Result, two: Result) -> bool:
    """Equal up to the order in which numbers were added."""
    return one.total.keys() == two.total.keys() and all(same(one.total[key], two.total[key]) for key in one.total)


@settings(max_examples=40, deadline=None)
@given(query=queries())
def test_a_comparison_is_the_same_query_over_the_period_before(world: tuple[Oracle, Store], query: Query) -> None:
    _, store = world
    start = CHANGE + timedelta(hours=6)
    window = Window(start, start + timedelta(hours=24))
    query = replace(query, grain=None, filters=replace(query.filters, window=window, project=None))
    result = run(store, LISBON, replace(query, compare=True))
    before = run(store, LISBON, replace(query, filters=query.filters.with_window(window.previous())))
    plain = run(store, LISBON, query)
    assert result.previous is not None
    for name in query.metrics:
        assert same(result.total[name], plain.total[name])
        assert same(result.total[f"{name}_previous"], before.total[name])
        earlier = {tuple(row[key] for key in query.by): row[name] for row in before.frame.to_dicts()}
        for row in result.frame.to_dicts():
            found, wanted = row[f"{name}_previous"], earlier.get(tuple(row[key] for key in query.by))
            assert same(found, wanted) or (wanted is None and found == 0)


# The moment in UTC at which a zone's clock changes: by half an hour, at a quarter to, at midnight so that a day lasts
# 25 hours or begins at one o'clock, and in the middle of a day of UTC.
CLOCK_CHANGES = {
    "Australia/Lord_Howe": datetime(2026, 10, 3, 15, 30),
    "Pacific/Chatham": datetime(2026, 9, 26, 14),
    "Africa/Cairo": datetime(2026, 10, 29, 21),
    "Asia/Beirut": datetime(2027, 3, 27, 22),
    "America/St_Johns": datetime(2026, 11, 1, 4, 30),
}


@pytest.mark.parametrize(("name", "change"), CLOCK_CHANGES.items())
def test_the_clock_of_each_zone_changes_then(name: str, change: datetime) -> None:
    at = change.replace(tzinfo=UTC)
    before, after = (moment.astimezone(ZoneInfo(name)).utcoffset() for moment in (at - timedelta(seconds=1), at))
    assert before != after


@pytest.fixture(scope="module")
def moved_worlds(make_store: Callable[..., Store]) -> dict[str, tuple[Oracle, Store]]:
    """The same rows around the change of each zone's clock."""
    worlds = {}
    for name, change in CLOCK_CHANGES.items():
        tables = random_rows(11)
        for rows in tables.values():
            for row in rows:
                row.update({key: row[key] - CHANGE + change for key in ("start_time", "scored_at") if key in row})
        worlds[name] = Oracle(tables), make_store(**tables)
    return worlds


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(query=queries(), name=st.sampled_from(sorted(CLOCK_CHANGES)), grain=st.sampled_from(["hour", "day", "week"]))
def test_buckets_are_those_of_the_zones_clock(
    moved_worlds: dict[str, tuple[Oracle, Store]], query: Query, name: str, grain: TimeGrain
) -> None:
    oracle, store = moved_worlds[name]
    by = CLOCK_CHANGES[name] - CHANGE
    window = Window(query.filters.window.start + by, query.filters.window.end + by)
    query = replace(query, grain=grain, by=query.by[:1], filters=replace(query.filters, window=window))
    check(oracle, query, run(store, ZoneInfo(name), query), ZoneInfo(name))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    query=queries(),
    hours=st.integers(12, 60),
    grain=st.sampled_from(["hour", "day", "week", "month"]),
    zone=st.sampled_from([LISBON, UTC_ZONE, ZoneInfo("Asia/Kathmandu")]),
)
def test_a_compared_bucket_is_the_one_in_the_same_place_of_the_period_before(
    world: tuple[Oracle, Store], query: Query, hours: int, grain: TimeGrain, zone: ZoneInfo
) -> None:
    oracle, store = world
    start = FIRST + timedelta(hours=hours)
    window = Window(start, start + timedelta(hours=hours))
    query = replace(query, grain=grain, by=(), filters=replace(query.filters, window=window, project=None))
    result = run(store, zone, replace(query, compare=True))
    assert result.previous is not None
    first, earlier = (bucket(each.start, grain, zone) for each in (window, result.previous))
    found = {row["time"]: row for row in result.frame.to_dicts()}
    for name in query.metrics:
        by_key, _ = expected(oracle, query, name, result.previous, zone)
        for (then,), units in by_key.items():
            place = first + (then - earlier)
            if grain == "month":
                months = 12 * (first.year - earlier.year) + first.month - earlier.month
                place = then.replace(
                    year=then.year + (then.month + months - 1) // 12, month=(then.month + months - 1) % 12 + 1
                )
            assert same(found[place][f"{name}_previous"], oracle.number(name, units)), (name, then)


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.just(HOSTILE),
    operator=st.sampled_from(["=", "!=", "~"]),
)
def test_no_text_ever_reaches_the_statement(world: tuple[Oracle, Store], text: str, operator: str) -> None:
    """The statement depends on the shape of a question only: another text in its place leaves it as it is."""
    _, store = world

    def statement(value: str) -> str:
        filters = Filters(
            Window(FIRST, FIRST + timedelta(days=5)),
            tuple(
                Condition(name, operator, (value,))
                for name in ("model", "tag", f"metadata.{value}", f"tag:{value}*", "error_class", "score_name")
            ),
        )
        names = ("traces", "cost_usd", f"score_avg:{value}", f"score_coverage:{value}", "waste_usd")
        by = (f"metadata.{value}", f"tag:{value}*", "user_id")
        query = Query(names, filters, by=by, grain="day", limit=2, compare=True)
        # Equal values share a parameter, so the numbers of parameters may differ.
        return re.sub(r"\$p\d+", "$p", compile_query(store, LISBON, query).sql)

    plain = "x.x" if "." in text else "x"  # a dotted key is looked for in two places
    assert statement(text) == statement(plain)
    filters = Filters(Window(FIRST, FIRST + timedelta(days=5)), (Condition(f"metadata.{text}", operator, (text,)),))
    run(store, LISBON, Query((f"score_avg:{text}",), filters, by=(f"tag:{text}*", f"metadata.{text}"), limit=1))


def test_every_metric_compiles_with_every_dimension(world: tuple[Oracle, Store]) -> None:
    """Bound and planned by the engine, in groups: a wrong column or a missing link fails here."""
    _, store = world
    filters = Filters(Window(FIRST, FIRST + timedelta(days=2)))
    names = tuple(name for name in METRICS if name not in ("score_avg", "score_coverage"))
    names = (*names, "score_avg:quality", "score_coverage:quality")
    for name in DIMENSION_NAMES:
        asked = names if name != "score_name" else tuple(each for each in names if "coverage" not in each)
        result = run(store, LISBON, Query(asked, filters, by=(name,)))
        assert result.frame.columns[0] == name

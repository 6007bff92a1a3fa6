"""Rows as files: every format read back by two engines equals the marts, whole or not at all, safe in a spreadsheet."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest

from app.exports import formats
from app.exports.entities import ENTITIES, Entity
from app.exports.files import whole_file
from app.exports.formats import Format
from app.exports.interrupts import NO_FILE, ended_by_signals
from app.exports.rows import format_of, stream
from app.metrics.filters import Filters, parse_conditions
from app.metrics.query import Query, run
from app.metrics.windows import parse_window
from app.store import Store
from etl.errors import ConfigError, Interrupted, TracehouseError, WarehouseError
from etl.settings import Definitions, OwnPattern, RedactSettings

UTC_ZONE = ZoneInfo("UTC")
AS_OF = datetime(2026, 10, 26, 12)
FORMATS: tuple[Format, ...] = ("csv", "json", "jsonl", "parquet")
ROOT = Path(__file__).resolve().parents[2]

RISKY = ['=HYPERLINK("http://x")', "+1 555", "-2+3", "@SUM(A1)", "\tx", "\rx"]
TRACES = [
    {
        "trace_id": f"t{number}",
        "name": name,
        "start_time": AS_OF - timedelta(hours=number + 1, microseconds=7),
        "end_time": AS_OF - timedelta(hours=number + 1) + timedelta(seconds=2),
        "latency_ms": 2000.0 + number / 3,
        "user_id": name if number % 2 else None,
        "session_id": f"s{number // 2}",
        "environment": "production" if number else "staging",
        "release": "web-1",
        "tags": ["a,b", 'quo"te', name] if number else [],
        "models": ["gpt-4o"],
        "metadata": {"tenant": name, "deep": [1, 2], "n": number},
        "input_tokens": 10 * number,
        "output_tokens": number,
        "total_tokens": 11 * number,
        "cost_usd": None if number == 3 else 0.1 * number + 1e-7,
        "is_error": number == 1,
        "error_count": int(number == 1),
    }
    for number, name in enumerate(
        [*RISKY, "line\nbreak", 'it\'s, "quoted"', "São Paulo \N{ROCKET}", "", " = not at the start"]
    )
]
OBSERVATIONS = [
    {
        "trace_id": row["trace_id"],
        "observation_id": f"o-{row['trace_id']}-{place}",
        "type": "GENERATION",
        "name": row["name"],
        "trace_name": row["name"],
        "start_time": row["start_time"],
        "environment": row["environment"],
        "user_id": row["user_id"],
        "session_id": row["session_id"],
        "model": ["gpt-4o", None][place],
        "provider": ["openai", None][place],
        "input_tokens": [10, 0][place],
        "output_tokens": [1, 0][place],
        "total_tokens": [11, 0][place],
        "usage_details": {"key": ["input", "output"], "value": [10.0, 1.0]} if place == 0 else None,
        "cost_usd": None if row["cost_usd"] is None else cast("float", row["cost_usd"]) / (place + 1),
        "cost_source": "langfuse",
        "level": "ERROR" if row["is_error"] else "DEFAULT",
        "status_message": "429 rate limit" if row["is_error"] else None,
        "is_error": row["is_error"],
        "is_propagated": place == 0,
        "error_group_id": "g1" if row["is_error"] and place == 1 else None,
    }
    for row in TRACES
    for place in (0, 1)
]
SESSIONS = [
    {
        "session_id": f"s{number}",
        "user_ids": ["=u", "v"],
        "start_time": AS_OF - timedelta(hours=2 * number + 2),
        "end_time": AS_OF - timedelta(hours=2 * number + 1),
        "duration_ms": 3.6e6,
        "avg_response_ms": 2000.5,
        "turns": 2,
        "environment": "production",
        "outcome": "resolved",
        "error_count": int(number == 0),
        "path": ["search x2", "=x"],
        "cost_usd": 0.25,
    }
    for number in range(6)
]
SCORES = [
    {
        "score_id": f"c{number}",
        "name": "user_satisfaction",
        "value": -1.5 + number,
        "comment": RISKY[number],
        "subject_kind": "trace",
        "trace_id": f"t{number}",
        "scored_at": AS_OF - timedelta(hours=number + 1),
        "environment": "production",
    }
    for number in range(6)
]
GROUPS = [{"error_group_id": "g1", "title": "rate limit", "error_class": "rate_limit", "state": "ongoing"}]


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(traces=TRACES, observations=OBSERVATIONS, sessions=SESSIONS, scores=SCORES, error_groups=GROUPS)


def everything(*where: str, project: str | None = None) -> Filters:
    return Filters(parse_window("all", None, AS_OF, UTC_ZONE), parse_conditions(where), project)


def exported(store: Store, entity: Entity, form: Format, filters: Filters | None = None) -> bytes:
    sink = io.BytesIO()
    stream(store, filters or everything(), entity, form, sink)
    return sink.getvalue()


# what a column of the file is called, and where in the mart it comes from
SOURCES: Mapping[Entity, tuple[str, Mapping[str, str]]] = {
    "traces": (
        "marts.traces",
        {
            "trace_id": "trace_id",
            "timestamp": "start_time",
            "latency": "latency_ms / 1000",
            "input_tokens": "input_tokens",
            "output_tokens": "output_tokens",
            "cost": "cost_usd",
            "user_id": "user_id",
            "session_id": "session_id",
            "status": "case when is_error then 'error' else 'success' end",
            "name": "name",
            "tags": "tags",
            "models": "models",
            "metadata": "metadata::varchar",
            "is_failed": "is_failed",
            "end_time": "end_time",
        },
    ),
    "observations": (
        "marts.observations",
        {
            "observation_id": "observation_id",
            "trace_id": "trace_id",
            "timestamp": "start_time",
            "cost": "cost_usd",
            "status": "case when is_error then 'error' else 'success' end",
            "status_message": "status_message",
            "model": "model",
            "usage_details": "to_json(usage_details)::varchar",
        },
    ),
    "sessions": (
        "marts.sessions",
        {
            "session_id": "session_id",
            "timestamp": "start_time",
            "duration": "duration_ms / 1000",
            "avg_response_time": "avg_response_ms / 1000",
            "status": "case when error_count > 0 then 'error' else 'success' end",
            "user_ids": "user_ids",
            "path": "path",
            "turns": "turns",
        },
    ),
    "scores": (
        "marts.scores",
        {"score_id": "score_id", "timestamp": "scored_at", "value": "value", "comment": "comment", "name": "name"},
    ),
    "errors": (
        "marts.observations where is_error and not is_propagated",
        {"observation_id": "observation_id", "message": "status_message", "timestamp": "start_time"},
    ),
}


def read_with_polars(body: bytes, form: Format) -> list[dict[str, Any]]:
    if form == "csv":
        return pl.read_csv(body, infer_schema=False).to_dicts()
    if form == "jsonl":
        return pl.read_ndjson(body, infer_schema_length=None).to_dicts()
    if form == "json":
        return pl.read_json(body, infer_schema_length=None).to_dicts()
    return pl.read_parquet(body).to_dicts()


def read_with_duckdb(body: bytes, form: Format, folder: Path) -> list[dict[str, Any]]:
    path = folder / f"read.{form}"
    path.write_bytes(body)
    reader = {
        "csv": "read_csv($path, all_varchar = true, header = true, allow_quoted_nulls = false)",
        "json": "read_json($path, convert_strings_to_integers = false)",
        "jsonl": "read_json($path, format = 'newline_delimited')",
        "parquet": "read_parquet($path)",
    }[form]
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.sql(f"from {reader}", params={"path": str(path)}).pl().to_dicts()


def same(read: Any, wanted: Any, form: Format) -> bool:
    """Whether what was read says what the mart says."""
    if wanted is None:
        return read is None
    if isinstance(wanted, datetime):
        moment = datetime.fromisoformat(read) if isinstance(read, str) else read
        return bool(moment.replace(tzinfo=None) == wanted) and (
            form == "parquet" or str(read).endswith(("Z", "00", "7"))
        )
    if isinstance(wanted, bool):
        return str(read).lower() == str(wanted).lower()
    if isinstance(wanted, int | float):
        return float(read) == wanted
    if isinstance(wanted, list):
        return bool((json.loads(read) if isinstance(read, str) else read) == wanted)
    if form == "csv" and wanted.startswith(tuple("=+-@\t\r")):
        return bool(read == f"'{wanted}")
    return bool(read == wanted)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("entity", list(SOURCES))
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_file_read_back_is_the_mart(store: Store, entity: Entity, form: Format, engine: str, tmp_path: Path) -> None:
    relation, sources = SOURCES[entity]
    listed = ", ".join(f"{source} as {name}" for name, source in sources.items())
    wanted = store.sql(f"select {listed} from {relation}").to_dicts()
    body = exported(store, entity, form)
    rows = read_with_polars(body, form) if engine == "polars" else read_with_duckdb(body, form, tmp_path)
    assert len(rows) == len(wanted)
    for row, expected in zip(rows, wanted, strict=True):
        for name, value in expected.items():
            if name in ("metadata", "usage_details") and form != "csv":
                continue  # an object there, see the next test
            assert same(row[name], value, form), (name, row[name], value)


def test_objects_stay_objects_in_json(store: Store) -> None:
    for line, row in zip(exported(store, "traces", "jsonl").splitlines(), TRACES, strict=True):
        read = json.loads(line)
        assert read["metadata"] == row["metadata"]
        assert read["tags"] == row["tags"]
        assert read["timestamp"] == f"{cast('datetime', row['start_time']).isoformat()}Z"
    first, second = exported(store, "observations", "jsonl").splitlines()[:2]
    assert json.loads(first)["usage_details"] == {"input": 10.0, "output": 1.0}
    assert json.loads(second)["usage_details"] is None
    assert json.loads(exported(store, "traces", "json")) == [
        json.loads(line) for line in exported(store, "traces", "jsonl").splitlines()
    ]


def test_parquet_says_that_times_are_utc(store: Store) -> None:
    schema = pl.read_parquet_schema(io.BytesIO(exported(store, "traces", "parquet")))
    assert schema["timestamp"] == pl.Datetime("us", "UTC")
    assert schema["tags"] == pl.List(pl.String)


def test_a_spreadsheet_calculates_nothing(store: Store) -> None:
    frame = pl.read_csv(exported(store, "scores", "csv"), infer_schema=False)
    assert frame["comment"].to_list() == [f"'{text}" for text in RISKY]
    assert frame["value"][0] == "-1.5"  # a number stays one
    for column in pl.read_csv(exported(store, "traces", "csv"), infer_schema=False):
        assert not any(text.startswith(tuple("=+-@\t\r")) for text in column.drop_nulls())


def test_nothing_and_an_empty_text_differ_in_csv(store: Store) -> None:
    frame = pl.read_csv(exported(store, "traces", "csv"), infer_schema=False)
    assert frame["user_id"][0] is None
    assert frame["user_id"].to_list().count("") == 1


@pytest.mark.parametrize("form", FORMATS)
def test_batches_leave_no_seam(store: Store, form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_with_polars(exported(store, "traces", form), form)
    monkeypatch.setitem(cast("dict[str, int]", formats.ROWS), form, 2)
    assert read_with_polars(exported(store, "traces", form), form) == whole


@pytest.mark.parametrize("entity", list(ENTITIES))
@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_a_whole_file_too(store: Store, entity: Entity, form: Format) -> None:
    body = exported(store, entity, form, everything("release=none-such", "environment=none-such"))
    if form == "jsonl":
        assert body == b""
    elif form == "json":
        assert json.loads(body) == []
    else:
        frame = pl.read_csv(body) if form == "csv" else pl.read_parquet(io.BytesIO(body))
        assert frame.height == 0
        assert frame.width > 10


def test_rows_are_those_that_the_metrics_count(store: Store) -> None:
    for where in ((), ("environment=staging",), ("trace.total_tokens>30", "user_id!=@SUM(A1)"), ("model=gpt-4o",)):
        filters = everything(*where)
        asked = Query(("traces", "observations", "sessions", "error_occurrences", "cost_usd"), filters)
        total = run(store, UTC_ZONE, asked).total
        rows = {entity: json.loads(exported(store, entity, "json", filters)) for entity in ENTITIES}
        assert {entity: len(rows[entity]) for entity in ("traces", "observations", "sessions", "errors")} == {
            "traces": total["traces"],
            "observations": total["observations"],
            "sessions": total["sessions"],
            "errors": total["error_occurrences"],
        }
        cost = pytest.approx(total["cost_usd"] or 0.0, abs=1e-12)
        assert sum(row["cost"] or 0.0 for row in rows["observations"]) == cost
        assert sum(row["BilledCost"] for row in rows["focus"]) == cost


def test_an_error_knows_its_group(store: Store) -> None:
    [row] = json.loads(exported(store, "errors", "json"))
    assert (row["error_class"], row["state"], row["message"]) == ("rate_limit", "ongoing", "429 rate limit")


def test_a_project_is_found_by_its_name(make_store: Callable[..., Store]) -> None:
    rows = [
        {"trace_id": f"t{number}", "project_id": f"p{number}", "start_time": AS_OF, "environment": "x"}
        for number in (1, 2)
    ]
    store = make_store(traces=rows, **{"raw.projects": [{"project_id": "p1", "name": "One"}]})
    assert [row["trace_id"] for row in json.loads(exported(store, "traces", "json", everything(project="One")))] == [
        "t1"
    ]
    with pytest.raises(ConfigError, match="no project 'Three'"):
        exported(store, "traces", "json", everything(project="Three"))


# FOCUS 1.2, specification/columns: every column, and whether it may be null. True: may be.
FOCUS_MANDATORY = {
    "BilledCost": False,
    "BillingAccountId": False,
    "BillingAccountName": True,
    "BillingCurrency": False,
    "BillingPeriodEnd": False,
    "BillingPeriodStart": False,
    "ChargeCategory": False,
    "ChargeClass": True,
    "ChargeDescription": True,
    "ChargePeriodEnd": False,
    "ChargePeriodStart": False,
    "ContractedCost": False,
    "EffectiveCost": False,
    "InvoiceIssuerName": False,
    "ListCost": False,
    "PricingQuantity": True,
    "PricingUnit": True,
    "ProviderName": False,
    "PublisherName": False,
    "ServiceCategory": False,
    "ServiceName": False,
}
FOCUS_OTHERS = {
    "AvailabilityZone": True,
    "BillingAccountType": False,
    "CapacityReservationId": True,
    "CapacityReservationStatus": True,
    "ChargeFrequency": False,
    "CommitmentDiscountCategory": True,
    "CommitmentDiscountId": True,
    "CommitmentDiscountName": True,
    "CommitmentDiscountQuantity": True,
    "CommitmentDiscountStatus": True,
    "CommitmentDiscountType": True,
    "CommitmentDiscountUnit": True,
    "ConsumedQuantity": True,
    "ConsumedUnit": True,
    "ContractedUnitPrice": True,
    "InvoiceId": True,
    "ListUnitPrice": True,
    "PricingCategory": True,
    "PricingCurrency": True,
    "PricingCurrencyContractedUnitPrice": True,
    "PricingCurrencyEffectiveCost": True,
    "PricingCurrencyListUnitPrice": True,
    "RegionId": True,
    "RegionName": True,
    "ResourceId": True,
    "ResourceName": True,
    "ResourceType": True,
    "ServiceSubcategory": False,
    "SkuId": True,
    "SkuMeter": True,
    "SkuPriceDetails": True,
    "SkuPriceId": True,
    "SubAccountId": True,
    "SubAccountName": True,
    "SubAccountType": True,
    "Tags": True,
}


def test_cost_rows_keep_focus(store: Store) -> None:
    rows = json.loads(exported(store, "focus", "json"))
    names = list(rows[0])
    known = FOCUS_MANDATORY | FOCUS_OTHERS
    own = [name for name in names if name.startswith("x_")]
    assert set(FOCUS_MANDATORY) <= set(names)
    assert set(names) - set(own) <= set(known)
    assert names == [*sorted(set(names) - set(own)), *own], "columns of FOCUS come first"
    assert len(rows) == 20  # 10 priced traces of a name and a model each, with and without tokens
    for row in rows:
        for name in set(names) - set(own):
            assert known[name] or row[name] not in (None, ""), name
        assert row["ChargeCategory"] == "Usage"
        assert row["ChargeFrequency"] == "Usage-Based"
        assert row["ServiceCategory"] == "AI and Machine Learning"
        assert row["ServiceSubcategory"] == "Generative AI"
        assert row["PricingCategory"] == "Standard"
        assert row["BillingCurrency"] == "USD"
        assert row["PricingUnit"] == row["ConsumedUnit"] == ("Tokens" if row["x_InputTokenCount"] else "Requests")
        assert row["PricingQuantity"] == row["ConsumedQuantity"] > 0
        assert row["BilledCost"] == row["EffectiveCost"] == row["ListCost"] == row["ContractedCost"]
        tags = json.loads(row["Tags"])
        assert not any(isinstance(value, dict | list) for value in tags.values())
        for name in ("ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[name])
        assert row["BillingPeriodStart"] == "2026-10-01T00:00:00Z" <= row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        assert row["ChargePeriodEnd"] <= row["BillingPeriodEnd"] == "2026-11-01T00:00:00Z"


def test_cost_rows_leave_out_what_is_no_charge(make_store: Callable[..., Store]) -> None:
    common = {"trace_id": "t", "start_time": AS_OF, "environment": "x", "type": "GENERATION"}
    store = make_store(
        observations=[
            {**common, "observation_id": "unpriced", "total_tokens": 9, "cost_usd": None},
            {**common, "observation_id": "wrapper", "total_tokens": 0, "cost_usd": 0.0, "is_double_counted": True},
            {**common, "observation_id": "free", "total_tokens": 5, "cost_usd": 0.0, "model_raw": "own"},
        ]
    )
    [row] = json.loads(exported(store, "focus", "json"))
    assert (row["SkuId"], row["BilledCost"], row["PricingQuantity"]) == ("other/own", 0.0, 5.0)


def write_half(place: Path, fail: Callable[[], object]) -> None:
    with whole_file(place) as sink:
        sink.write(b"half")
        fail()


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    place = tmp_path / "rows.csv"
    place.write_text("old")
    place.chmod(0o640)
    with pytest.raises(ZeroDivisionError):
        write_half(place, lambda: 1 / 0)
    assert place.read_text() == "old"
    assert list(tmp_path.iterdir()) == [place]
    with whole_file(place) as sink:
        sink.write(b"new")
        assert place.read_text() == "old"
    assert place.read_text() == "new"
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [place]


def test_a_kill_leaves_the_old_file_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    place = tmp_path / "rows.csv"
    place.write_text("old")
    program = (
        "import os, signal, sys; from pathlib import Path; from app.exports.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as sink:\n"
        "    sink.write(b'half'); sink.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(place)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert place.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    with whole_file(place) as sink:
        sink.write(b"new")
    assert list(tmp_path.iterdir()) == [place]


def test_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as caught, ended_by_signals(NO_FILE):
        write_half(tmp_path / "rows.csv", lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert caught.value.exit_code == 143
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "true.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("true.csv")
    with whole_file(tmp_path / "link.csv") as sink:
        sink.write(b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "true.csv").read_text() == "new"


def test_what_is_no_file_is_written_to() -> None:
    with whole_file(Path("/dev/null")) as sink:
        sink.write(b"x")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(("name", "said"), [("", "is a folder"), ("none/rows.csv", "no folder")])
def test_a_place_that_can_not_be(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said), whole_file(tmp_path / name):
        pass


def test_a_full_disk_is_explained(tmp_path: Path) -> None:
    with pytest.raises(TracehouseError, match="can't be written: No space"), whole_file(tmp_path / "rows.csv"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_fails_midway_is_explained(store: Store) -> None:
    text = "select case when i > 5000 then error('disk gone') end as x from range(10000) t(i)"
    with pytest.raises(WarehouseError, match="disk gone"), store.reader(text, rows=100) as batches:
        list(batches)


@pytest.mark.parametrize(
    ("place", "named", "form"),
    [("a.CSV", None, "csv"), ("a.ndjson", None, "jsonl"), ("a.pq", None, "parquet"), ("a.txt", "json", "json")],
)
def test_the_name_says_the_format(place: str, named: Format | None, form: Format) -> None:
    assert format_of(place, named) == form


def test_a_name_that_says_none() -> None:
    with pytest.raises(ConfigError, match=r"a\.txt"):
        format_of("a.txt", None)


@pytest.fixture
def redacting(make_store: Callable[..., Store]) -> Callable[..., Store]:
    rules = RedactSettings(
        patterns=("email",), paths=("input.name",), hash_ids=("user_id",), own={"ticket": OwnPattern("T-[0-9]+")}
    )

    def make(*applied: str) -> Store:
        return make_store(
            Definitions(redact=rules), traces=TRACES, **{"meta.redaction": [{"rule": r} for r in applied]}
        )

    return make


APPLIED = ("pattern:email:aa", "path:input.name", "hash:user_id", "own:ticket:bb", "key:cc")


def test_what_is_redacted_goes_out(redacting: Callable[..., Store]) -> None:
    assert exported(redacting(*APPLIED), "traces", "csv")


@pytest.mark.parametrize("missing", range(4))
def test_a_rule_that_the_data_has_not_seen_closes_the_way_out(redacting: Callable[..., Store], missing: int) -> None:
    store = redacting(*(rule for number, rule in enumerate(APPLIED) if number != missing))
    with pytest.raises(ConfigError, match="redact"):
        exported(store, "traces", "csv")


def test_a_warehouse_from_before_redaction_has_seen_no_rule(redacting: Callable[..., Store]) -> None:
    store = redacting()
    store._connection.execute("drop table meta.redaction")
    with pytest.raises(ConfigError, match="pattern email"):
        exported(store, "traces", "csv")


def peak_mb(home: Path, form: Format) -> float:
    """Memory of a process that exports every observation, in MB."""
    program = [
        sys.executable,
        "-m",
        "app",
        "export",
        "observations",
        "-o",
        str(home / f"rows.{form}"),
        "--since",
        "all",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.measured", *program],
        cwd=ROOT,
        env={**os.environ, "TRACEHOUSE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stderr.splitlines()[-1])["peak_mb"])


@pytest.mark.long
def test_memory_does_not_follow_the_rows(tmp_path: Path) -> None:
    for observations in (300_000, 1_200_000):
        home = str(tmp_path / str(observations))
        program = [sys.executable, "-m", "tests.bench.warehouse", home, "--observations", str(observations)]
        subprocess.run(program, cwd=ROOT, capture_output=True, check=True)
    for form in FORMATS:
        few, many = (peak_mb(tmp_path / str(observations), form) for observations in (300_000, 1_200_000))
        assert many < few + 150, f"{form}: {few:.0f} MB, then {many:.0f} MB for four times the rows"

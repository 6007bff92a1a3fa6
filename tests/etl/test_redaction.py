"""What is personal never enters the warehouse, whichever way it came, and everything else stays as it was."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import ConfigError
from etl.pipeline import SyncOptions, SyncReport, sync
from etl.progress import SilentProgress
from etl.redaction import PATTERNS, Redactor
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import END, HOUR, tiny_world
from etl.settings import OwnPattern, RedactSettings, Settings, load_settings
from etl.warehouse.snapshots import open_reader

NOW = datetime.fromtimestamp(END / 1000, UTC).replace(tzinfo=None) + timedelta(hours=2)
EVERYTHING = RedactSettings(patterns=tuple(PATTERNS), own={"ticket": OwnPattern("TCK-[0-9]{6}")})
SECRETS = {
    "ana.silva@example.com": "[email]",
    "+351 912 345 678": "[phone]",
    "(11) 91234-5678": "[phone]",
    "4111 1111 1111 1111": "[card]",
    "5500005555555559": "[card]",
    "DE89370400440532013000": "[iban]",
    "GB29 NWBK 6016 1331 9268 19": "[iban]",
    "529.982.247-25": "[cpf]",
    "12.345.678/0001-95": "[cnpj]",
    "192.168.10.44": "[ip]",
    "2001:0db8:85a3:0000:0000:8a2e:0370:7334": "[ip]",
    "sk-proj-abcdEFGH1234567890abcd": "[api key]",
    "AKIAIOSFODNN7EXAMPLE": "[api key]",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789": "[api key]",
    "Bearer abcdefghijklmnopqrstuv": "[api key]",
    "TCK-123456": "[redacted]",
}
HARMLESS = (
    "order 20261120123456 of 2026-11-20T10:11:12.123Z cost $1,234.56",
    "128000 tokens, 1763720000000, 12:30:45, v1.2.3, 10 20 30 40",
    "6f1c1b52-3d52-4b27-8f7b-1f0f4f0d7a11 00f067aa0ba902b7 4bf92f3577b34da6a3ce929d0e0e4736",
    "gpt-4o-2024-08-06 on sk-learn with pk-lf; a::b; x@y; 3.14159; 1.5e-9",
    "https://docs.example.com/a/b?c=1#d and file_2026-11-20_v2.csv",
)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    Redactor(EVERYTHING, "key").prepare(made)
    return made


def redacted(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    [(found,)] = connection.execute("select redact_text($1)", [text]).fetchall()
    return str(found)


@pytest.mark.parametrize("secret", SECRETS)
def test_each_kind_becomes_its_placeholder(connection: duckdb.DuckDBPyConnection, secret: str) -> None:
    assert redacted(connection, f"call {secret}, please") == f"call {SECRETS[secret]}, please"


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_is_left_alone(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    assert redacted(connection, text) == text


@settings(max_examples=150, deadline=None)
@given(
    words=st.lists(st.one_of(st.sampled_from(sorted(SECRETS)), st.text(max_size=12)), min_size=1, max_size=6),
    joint=st.sampled_from([" ", "\n", "\t", '"', "\\", ", ", "é ", "[", "/ "]),
    is_ascii=st.booleans(),
    is_nested=st.booleans(),
)
def test_json_stays_json_and_once_is_enough(
    connection: duckdb.DuckDBPyConnection, words: list[str], joint: str, *, is_ascii: bool, is_nested: bool
) -> None:
    text = joint.join(word.replace("\x00", "") for word in words).encode("utf-8", "replace").decode()
    payload = json.dumps([{"role": "user", "content": text}], ensure_ascii=is_ascii)
    if is_nested:
        payload = json.dumps({"body": payload}, ensure_ascii=is_ascii)
    found = redacted(connection, payload)
    json.loads(found)
    assert redacted(connection, found) == found
    alone = [word for word in words if word in SECRETS]
    if joint in {" ", "\n", "\t", ", "} and len(alone) == len(words):
        assert not [word for word in alone if word in found]


def test_ids_stay_distinct_and_the_same(connection: duckdb.DuckDBPyConnection) -> None:
    query = "select redact_id($1, $2)"

    def hashed(value: str, *, listed: bool) -> str:
        [(found,)] = connection.execute(query, [value, listed]).fetchall()
        return str(found)

    assert hashed("u-1", listed=False) == "u-1"
    assert hashed("ana@example.com", listed=False) != hashed("bob@example.com", listed=False)
    assert hashed("u-1", listed=True).startswith("id-")
    assert hashed(hashed("u-1", listed=True), listed=True) == hashed("u-1", listed=True)
    other = duckdb.connect()
    Redactor(EVERYTHING, "another key").prepare(other)
    assert other.execute(query, ["u-1", True]).fetchall() != [(hashed("u-1", listed=True),)]


@dataclass
class Site:
    sandbox: Sandbox
    settings: Settings

    def sync(self, rules: RedactSettings, **options: Any) -> SyncReport:
        definitions = replace(self.settings.definitions, redact=rules)
        return sync(
            replace(self.settings, definitions=definitions),
            now=NOW,
            options=SyncOptions(**options),
            progress=SilentProgress(),
            stop=threading.Event(),
        )

    def dump(self) -> str:
        """Every text of every table."""
        with contextlib.closing(open_reader(self.settings.warehouse / "current.duckdb")) as reader:
            names = "select schema_name || '.' || table_name from duckdb_tables()"
            tables = [name for (name,) in reader.execute(names).fetchall()]
            return "\n".join(str(reader.execute(f"select * from {table}").fetchall()) for table in tables)

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(open_reader(self.settings.warehouse / "current.duckdb")) as reader:
            return reader.execute(text).fetchall()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server where personal data stands in every place that a client can fill."""
    sandbox = Sandbox(tiny_world())
    known = sandbox.world.observations[0]
    text = " and ".join(SECRETS)
    planted = replace(
        known,
        id="planted",
        trace_id="planted",
        parent_id="",
        start=END - 100 * HOUR,
        end=END - 100 * HOUR + 9,
        created=END,
        updated=END,
        level="ERROR",
        status_message=f"failed for {text}",
        input={"question": text, "customer": {"name": "Ana Silva"}},
        output={"answer": f"line\n{text}"},
        metadata={"note": text, "customer.name": "Ana Silva"},
    )
    sandbox.insert(planted)
    with serving(sandbox) as base_url:
        environ = {"TRACEHOUSE_HOME": str(tmp_path / "home"), "LANGFUSE_BASE_URL": base_url}
        environ |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY, "TRACEHOUSE_REDACT_KEY": "k"}
        yield Site(sandbox, load_settings(environ, tmp_path))


def files_below(folder: Path) -> str:
    return "\n".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


def test_nothing_personal_is_left_anywhere(site: Site) -> None:
    rules = replace(EVERYTHING, paths=("input.customer.name", "metadata.customer.name"), hash_ids=("user_id",))
    assert site.sync(rules).status == "done"
    stored = site.dump()
    assert "[email]" in stored
    left = files_below(site.settings.landing) + files_below(site.settings.home / "logs")
    for secret in (*SECRETS, "Ana Silva"):
        assert secret not in stored
        assert secret not in left
    payload = "select input, metadata from marts.payloads inner join marts.observations using (observation_id)"
    [(text, note)] = site.query(f"{payload} where observation_id = 'planted'")
    assert json.loads(text)["customer"]["name"] == "[redacted]"
    assert json.loads(note)["customer.name"] == "[redacted]"
    assert site.query("select count(*) from marts.traces where user_id not like 'id-%'") == [(0,)]


def test_numbers_and_keys_are_untouched(site: Site, tmp_path: Path) -> None:
    facts = (
        "select observation_id, start_time, input_tokens, cost_usd, model, type from marts.observations order by all"
    )
    site.sync(RedactSettings())
    before = site.query(facts)
    site.sync(EVERYTHING, full=True)
    assert site.query(facts) == before


def test_a_tighter_rule_reaches_what_is_stored(site: Site) -> None:
    site.sync(RedactSettings())
    assert "ana.silva@example.com" in site.dump()
    users = site.query("select count(distinct user_id), count(distinct session_id) from marts.traces")
    report = site.sync(RedactSettings(patterns=("email",), hash_ids=("user_id", "session_id")))
    assert (report.status, report.snapshot) == ("done", 2)
    assert "ana.silva@example.com" not in site.dump()
    assert "529.982.247-25" in site.dump()
    assert site.query("select count(distinct user_id), count(distinct session_id) from marts.traces") == users
    assert [path.name for path in (site.settings.warehouse / "snapshots").iterdir()] == ["2.duckdb"]
    assert "ana.silva@example.com" not in files_below(site.settings.landing)
    assert site.sync(RedactSettings(patterns=("email",), hash_ids=("user_id", "session_id"))).status == "unchanged"


def test_a_looser_rule_says_that_it_needs_a_new_sync(site: Site) -> None:
    site.sync(EVERYTHING)
    report = site.sync(RedactSettings())
    assert "[redact] lets more through than before" in report.warnings[0]
    assert "ana.silva@example.com" not in site.dump()
    site.sync(RedactSettings(), full=True)
    assert "ana.silva@example.com" in site.dump()


def test_what_can_not_be_stored_is_redacted_too(site: Site) -> None:
    broken = replace(site.sandbox.world.observations[0], id="", input="ana.silva@example.com", start=END - HOUR)
    site.sandbox.insert(broken)
    report = site.sync(EVERYTHING)
    assert report.entities["observations"].quarantined >= 1
    [(record,)] = site.query("select record from meta.quarantine where reason like '%no id%' limit 1")
    assert "[email]" in record
    assert "ana.silva" not in record


@pytest.mark.parametrize(
    ("rules", "environ", "message"),
    [
        (RedactSettings(patterns=("emial",)), {"TRACEHOUSE_REDACT_KEY": "k"}, "'emial', which is unknown"),
        (RedactSettings(paths=("customer.name",)), {"TRACEHOUSE_REDACT_KEY": "k"}, "'customer.name', which is no path"),
        (RedactSettings(hash_ids=("name",)), {"TRACEHOUSE_REDACT_KEY": "k"}, "hash_ids names 'name'"),
        (RedactSettings(patterns=("email",)), {}, "TRACEHOUSE_REDACT_KEY is not set"),
    ],
)
def test_a_mistake_is_one_line(rules: RedactSettings, environ: dict[str, str], message: str, tmp_path: Path) -> None:
    made = load_settings({"TRACEHOUSE_HOME": str(tmp_path), **environ}, tmp_path)
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")) as caught:
        Redactor.of(replace(made, definitions=replace(made.definitions, redact=rules)))
    assert caught.value.exit_code == 2


def test_a_pattern_that_the_engine_refuses_is_one_line() -> None:
    rules = RedactSettings(own={"ahead": OwnPattern("(?=x)")})
    with pytest.raises(ConfigError, match=r"\[redact.own.ahead\] pattern is '\(\?=x\)'"):
        Redactor(rules, "k").prepare(duckdb.connect())

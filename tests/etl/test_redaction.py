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
from etl.redaction import IDS, JSONS, PATTERNS, TABLES, TEXTS, Redactor
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import END, HOUR, tiny_world
from etl.settings import OwnPattern, RedactSettings, Settings, load_settings
from etl.warehouse.migrate import migrations
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
    "sk-lf-3f2a1b2c-1111-2222-3333-0123456789ab": "[api key]",
    "00351 912 345 678": "[phone]",
    "fe80::1ff:fe23": "[ip]",
    "TCK-123456": "[ticket]",
}
HARMLESS = (
    "order 20261120123456 of 2026-11-20T10:11:12.123Z cost $1,234.56",
    "128000 tokens, 1763720000000, 12:30:45, v1.2.3, 10 20 30 40",
    "6f1c1b52-3d52-4b27-8f7b-1f0f4f0d7a11 00f067aa0ba902b7 4bf92f3577b34da6a3ce929d0e0e4736",
    "gpt-4o-2024-08-06 on sk-learn with pk-lf; a::b; x@y; 3.14159; 1.5e-9",
    "https://docs.example.com/a/b?c=1#d and file_2026-11-20_v2.csv",
    "order 4026112012345678, batch 3026-1120-1234-5678, +1500 tokens, +12.5 %, 2026-11-20T10:11:12+0100",
)


@dataclass
class Redaction:
    """Some rules on a connection of their own."""

    redactor: Redactor
    connection: duckdb.DuckDBPyConnection

    def __call__(self, text: str) -> str:
        """What is stored of an observation's input."""
        return str(self.row(input=text)["input"])

    def row(self, **values: Any) -> dict[str, Any]:
        """What is stored of a row of ``raw.observations``."""
        return self.rows("observations", [values])[0]

    def rows(self, table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        run = self.connection.execute
        run(f"create or replace temp table incoming as from raw.{table} limit 0")
        for values in rows:
            names = ", ".join(f"${number} as {name}" for number, name in enumerate(values, start=1))
            run(f"insert into incoming by name select {names}", list(values.values()))
        self.redactor.apply(self.connection, table)
        found = run("from incoming")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def redaction_by(rules: RedactSettings, key: str = "key") -> Redaction:
    made = duckdb.connect()
    for migration in migrations():
        made.execute(migration.script)
    redactor = Redactor(rules, key)
    redactor.prepare(made)
    return Redaction(redactor, made)


@pytest.fixture(scope="module")
def redacted() -> Redaction:
    return redaction_by(EVERYTHING)


@pytest.mark.parametrize("secret", SECRETS)
def test_each_kind_becomes_its_placeholder(redacted: Redaction, secret: str) -> None:
    assert redacted(f"call {secret}, please") == f"call {SECRETS[secret]}, please"


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_is_left_alone(redacted: Redaction, text: str) -> None:
    assert redacted(text) == text


PAYLOADS = st.tuples(
    st.lists(st.one_of(st.sampled_from(sorted(SECRETS)), st.text(max_size=12)), min_size=1, max_size=6),
    st.sampled_from([" ", "\n", "\t", '"', "\\", ", ", "é ", "[", "/ "]),
    st.booleans(),
    st.booleans(),
)


def payload_of(words: list[str], joint: str, *, is_ascii: bool, is_nested: bool) -> str:
    text = joint.join(word.replace("\x00", "") for word in words).encode("utf-8", "replace").decode()
    payload = json.dumps([{"role": "user", "content": text}], ensure_ascii=is_ascii)
    return json.dumps({"body": payload}, ensure_ascii=is_ascii) if is_nested else payload


@settings(max_examples=15, deadline=None)
@given(drawn=st.lists(PAYLOADS, min_size=1, max_size=20))
def test_json_stays_json_and_once_is_enough(
    redacted: Redaction, drawn: list[tuple[list[str], str, bool, bool]]
) -> None:
    payloads = [
        payload_of(words, joint, is_ascii=is_ascii, is_nested=is_nested) for words, joint, is_ascii, is_nested in drawn
    ]
    found = [row["input"] for row in redacted.rows("observations", [{"input": text} for text in payloads])]
    again = [row["input"] for row in redacted.rows("observations", [{"input": text} for text in found])]
    assert again == found
    for text, (words, joint, _, _) in zip(found, drawn, strict=True):
        json.loads(text)
        if joint in {" ", "\n", "\t", ", "} and all(word in SECRETS for word in words):
            assert not [word for word in words if word in text]


def test_ids_stay_distinct_and_the_same(redacted: Redaction) -> None:
    listed = redaction_by(replace(EVERYTHING, hash_ids=("user_id",)))
    [ana, bob, plain] = [
        redacted.row(user_id=name)["user_id"] for name in ("ana@example.com", "bob@example.com", "u-1")
    ]
    assert ana != bob
    assert plain == "u-1"
    hashed = listed.row(user_id="u-1", session_id="s-1")
    assert hashed["user_id"].startswith("id-")
    assert hashed["session_id"] == "s-1"
    assert listed.row(user_id=hashed["user_id"]) | {"session_id": None} == hashed | {"session_id": None}
    other = redaction_by(replace(EVERYTHING, hash_ids=("user_id",)), "another key")
    assert other.row(user_id="u-1")["user_id"] != hashed["user_id"]


def test_every_text_of_every_table_is_redacted(redacted: Redaction) -> None:
    secret = "ana.silva@example.com"
    for table in TABLES:
        columns = [*TEXTS.get(table, ()), *JSONS.get(table, ()), *IDS.get(table, ())]
        values: dict[str, Any] = dict.fromkeys(columns, f'{{"mail": "{secret}"}}')
        values |= {"tags": [secret, "harmless"]} if table == "observations" else {}
        [row] = redacted.rows(table, [values])
        assert secret not in str(row), table
        for name in JSONS.get(table, ()):
            assert json.loads(row[name]) == {"mail": "[email]"}


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


def test_another_key_is_noticed(site: Site) -> None:
    rules = RedactSettings(hash_ids=("user_id",))
    site.sync(rules)
    before = site.query("select distinct user_id from marts.traces where user_id is not null")
    site.settings = replace(site.settings, environ={**site.settings.environ, "TRACEHOUSE_REDACT_KEY": "another"})
    assert "[redact] has another key" in site.sync(rules).warnings[0]
    assert site.sync(rules).status == "unchanged"
    site.sync(rules, full=True)
    after = site.query("select distinct user_id from marts.traces where user_id is not null")
    assert len(after) == len(before)
    assert not set(after) & set(before)


def test_a_better_pattern_reaches_what_is_stored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = RedactSettings(patterns=("email",))
    site.sync(rules)
    assert "529.982.247-25" in site.dump()
    monkeypatch.setitem(PATTERNS, "email", f"(?:{PATTERNS['email']}|529.982.247-25)")
    report = site.sync(rules)
    assert not report.warnings
    assert "529.982.247-25" not in site.dump()


def test_what_is_cut_was_redacted_before(site: Site) -> None:
    secret = "ana.silva@example.com"
    text = json.dumps({"customer": {"name": "Ana Silva"}, "pad": "x" * (970 - len(secret) // 2), "mail": secret})
    site.sandbox.insert(replace(site.sandbox.world.observations[0], id="long", input=text, start=END - HOUR))
    sync_settings = replace(site.settings.definitions.sync, max_payload_kb=1)
    site.settings = replace(site.settings, definitions=replace(site.settings.definitions, sync=sync_settings))
    site.sync(RedactSettings(patterns=("email",), paths=("input.customer.name",)))
    [(stored,)] = site.query("select input from raw.observations where observation_id = 'long'")
    assert "[cut from" in stored
    assert "ana." not in stored
    assert "Ana Silva" not in stored


def test_what_can_not_be_stored_is_redacted_too(site: Site) -> None:
    broken = replace(site.sandbox.world.observations[0], id="", input="ana.silva@example.com", start=END - HOUR)
    site.sandbox.insert(broken)
    report = site.sync(EVERYTHING)
    assert report.entities["observations"].quarantined >= 1
    [(record,)] = site.query("select record from meta.quarantine where reason like '%no id%' limit 1")
    assert "[email]" in record
    assert "ana.silva" not in record


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('patterns = ["emial"]', ":2: [redact] patterns names 'emial', which is unknown. Did you mean email?"),
        (
            'paths = ["customer.name"]',
            ":2: [redact] paths names 'customer.name', which has another form. Write it like",
        ),
        ('hash_ids = ["name"]', ":2: [redact] hash_ids names 'name', which is unknown. Choose among user_id"),
        ('pattern = ["email"]', ":2: [redact] pattern = ['email'] is not a known setting. Did you mean patterns?"),
    ],
)
def test_a_mistake_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "tracehouse.toml").write_text(f"[redact]\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings({"TRACEHOUSE_HOME": str(tmp_path)}, tmp_path)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_without_a_key_nothing_is_read(tmp_path: Path) -> None:
    made = load_settings({"TRACEHOUSE_HOME": str(tmp_path)}, tmp_path)
    rules = RedactSettings(patterns=("email",))
    with pytest.raises(ConfigError, match="TRACEHOUSE_REDACT_KEY is not set"):
        Redactor.of(replace(made, definitions=replace(made.definitions, redact=rules)))


@pytest.mark.parametrize(
    ("pattern", "says"), [("x*", "matches nothing at all"), ("[a-z]+", r"its own placeholder \[word\]")]
)
def test_a_pattern_that_would_never_end_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Redactor(RedactSettings(own={"word": OwnPattern(pattern)}), "k").prepare(duckdb.connect())


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"card": 4111111111111111, "tokens": 128000}', {"card": "[card]", "tokens": 128000}),
        ('[5500005555555559, 1.5e3, "pay, 4111111111111111, now"]', ["[card]", 1500, "pay, [card], now"]),
        ('{"sum": 777777, "note": "777777"}', {"sum": "[six]", "note": "[six]"}),
    ],
)
def test_a_bare_number_becomes_a_text(payload: str, expected: object) -> None:
    redact = redaction_by(RedactSettings(patterns=tuple(PATTERNS), own={"six": OwnPattern("777777")}))
    found = redact(payload)
    assert json.loads(found) == expected
    assert redact(found) == found


def test_many_paths_cost_no_more_than_their_number() -> None:
    paths = tuple(f"input.customer.field_{number}" for number in range(12))
    redact = redaction_by(RedactSettings(paths=(*paths, "output.a", "metadata.a.b")))
    content = {"customer": {f"field_{number}": number for number in range(13)}}
    values = {"input": json.dumps(content), "expected_output": '{"a": 1}', "metadata": '{"a.b": 1}'}
    [row] = redact.rows("dataset_items", [values])
    text, expected, metadata = row["input"], row["expected_output"], row["metadata"]
    assert json.loads(text) == {"customer": dict.fromkeys(content["customer"], "[redacted]") | {"field_12": 12}}
    assert (json.loads(expected), json.loads(metadata)) == ({"a": "[redacted]"}, {"a.b": "[redacted]"})


def test_a_pattern_that_the_engine_refuses_is_one_line() -> None:
    rules = RedactSettings(own={"ahead": OwnPattern("(?=x)")})
    with pytest.raises(ConfigError, match=r"\[redact.own.ahead\] pattern is '\(\?=x\)'"):
        Redactor(rules, "k").prepare(duckdb.connect())

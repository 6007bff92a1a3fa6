"""Keeps personal data out of the warehouse: between landing and load, in bulk, by the rules of ``[redact]``.

Text gets placeholders, ids of people and conversations a keyed hash, so that they stay distinct and joinable. JSON
stays JSON. What could not be stored is redacted as text before it goes to the quarantine. Rules that get tighter are
applied to what is stored; what looser rules would let through has to be read again. Knows nothing of files and the API.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources

import duckdb

from etl.errors import ConfigError
from etl.settings import RedactSettings, Settings

BEFORE = r"(^|\\[bfnrt]|[^0-9A-Za-z])"
BEFORE_OWN = r"(\\[bfnrt]|)"
NEVER = r"($.)(x)"
COUNTRIES = "A[DELTZ]|B[AEGHRY]|C[HRYZ]|D[EKO]|E[EGS]|F[IOR]|G[BEILRT]|H[RU]|I[ELQST]|JO|K[WZ]|L[BCITUVY]|M[CDEKRTU]"
COUNTRIES += "|N[LO]|P[KLST]|QA|R[OS]|S[ACEIKMTV]|T[LNR]|UA|V[AG]|XK"

PATTERNS: Mapping[str, str] = {
    "api_key": r"(?:(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*(?:[A-Za-z]*[0-9][A-Za-z0-9]{5,}|[A-Za-z0-9]{16,})"
    r"(?:[-_][A-Za-z0-9]+)*|A(?:KIA|SIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{30,}"
    r"|(?i:bearer) [A-Za-z0-9._~+/-]{16,}=*|Basic [A-Za-z0-9+/]{12,}={1,2}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r'|-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*?-----END [A-Z ]*PRIVATE KEY-----)',
    "email": r"[\pL0-9._%+-]+@[\pL0-9-]+(?:\.[\pL0-9-]+)+",
    "iban": rf"(?:{COUNTRIES})[0-9]{{2}}(?: ?[A-Z0-9]{{4}}){{2,7}}(?: ?[A-Z0-9]{{1,4}})?\b",
    "card": r"(?:[3-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{1,7}|3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}"
    r"|4[0-9]{15}|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|6(?:011|5[0-9]{2})[0-9]{12})\b",
    "cnpj": r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}\b",
    "cpf": r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b",
    "phone": r"(?:\+[1-9](?:[ .()-]{0,2}[0-9]){7,14}|00[1-9][0-9]{0,2}[ .-][0-9](?:[ .()-]{0,2}[0-9]){6,11}"
    r"|\([0-9]{2,3}\) ?9?[0-9]{3,4}[ .-][0-9]{4}|[2-9][0-9]{2}[.-][0-9]{3}[.-][0-9]{4})\b",
    "ip": r"(?:(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\b"
    r"|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\b"
    r"|(?:[0-9][0-9A-Fa-f]{2,3}|[Ff][C-Fc-f][0-9A-Fa-f]{2})(?::[0-9A-Fa-f]{1,4}){0,5}:(?::[0-9A-Fa-f]{1,4}){1,6}\b)",
}
"""By name, in the order in which they are applied; the syntax is that of RE2.

Numbers without their separators (a CPF of eleven digits, a national phone number) look like order numbers and are left
alone: name their place in ``paths``, or a pattern of your own.
"""

TEXTS: Mapping[str, tuple[str, ...]] = {
    "observations": ("name", "trace_name", "status_message", "version", "release", "prompt_name", "input", "output"),
    "scores": ("name", "comment", "string_value"),
    "datasets": ("name", "description"),
    "dataset_items": ("dataset_name", "input", "expected_output"),
    "experiments": ("name", "description"),
}
JSONS: Mapping[str, tuple[str, ...]] = {
    "observations": ("metadata", "model_parameters"),
    "scores": ("metadata",),
    "datasets": ("metadata",),
    "dataset_items": ("metadata",),
    "experiments": ("metadata",),
}
IDS: Mapping[str, tuple[str, ...]] = {
    "observations": ("user_id", "session_id"),
    "scores": ("session_id", "author_id"),
    "sessions": ("session_id",),
}
TAGS: Mapping[str, tuple[str, ...]] = {"observations": ("tags",)}
PATH_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "input": ("input",),
    "output": ("output", "expected_output"),
    "metadata": ("metadata",),
}
"""What a path begins with, and the columns that it reaches."""

STEPS = ("redact_first", "without_cards", "redact_last")  # macros, in their order
TABLES = tuple(dict.fromkeys([*TEXTS, *JSONS, *IDS]))


class Redactor:
    """The rules, ready for one connection.

    Args:
        rules: ``[redact]``.
        key: of the hashes of ids.
    """

    def __init__(self, rules: RedactSettings, key: str) -> None:
        self._rules = rules
        self._key = key

    @classmethod
    def of(cls, settings: Settings) -> Redactor | None:
        """The configured one; None where nothing is to be redacted.

        Raises:
            ConfigError: the key's variable is not set.
        """
        rules = settings.definitions.redact
        if not rules.is_active:
            return None
        key = settings.environ.get(rules.key_env, "").strip()
        if not key:
            raise ConfigError(
                f"{rules.key_env} is not set, and [redact] needs it to hash ids",
                hint=f"Make one, keep it, and export it: {rules.key_env}=$(openssl rand -hex 32)",
            )
        return cls(rules, key)

    @property
    def names(self) -> set[str]:
        """Each rule with its fingerprint, as the warehouse remembers them; the key's is a hash made with it."""
        rules = self._rules
        own = {f"own:{name}:{_digest(pattern.pattern)}" for name, pattern in rules.own.items()}
        listed = {f"pattern:{name}:{_digest(PATTERNS[name])}" for name in rules.patterns}
        keyed = hmac.new(self._key.encode(), b"tracehouse", "sha256").hexdigest()[:16]
        places = {f"path:{path}" for path in rules.paths} | {f"hash:{name}" for name in rules.hash_ids}
        return own | listed | places | {f"key:{keyed}"}

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the macros.

        Raises:
            ConfigError: a pattern of one's own is no regular expression of RE2, or matches nothing or its placeholder.
        """
        run = connection.execute
        for name, pattern in PATTERNS.items():
            run(f"set variable redact_{name} = $1", [f"{BEFORE}({pattern})" if name in self._rules.patterns else NEVER])
        redacted = "value"
        for number, (name, own) in enumerate(self._rules.own.items()):
            _check_own(connection, name, own.pattern)
            run(f"set variable redact_own_{number} = $1", [f"{BEFORE_OWN}(?:{own.pattern})"])
            run(f"set variable redact_own_{number}_mark = $1", [rf"\1[{name}]"])
            variables = f"getvariable('redact_own_{number}'), getvariable('redact_own_{number}_mark')"
            redacted = f"regexp_replace({redacted}, {variables}, 'g')"
        patterns = [f"{BEFORE}(?:{PATTERNS[name]})" for name in self._rules.patterns]
        patterns += [f"(?:{own.pattern})" for own in self._rules.own.values()]
        run("set variable redact_any = $1", ["|".join(patterns) or NEVER])
        run("set variable redact_key = $1", [self._key])
        for number, path in enumerate(self._rules.paths):
            for spot, (place, patch) in enumerate(_spots(path)):
                run(f"set variable redact_path_{number}_{spot} = $1", [place])
                run(f"set variable redact_path_{number}_{spot}_patch = $1", [patch])
        run(f"create or replace temp macro redact_own(value) as {redacted}")
        run(_statement("macros"))

    def apply(self, connection: duckdb.DuckDBPyConnection, table: str, target: str = "incoming") -> None:
        """Redact every row of a table that has the columns of ``raw.<table>``; once more changes nothing."""
        if table in TABLES:
            self._redact(connection, table, target, target)

    def apply_to_rejected(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Redact what goes to the quarantine, as text."""
        connection.execute("update rejected set record = redact_text(record)")

    def rewrite_stored(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> int:
        """Redact what is stored already, and say how many rows that changed."""
        run = connection.execute
        changed = 0
        for table in TABLES:
            columns = [*_texts(table), *IDS.get(table, ()), *TAGS.get(table, ())]
            self._redact(connection, table, f"(select rowid as stored_row, * from raw.{table})", "rewritten")  # noqa: S608 - declared names
            differs = " or ".join(f"{table}.{column} is distinct from rewritten.{column}" for column in columns)
            sets = ", ".join(f"{column} = rewritten.{column}" for column in columns)
            update = f"update raw.{table} set {sets}, run_id = $1 from rewritten where {table}.rowid = stored_row"  # noqa: S608 - declared names
            [(count,)] = run(f"{update} and ({differs})", [run_id]).fetchall()
            changed += count
            run("drop table rewritten")
        text = "update meta.quarantine set record = redact_text(record) where record <> redact_text(record)"
        [(count,)] = run(text).fetchall()
        return changed + int(count)

    def _redact(self, connection: duckdb.DuckDBPyConnection, table: str, source: str, target: str) -> None:
        """Make a table of what a source with the columns of ``raw.<table>`` says, redacted."""
        run = connection.execute
        suspect = _true_ones(connection, {name: f"may_change({name}::varchar)" for name in _texts(table)}, source)
        run(f"create or replace temp table {target} as {self._redacted(table, source, suspect)}")
        broken = _true_ones(connection, {name: f"broken.{name} is not null" for name in suspect}, target)
        if broken:
            parts = {name: f"mended(broken.{name}, {name})" for name in broken}
            run(f"create or replace temp table {target} as {_replacing(parts, target)}")
        if suspect:
            run(f"alter table {target} drop column broken")
        for number, path in enumerate(self._rules.paths):
            reached = [column for column in PATH_COLUMNS[path.partition(".")[0]] if column in _texts(table)]
            for spot in range(len(_spots(path)) if reached else 0):
                place = f"getvariable('redact_path_{number}_{spot}')"
                for column in reached:
                    merged = f"redact_at({column}, getvariable('redact_path_{number}_{spot}_patch'))"
                    run(f"update {target} set {column} = {merged} where has_at({column}, {place})")  # noqa: S608 - declared names

    def _redacted(self, table: str, source: str, columns: Sequence[str]) -> str:
        """The statement that reads a source with some columns redacted; ``broken`` has what is no longer JSON.

        Each step is a query around the one before: nested in one expression they would multiply.
        """
        ids = {name: f"redact_id({name}, {str(name in self._rules.hash_ids).lower()})" for name in IDS.get(table, ())}
        others = ids | {name: f"redact_tags({name})" for name in TAGS.get(table, ())}
        if not columns:
            return _replacing(others, source) if others else f"from {source}"
        text = _adding({f"plain_{name}": f"plain_json({name}::varchar)" for name in columns}, source)
        text = _adding({f"is_{name}": f"is_suspect(plain_{name})" for name in columns}, f"({text})")
        value = "plain_{name}"
        for step in STEPS:
            parts = {}
            for name in columns:
                before = value.format(name=name)
                parts[f"{step}_{name}"] = f"case when is_{name} then {step}({before}) else {before} end"
            text = _adding(parts, f"({text})")
            value = f"{step}_{{name}}"
        broken = ", ".join(
            f"{name} := case when is_{name} and is_broken(plain_{name}, redact_last_{name}) then plain_{name} end"
            for name in columns
        )
        text = _adding({"broken": f"struct_pack({broken})"}, f"({text})")
        made = [f"{step}_{name}" for step in ("plain", "is", *STEPS) for name in columns]
        replaced = {name: f"redact_last_{name}" for name in columns} | others
        return _replacing(replaced, f"({text})", excluded=made)


def rules_changed(connection: duckdb.DuckDBPyConnection, names: set[str]) -> tuple[set[str], set[str]]:
    """Which rules are new since the warehouse was written, and which are gone.

    A built-in pattern that reads otherwise than it did counts as new alone: later versions know more, not less.
    """
    try:
        known = {rule for (rule,) in connection.execute("select rule from meta.redaction").fetchall()}
    except duckdb.CatalogException:  # written before there were any
        known = set()
    patterns = {_stem(name) for name in names if name.startswith("pattern:")}
    return names - known, {rule for rule in known - names if _stem(rule) not in patterns}


def remember_rules(connection: duckdb.DuckDBPyConnection, names: set[str]) -> None:
    """Keep the rules by which everything stored is redacted."""
    connection.execute("delete from meta.redaction")
    for name in sorted(names):
        connection.execute("insert into meta.redaction values ($1)", [name])


def _spots(path: str) -> list[tuple[str, str]]:
    """Where a path lies as nested objects (the older family) and as one dotted key (newer servers), and the patch."""
    _, *keys = path.split(".")
    spots = []
    for steps in dict.fromkeys([tuple(keys), (".".join(keys),)]):
        patch: object = "[redacted]"
        for key in reversed(steps):
            patch = {key: patch}
        spots.append(("$" + "".join(f'."{key}"' for key in steps), json.dumps(patch)))
    return spots


def _true_ones(connection: duckdb.DuckDBPyConnection, conditions: Mapping[str, str], source: str) -> list[str]:
    """The names whose condition holds in any row."""
    if not conditions:
        return []
    asked = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in conditions.values())
    [found] = connection.execute(f"select {asked} from {source}").fetchall()  # noqa: S608 - declared names
    return [name for name, is_true in zip(conditions, found, strict=True) if is_true]


def _adding(parts: Mapping[str, str], source: str) -> str:
    columns = ", ".join(f"{expression} as {column}" for column, expression in parts.items())
    return f"select *, {columns} from {source}"  # noqa: S608 - declared names


def _replacing(parts: Mapping[str, str], source: str, excluded: Sequence[str] = ()) -> str:
    columns = ", ".join(f"{expression} as {column}" for column, expression in parts.items())
    without = f"exclude ({', '.join(excluded)})" if excluded else ""
    return f"select * {without} replace ({columns}) from {source}"  # noqa: S608 - declared names


def _texts(table: str) -> tuple[str, ...]:
    """The columns of text and of JSON."""
    return (*TEXTS.get(table, ()), *JSONS.get(table, ()))


def _stem(rule: str) -> str:
    return ":".join(rule.split(":")[:2])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_own(connection: duckdb.DuckDBPyConnection, name: str, pattern: str) -> None:
    if not re.fullmatch(r"[\w-]+", name):
        raise ConfigError(f"[redact.own] {name!r} is no name", hint="Use letters, digits, - and _")
    query = "select regexp_matches('', $1), regexp_matches($2, $1)"
    try:
        [(is_empty, is_endless)] = connection.execute(query, [pattern, f"[{name}]"]).fetchall()
    except duckdb.Error as error:
        raise ConfigError(
            f"[redact.own.{name}] pattern is {pattern!r}, which is no regular expression of RE2",
            hint="No look-around and no back-references; mend it, or leave it out",
        ) from error
    if is_empty or is_endless:
        what = "nothing at all" if is_empty else f"its own placeholder [{name}]"
        raise ConfigError(
            f"[redact.own.{name}] pattern is {pattern!r}, which matches {what}",
            hint="Say more exactly what is personal",
        )


def _statement(name: str) -> str:
    return (resources.files("etl.redact_sql") / f"{name}.sql").read_text(encoding="utf-8")

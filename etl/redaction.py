"""Keeps personal data out of the warehouse: between landing and load, in bulk, by the rules of ``[redact]``.

Text gets placeholders, ids of people and conversations a keyed hash, so that they stay distinct and joinable. JSON
stays JSON. What could not be stored is redacted as text before it goes to the quarantine. Rules that get tighter are
applied to what is stored; what looser rules would let through has to be read again. Knows nothing of files and the API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources

import duckdb

from etl.errors import ConfigError
from etl.settings import RedactSettings, Settings

BEFORE = r"(^|\\[bfnrt]|[^0-9A-Za-z])"
BEFORE_OWN = r"(\\[bfnrt]|)"
NEVER = r"($.)x"
COUNTRIES = "A[DELTZ]|B[AEGHRY]|C[HRYZ]|D[EKO]|E[EGS]|F[IOR]|G[BEILRT]|H[RU]|I[ELQST]|JO|K[WZ]|L[BCITUVY]|M[CDEKRTU]"
COUNTRIES += "|N[LO]|P[KLST]|QA|R[OS]|S[ACEIKMTV]|T[LNR]|UA|V[AG]|XK"

PATTERNS: Mapping[str, str] = {
    "api_key": r"(?:(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{16,}|A(?:KIA|SIA)[0-9A-Z]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{30,}"
    r"|Bearer [A-Za-z0-9._~+/-]{16,}=*|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})",
    "email": r"[\pL0-9._%+-]+@[\pL0-9-]+(?:\.[\pL0-9-]+)+",
    "iban": rf"(?:{COUNTRIES})[0-9]{{2}}(?: ?[A-Z0-9]{{4}}){{2,7}}(?: ?[A-Z0-9]{{1,4}})?\b",
    "card": r"(?:[3-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{1,7}|3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}"
    r"|4[0-9]{15}|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|6(?:011|5[0-9]{2})[0-9]{12})\b",
    "cnpj": r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}\b",
    "cpf": r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b",
    "phone": r"(?:\+[1-9][0-9]{0,2}[ .-]?(?:\(?[0-9]{1,5}\)?[ .-]?){1,5}[0-9]{2,4}"
    r"|\([0-9]{2,3}\) ?9?[0-9]{3,4}[ .-][0-9]{4}|[2-9][0-9]{2}[.-][0-9]{3}[.-][0-9]{4})\b",
    "ip": r"(?:(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\b"
    r"|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\b|(?:[0-9A-Fa-f]{1,4}:){2,6}:[0-9A-Fa-f]{1,4}\b)",
}
"""By name, in the order in which they are applied; the syntax is that of RE2.

Numbers without their separators (a CPF of eleven digits, a national phone number) look like order numbers and are left
alone: name their place in ``paths``, or a pattern of your own.
"""

TEXTS: Mapping[str, tuple[str, ...]] = {
    "observations": ("name", "trace_name", "status_message", "input", "output"),
    "scores": ("comment", "string_value"),
    "datasets": ("description",),
    "dataset_items": ("input", "expected_output"),
}
JSONS: Mapping[str, tuple[str, ...]] = {
    "observations": ("metadata", "model_parameters"),
    "scores": ("metadata",),
    "datasets": ("metadata",),
    "dataset_items": ("metadata",),
}
IDS: Mapping[str, tuple[str, ...]] = {
    "observations": ("user_id", "session_id"),
    "scores": ("session_id", "author_id"),
    "sessions": ("session_id",),
}
PATH_COLUMNS = ("input", "output", "metadata")


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
            ConfigError: a name or a path is unknown, or the key's variable is not set.
        """
        rules = settings.definitions.redact
        if not rules.is_active:
            return None
        _check(rules)
        key = settings.environ.get(rules.key_env, "").strip()
        if not key:
            raise ConfigError(
                f"{rules.key_env} is not set, and [redact] needs it to hash ids",
                hint=f"Make one, keep it, and export it: {rules.key_env}=$(openssl rand -hex 32)",
            )
        return cls(rules, key)

    @property
    def names(self) -> set[str]:
        """Each rule by itself, as the warehouse remembers them."""
        own = {f"own:{name}:{pattern.pattern}" for name, pattern in self._rules.own.items()}
        listed = {f"pattern:{name}" for name in self._rules.patterns} | {f"path:{path}" for path in self._rules.paths}
        return own | listed | {f"hash:{name}" for name in self._rules.hash_ids}

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the macros.

        Raises:
            ConfigError: a pattern of one's own is no regular expression of RE2.
        """
        run = connection.execute
        for name, pattern in PATTERNS.items():
            run(f"set variable redact_{name} = $1", [BEFORE + pattern if name in self._rules.patterns else NEVER])
        own = "|".join(f"(?:{pattern.pattern})" for pattern in self._rules.own.values())
        run("set variable redact_own = $1", [f"{BEFORE_OWN}(?:{own})" if own else NEVER])
        run("set variable redact_key = $1", [self._key])
        for number, path in enumerate(self._rules.paths):
            for spot, (place, patch) in enumerate(_spots(path)):
                run(f"set variable redact_path_{number}_{spot} = $1", [place])
                run(f"set variable redact_path_{number}_{spot}_patch = $1", [patch])
        run(_statement("macros"))
        for name, written in self._rules.own.items():
            try:
                run("select regexp_matches('', $1)", [written.pattern]).fetchall()
            except duckdb.Error as error:
                raise ConfigError(
                    f"[redact.own.{name}] pattern is {written.pattern!r}, which is no regular expression of RE2",
                    hint="No look-around and no back-references; mend it, or leave it out",
                ) from error

    def apply(self, connection: duckdb.DuckDBPyConnection, table: str, target: str = "incoming") -> None:
        """Redact every row of a table that has the columns of ``raw.<table>``; once more changes nothing."""
        parts = self._parts(table)
        if parts:
            columns = ", ".join(f"{expression} as {column}" for column, expression in parts.items())
            run = connection.execute
            run(f"create or replace temp table {target} as select * replace ({columns}) from {target}")  # noqa: S608 - declared names

    def apply_to_rejected(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Redact what goes to the quarantine, as text."""
        connection.execute("update rejected set record = redact_text(record)")

    def rewrite_stored(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> int:
        """Redact what is stored already, and say how many rows that changed."""
        run = connection.execute
        changed = 0
        for table in dict.fromkeys([*TEXTS, *IDS]):
            parts = self._parts(table)
            differs = " or ".join(f"{column} is distinct from {expression}" for column, expression in parts.items())
            sets = ", ".join(f"{column} = {expression}" for column, expression in parts.items())
            update = f"update raw.{table} set {sets}, run_id = $1 where {differs}"  # noqa: S608 - declared names
            [(rows,)] = run(update, [run_id]).fetchall()
            changed += rows
        text = "update meta.quarantine set record = redact_text(record) where record <> redact_text(record)"
        [(rows,)] = run(text).fetchall()
        return changed + int(rows)

    def _parts(self, table: str) -> dict[str, str]:
        """Column -> expression, made of declared names alone."""
        parts = {column: f"redact_text({column})" for column in TEXTS.get(table, ())}
        parts |= {column: f"redact_json({column})" for column in JSONS.get(table, ())}
        for column in IDS.get(table, ()):
            parts[column] = f"redact_id({column}, {str(column in self._rules.hash_ids).lower()})"
        if table == "observations":
            parts["tags"] = "list_transform(tags, lambda tag: redact_text(tag))"
            for number, path in enumerate(self._rules.paths):
                column = path.partition(".")[0]
                parts[column] = _without_path(parts[column], number, len(_spots(path)))
            parts["metadata"] = f"({parts['metadata']})::json"
        return parts


def rules_changed(connection: duckdb.DuckDBPyConnection, names: set[str]) -> tuple[set[str], set[str]]:
    """Which rules are new since the warehouse was written, and which are gone."""
    try:
        known = {rule for (rule,) in connection.execute("select rule from meta.redaction").fetchall()}
    except duckdb.CatalogException:  # written before there were any
        known = set()
    return names - known, known - names


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


def _without_path(expression: str, path: int, spots: int) -> str:
    """The expression with the value at a path replaced; places and patches are session variables."""
    for spot in range(spots):
        value, name = f"({expression})::varchar", f"redact_path_{path}_{spot}"
        is_there = f"json_exists({value}::json, getvariable('{name}'))"
        merged = f"json_merge_patch({value}::json, getvariable('{name}_patch')::json)::varchar"
        expression = f"case when not json_valid({value}) then {value} when {is_there} then {merged} else {value} end"
    return expression


def _check(rules: RedactSettings) -> None:
    unknown = [name for name in rules.patterns if name not in PATTERNS]
    if unknown:
        raise ConfigError(
            f"[redact] patterns names {unknown[0]!r}, which is unknown", hint=f"Choose among {', '.join(PATTERNS)}"
        )
    ids = {column for columns in IDS.values() for column in columns}
    strange = [name for name in rules.hash_ids if name not in ids]
    if strange:
        raise ConfigError(f"[redact] hash_ids names {strange[0]!r}", hint=f"Choose among {', '.join(sorted(ids))}")
    for path in rules.paths:
        column, *keys = path.split(".")
        if (
            column not in PATH_COLUMNS
            or not keys
            or not all(key.replace("_", "").replace("-", "").isalnum() for key in keys)
        ):
            raise ConfigError(
                f"[redact] paths names {path!r}, which is no path",
                hint="Write input, output or metadata and the keys below it: input.customer.name",
            )


def _statement(name: str) -> str:
    return (resources.files("etl.redact_sql") / f"{name}.sql").read_text(encoding="utf-8")

"""What may run: one statement that reads. Everything else is refused in one line that says why and what to do.

The engine refuses writes, files and settings by itself (``open_reader``); this is the layer in front of it, which also
explains, and which holds where an older engine lets something through.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from etl.errors import ConfigError

if TYPE_CHECKING:
    import duckdb

LONGEST = 100_000
READING = ("select", "from", "with", "values", "table", "describe", "desc", "show", "summarize", "pivot", "unpivot")
_NOTHING_WRITES = ("The warehouse is read-only here; a sync run changes it", "Ask for rows with SELECT")
_NO_FILES = (
    "Files and other databases can't be reached from here",
    "Take rows away with the download below the result",
)
_LOCKED = ("Settings are locked here", "Leave it out; the row cap and the time limit are beside the statement")
_NO_SESSION = (
    "Each statement runs by itself here, in a session of its own",
    "Put it into one SELECT, with WITH for steps",
)

# first word -> why it can't run, and what to do
_REFUSED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("insert", "update", "delete", "merge", "truncate", "alter", "drop", "comment"), _NOTHING_WRITES),
    **dict.fromkeys(("vacuum", "analyze", "checkpoint", "force"), _NOTHING_WRITES),
    "create": ("Nothing can be created here: the warehouse is read-only", "Use WITH name AS (SELECT ...) in front"),
    **dict.fromkeys(("attach", "detach", "copy", "export", "import"), _NO_FILES),
    **dict.fromkeys(("install", "load"), ("Extensions are off here", "Use what DuckDB itself brings")),
    **dict.fromkeys(("set", "reset"), _LOCKED),
    "pragma": ("Settings are locked here", "Use DESCRIBE, SHOW or SUMMARIZE"),
    "call": ("Procedures are off here", "Write SELECT * FROM function(...)"),
    **dict.fromkeys(("begin", "start", "commit", "end", "rollback", "abort"), _NO_SESSION),
    **dict.fromkeys(("prepare", "execute", "deallocate", "use"), _NO_SESSION),
}

# Functions that act rather than read, or that would hide one in a text. DuckDB 2 refuses those of the first line, too.
_ACTING = (
    *("enable_logging", "enable_profiling", "enable_profile", "checkpoint", "force_checkpoint"),
    *("disable_logging", "truncate_duckdb_logs", "write_log"),
    *("query", "query_table", "json_execute_serialized_sql"),
)
_ACTING_CALL = re.compile(rf'(?<![\w."])(?:\w+\.)*"?({"|".join(_ACTING)})"?\s*\(', re.IGNORECASE)

_SPACE = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|[(;])+", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]+")
_EXPLAIN = re.compile(r"explain\b(?:\s+analyze\b)?(?:\s*\([^)]*\))?", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)


def check_text(text: str) -> None:
    """Refuse what needs no engine to be refused.

    Raises:
        ConfigError: there is no statement, it is too long, or it begins with what does not read.
    """
    if len(text) > LONGEST:
        raise ConfigError(
            f"The statement has {len(text):,} characters", hint=f"Use at most {LONGEST:,}; name values instead of lists"
        )
    if "\x00" in text:
        raise ConfigError("The statement holds a null character", hint="Remove it")
    rest = text[_skipped(text) :]
    if _EXPLAIN.match(rest):
        rest = rest[_EXPLAIN.match(rest).end() :]  # type: ignore[union-attr]  # matched the line before
        rest = rest[_skipped(rest) :]
    word = _WORD.match(rest)
    if word is None:
        if not rest:
            raise ConfigError("There is no statement", hint="Begin with SELECT ... FROM marts.traces")
        raise _unknown(rest[:20])
    first = word[0].lower()
    if first in _REFUSED:
        why, what = _REFUSED[first]
        raise ConfigError(f"{first.upper()} can't run: {why[0].lower()}{why[1:]}", hint=what)
    if first not in READING:
        raise _unknown(word[0])
    acting = _ACTING_CALL.search(_QUOTED.sub("''", text))
    if acting:
        raise ConfigError(
            f"The function {acting[1].lower()} can't be called here: it acts, or runs a text as a statement",
            hint="Write what you want to read as one SELECT",
        )


def check_parsed(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse what the engine reads as more than one statement, or as one that does more than read.

    Args:
        connection: a locked one: engines before 2.0 read files while they take some statements apart.
        text: passed ``check_text``.

    Raises:
        ConfigError: see above; or a value is missing for a parameter.
        duckdb.Error: the text is no SQL.
    """
    import duckdb  # noqa: PLC0415 - a command's help pays for no engine

    statements = connection.extract_statements(text)
    if not statements:
        raise ConfigError("There is no statement", hint="Begin with SELECT ... FROM marts.traces")
    kinds = {str(statement.type).rpartition(".")[2] for statement in statements}
    # A PIVOT that has to look for its columns first is two statements to the engine, one of which creates a type.
    if text[_skipped(text) :].lower().startswith("pivot") and kinds - {"SELECT"}:
        raise ConfigError("PIVOT has to know its columns here", hint="Name them: PIVOT ... ON column IN ('a', 'b') ...")
    if len(statements) > 1:
        raise ConfigError(
            f"These are {len(statements)} statements, and one runs at a time", hint="Keep one and remove the others"
        )
    if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise ConfigError(f"A {kinds.pop()} statement can't run here: only what reads can", hint="Begin with SELECT")
    missing = sorted(statements[0].named_parameters)
    if missing:
        raise ConfigError(f"The parameter ${missing[0]} has no value", hint="Write the value itself, texts in 'quotes'")


def _skipped(text: str) -> int:
    """Where the first word begins: after spaces, comments and brackets."""
    blank = _SPACE.match(text)
    return blank.end() if blank else 0


def _unknown(beginning: str) -> ConfigError:
    return ConfigError(
        f"A statement can't begin with {beginning!r} here: only what reads can run",
        hint="Begin with SELECT, FROM, WITH, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN",
    )

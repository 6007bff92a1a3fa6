r"""The words of a conversation as something to filter by: ``text~refund not received``.

Payloads are JSON as the client wrote it, so what a person types is looked for in each form that JSON gives it: a line
break or another blank between two words, a letter written as ``\u00e3``, a quote behind a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from app.metrics.dimensions import WORDS, Grain, sql_file
from app.metrics.filters import Condition
from app.shared import read_once

__all__ = ["WORDS", "found_in", "pattern_of"]

_BLANK = r"(?:\s|\\[nrt])+"
_ASCII = 0x80
_BEYOND = 0x10000


def pattern_of(text: str) -> str:
    """A regular expression (RE2) that finds the text in plain words and in JSON; only its own letters are special."""
    return _BLANK.join("".join(_letter(letter) for letter in word) for word in text.split())


def _letter(letter: str) -> str:
    if letter in '"\\/':
        return rf"\\?{re.escape(letter)}"
    code = ord(letter)
    if code < _ASCII:
        return re.escape(letter)
    if code >= _BEYOND:
        high, low = divmod(code - _BEYOND, 0x400)
        return rf"(?:{letter}|\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x})"
    forms = dict.fromkeys((letter, letter.lower(), letter.upper()))
    written = [rf"\\u{ord(form):04x}" for form in forms if len(form) == 1]
    return f"(?:{'|'.join([letter, *written])})"


def found_in(condition: Condition, grain: Grain, start: datetime, bind: Callable[[str | datetime], str]) -> str:
    """A test of the unit ``u``: whether one of the texts was said in it.

    Args:
        condition: on ``WORDS``.
        grain: what a unit is.
        start: not after the units' window begins; nothing earlier is read, as a trace and a session begin with their
            first step. A score follows what it judges, whose words are read whenever that was.
        bind: puts a value into the statement.
    """
    since = bind(start)
    return f"({' or '.join(_found(text or '', grain, since, bind) for text in condition.values)})"


def _found(text: str, grain: Grain, since: str, bind: Callable[[str | datetime], str]) -> str:
    pattern = bind(pattern_of(text))
    said = _said(f"start_time >= {since}", pattern)
    if grain in ("trace", "observation"):
        return f"exists (select 1 from {said} w where w.project_id = u.project_id and w.trace_id = u.trace_id)"  # noqa: S608 - texts are constants of the registry
    if grain == "session":
        traces = f"marts.traces t semi join {said} w using (project_id, trace_id)"
        same = "t.project_id = u.project_id and t.session_id = u.session_id"
        return f"exists (select 1 from {traces} where {same})"  # noqa: S608 - as above
    late = _said(f"rowid in ({sql_file('scored_late').format(start=since)})", pattern)
    traces = f"marts.traces t semi join (from {said} union all from {late}) w using (project_id, trace_id)"
    # A score is about its trace, else about its session; both kinds in one list, so that payloads are read once.
    either = f"select t.project_id, unnest(['t' || t.trace_id, 's' || t.session_id]) as id from {traces}"  # noqa: S608 - as above
    same = "c.project_id = u.project_id and c.id = coalesce('t' || u.trace_id, 's' || u.session_id)"
    return f"exists (select 1 from ({either}) c where {same})"  # noqa: S608 - as above


def _said(which: str, pattern: str) -> str:
    # A few rows are best found first and kept; of a whole period only what is searched is read.
    how = "not materialized" if which.startswith("start_time") else "materialized"
    return read_once(sql_file("said").format(how=how, which=which, pattern=pattern))

"""Relations that many statements contain, such as the traces in which words are found: read once for each snapshot.

A statement marks such a relation in its own text, so that it stays whole and anybody can run it as it is shown. The
relation names nothing of the statement around it; what it is bound to is part of what it is. Knows no warehouse.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MOST_BYTES = 256_000_000
_BEGIN, _END = "/* read once */", "/* until here */"
_PART = re.compile(re.escape(_BEGIN) + "(.*?)" + re.escape(_END), re.DOTALL)
_PARAMETER = re.compile(r"\$(\w+)")

Run = Callable[["duckdb.DuckDBPyConnection", str, Mapping[str, Any]], "pa.Table"]
_Key = tuple[str, str]


def read_once(select: str) -> str:
    """The SELECT as a relation that a ``Shared`` reads once; it must hold no other such relation."""
    return f"({_BEGIN}{select}{_END})"


class Shared:
    """The rows of the relations that statements on one snapshot have in common.

    Args:
        run: gives the rows of a SELECT with its values, read with a connection.
        most_bytes: of rows that are kept; those that were not asked for the longest go first.
    """

    def __init__(self, run: Run, *, most_bytes: int = MOST_BYTES) -> None:
        self._run, self._most_bytes = run, most_bytes
        self._lock = threading.Lock()
        self._known: OrderedDict[_Key, Future[pa.Table]] = OrderedDict()

    def put_into(
        self, connection: duckdb.DuckDBPyConnection, text: str, values: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """The statement with its marked relations exchanged for rows, which the connection then knows by name.

        Returns:
            The text and those of the values that it still names.
        """
        if _BEGIN not in text:
            return text, dict(values)
        names: dict[str, str] = {}

        def named(found: re.Match[str]) -> str:
            select = found[1]
            if select not in names:
                names[select] = f"read_once_{len(names)}"
                connection.register(names[select], self._rows(connection, *_by_place(select, values)))
            return f"from {names[select]}"

        changed = _PART.sub(named, text)
        left = set(_PARAMETER.findall(changed))
        return changed, {name: value for name, value in values.items() if name in left}

    def forget(self) -> None:
        """Read everything again when it is asked for next."""
        with self._lock:
            self._known.clear()

    def _rows(self, connection: duckdb.DuckDBPyConnection, select: str, values: Mapping[str, Any]) -> pa.Table:
        key = (select, repr(values))
        with self._lock:
            known = self._known.get(key)
            rows = known or self._known.setdefault(key, Future())
            self._known.move_to_end(key)
        if known is None:
            try:
                rows.set_result(self._run(connection, select, values))
            except BaseException as error:
                with self._lock:
                    self._known.pop(key, None)
                rows.set_exception(error)
                raise
            self._make_room()
        return rows.result()

    def _make_room(self) -> None:
        with self._lock:
            sizes = {key: rows.result().nbytes for key, rows in self._known.items() if rows.done()}
            for key in list(sizes)[:-1]:
                if sum(sizes.values()) <= self._most_bytes:
                    return
                del self._known[key], sizes[key]


def _by_place(select: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The SELECT with its parameters named by their places: one relation has other names for them in each statement."""
    names = {name: f"v{place}" for place, name in enumerate(dict.fromkeys(_PARAMETER.findall(select)))}
    text = _PARAMETER.sub(lambda found: f"${names[found[1]]}", select)
    return text, {new: values[old] for old, new in names.items()}

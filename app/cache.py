"""The single cache of results: keyed by snapshot, function and arguments, never by time.

A new publish makes a new store and so new keys; an old result stays right for as long as anyone asks for it. Functions
that are cached must depend on their arguments alone.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import streamlit as st

from app.store import Store

# The engine reads a week of a million observations on one core; several statements at once use the others. More threads
# than this would only wait for each other.
_READERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="read")

P = ParamSpec("P")
T = TypeVar("T")

# A process has one store per snapshot and set of definitions; its number here is the snapshot's part of the key.
_NUMBERS: WeakKeyDictionary[Store, int] = WeakKeyDictionary()
_NEXT = count()


class HasStore(Protocol):
    """A page, or anything else that reads one snapshot."""

    @property
    def store(self) -> Store:
        """The open snapshot."""


def cached(
    source: Store | HasStore, function: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """``function(store, *args)``, remembered for this snapshot.

    Args:
        source: a page, or the store itself.
        function: a function of a module (not a lambda) whose first argument is the store.
        *args: values whose ``repr`` tells them apart: text, numbers, dates, frozen dataclasses, tuples of these.
        **kwargs: the same.
    """
    store = source if isinstance(source, Store) else source.store
    number = _NUMBERS.setdefault(store, next(_NEXT))
    name = f"{function.__module__}.{function.__qualname__}"
    return cast("T", _result(number, name, repr((args, sorted(kwargs.items()))), store, function, args, kwargs))


def ask(
    source: Store | HasStore, function: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
) -> Callable[[], T]:
    """``cached``, begun at once beside whatever else is asked.

    Returns:
        Call it for the result; it waits, and raises what the function raised.
    """

    def read() -> T:
        return cached(source, function, *args, **kwargs)

    return _READERS.submit(read).result


@st.cache_data(max_entries=1000, show_spinner=False)
def _result(
    number: int,
    name: str,
    arguments: str,
    _store: Store,
    _function: Callable[..., object],
    _args: tuple[object, ...],
    _kwargs: dict[str, object],
) -> object:
    del number, name, arguments  # they are the key
    return _function(_store, *_args, **_kwargs)

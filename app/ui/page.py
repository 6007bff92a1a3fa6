"""The beginning of every page: title, freshness, filters, and the open store that everything below reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TypedDict
from zoneinfo import ZoneInfo

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.format import when
from app.metrics.filters import Filters
from app.metrics.timezones import to_local
from app.metrics.windows import ALL, Window, parse_window
from app.store import Store
from app.ui.filter_bar import Chosen, chips, filter_bar
from app.ui.provenance import glossary
from app.ui.saved_views import saved_views
from app.ui.states import error_box, no_warehouse, offer_reset
from app.ui.text import plain
from app.ui.view import View, current_view
from etl.errors import TracehouseError, WarehouseMissing
from etl.settings import Definitions, Settings


class Span(TypedDict):
    """Keyword arguments of charts over time."""

    start: datetime
    end: datetime


STALE_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Page:
    """What a page works with.

    Attributes:
        title: of the page.
        settings: places and definitions.
        store: the snapshot that was current when the run began.
        view: the choice of window and conditions as text.
        filters: the same, checked and ready for a query.
        comparison: the period to compare with; ``None`` when no comparison is wanted.
    """

    title: str
    settings: Settings
    store: Store
    view: View
    filters: Filters
    comparison: Window | None

    @property
    def timezone(self) -> ZoneInfo:
        """The display zone."""
        return self.settings.timezone

    @property
    def span(self) -> Span:
        """Start and end of the window on the display zone's clock, the end no later than the data."""
        window = self.filters.window
        end = min(window.end, self.store.as_of)
        return {"start": to_local(window.start, self.timezone), "end": to_local(end, self.timezone)}

    @property
    def definitions(self) -> Definitions:
        """All of ``tracehouse.toml``."""
        return self.settings.definitions


def start(
    title: str, question: str, *, without_data: Callable[[Settings], None] | None = None, has_filters: bool = True
) -> Page:
    """Draw title, freshness, filter bar and chips; open the store. Stops the run when there is nothing to read.

    Args:
        title: of the page.
        question: what the page answers, in one sentence.
        without_data: what a page shows all the same where nothing has been synced.
        has_filters: without them, the page reads all of history, and the view is kept for the other pages.
    """
    settings: Settings = st.session_state["settings"]
    view = current_view(title)
    head = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    with head:
        st.title(title, anchor=False, width="content", help=question)
    try:
        store = Store.open(settings)
    except WarehouseMissing as error:
        no_warehouse(error)
        if without_data is not None:
            without_data(settings)
        st.stop()
    except TracehouseError as error:
        error_box(error)
        st.stop()
    with head, st.container(horizontal=True, width="content", gap="small"):
        _copy_link(view)
        glossary()
    freshness = st.empty()
    if has_filters:
        chosen = _filters(store, settings, view)
        chips(view)
        saved_views(settings)
    else:
        chosen = Chosen(Filters(parse_window(ALL, None, store.as_of, settings.timezone)), None)
    _freshness(freshness, store, settings, chosen)
    return Page(title, settings, store, view, chosen.filters, chosen.comparison)


def _filters(store: Store, settings: Settings, view: View) -> Chosen:
    try:
        return filter_bar(store, settings.timezone, view)
    except TracehouseError as error:
        error_box(error)
        chips(view)
        offer_reset()
        st.stop()


def _copy_link(view: View) -> None:
    with st.popover("Copy link", icon=":material/link:", width="content"):
        address = (st.context.url or "").split("?")[0]
        more = {
            name: st.query_params[name]
            for name in st.query_params
            if name not in ("since", "until", "project", "where", "compare")
        }
        query = view.query_string(**more)
        st.code(f"{address}?{query}" if query else address, language=None, wrap_lines=True)
        st.caption("This address opens the same view for anyone who can reach this app.")


def _freshness(place: DeltaGenerator, store: Store, settings: Settings, chosen: Chosen) -> None:
    zone = settings.timezone
    facts = [
        f"{'Made-up demo data' if store.is_demo else 'Data'} up to {when(store.as_of, zone)} {zone.key}",
        f"snapshot {store.snapshot}",
        f"showing {_period(chosen.filters.window, zone)}",
    ]
    if chosen.comparison is not None:
        facts.append(f"compared with {_period(chosen.comparison, zone)}")
    age = datetime.now(UTC).replace(tzinfo=None) - store.as_of
    if not store.is_demo and age > STALE_AFTER:
        facts.append(f"{age.days} days old; run tracehouse sync")
    place.caption(plain(" · ".join(facts), longest=400))


def _period(window: Window, zone: ZoneInfo) -> str:
    if window.since == ALL and not window.until:
        return "all of history"
    start, end = to_local(window.start, zone), to_local(window.end, zone)
    year = "" if start.year == end.year else " %Y"
    if start.time() == end.time() == time():
        day = f"%d %b{year}"
        return f"{start.strftime(day)} to {(end - timedelta(days=1)).strftime(day)}"
    moment = f"%d %b{year} %H:%M"
    return f"{start.strftime(moment)} to {end.strftime(moment)}"


def answer(sentence: str) -> None:
    """The page's answer as one computed sentence, above everything else."""
    st.markdown(f"#### {plain(sentence, longest=600)}", anchors=False)

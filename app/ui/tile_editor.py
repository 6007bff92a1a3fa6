"""One tile in a dialog: what it shows on the left, how that looks on the right, and what is wrong in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.analysis.options import top_values
from app.analysis.selection import look_up
from app.cache import cached
from app.charts.results import chart_choices
from app.dashboards.definitions import LIMITS, PURPOSE, TYPES
from app.dashboards.editing import STARTERS, problem, steps_as_text, steps_from_text
from app.dashboards.statements import rows_known
from app.metrics.catalogue import PARAMETRIC
from app.metrics.dimensions import DIMENSIONS
from app.metrics.filters import NONE
from app.metrics.registry import METRICS, find_dimension, find_metric
from app.metrics.result import OTHER_LABEL
from app.store import Store
from app.ui.filter_bar import PERIODS
from app.ui.states import error_box
from app.ui.text import plain
from app.ui.tile_reads import ask_tiles, show_as_ready
from app.ui.tiles import show_tile
from etl.errors import ConfigError
from etl.settings_dashboards import TILE_GRAINS, TILE_SHAPES, TILE_WIDTHS, TileSettings

if TYPE_CHECKING:
    from app.ui.page import Page

OPEN = "tile_open"  # (place, the tile as it was, a number of its own)
_NUMBERS = count()
_FEWEST = {"bar": 1, "stacked_bar": 2, "heat_map": 2, "time_series": 1, "pivot": 2, "table": 4}
_GRAIN_NAMES = {"": "As the period asks for", "hour": "Hour", "day": "Day", "week": "Week", "month": "Month"}
_TIMED = ("time_series", "stacked_bar", "heat_map", "number")
_COMPARED = ("number", "time_series", "bar", "table")

Put = Callable[[int, TileSettings], None]


def open_tile(at: int, tile: TileSettings) -> None:
    """Callback: open the dialog for the tile in this place; one past the end is a new one."""
    st.session_state[OPEN] = (at, tile, next(_NUMBERS))


def close_tile() -> None:
    """Callback: close it; what was typed is gone."""
    st.session_state.pop(OPEN, None)


def edit_tile(page: Page, put: Put) -> None:
    """Draw the dialog while a tile is open.

    Args:
        page: the page.
        put: keeps a tile in its place.
    """
    if OPEN not in st.session_state:
        return
    at, tile, number = st.session_state[OPEN]

    @st.dialog("Edit tile", width="large", on_dismiss=close_tile)
    def dialog() -> None:
        left, right = st.columns([5, 6], gap="medium")
        with left:
            made = _form(page, tile, f"t{number}")
        wrong = problem(made)
        with right:
            st.caption("Preview, with the filters of the page")
            with st.container(border=True):
                if wrong is not None:
                    error_box(wrong)
                else:
                    [read], order = ask_tiles(page, [made])
                    is_new = not read.is_ready

                    def show(_: int) -> None:
                        show_tile(page, made, read, order, key=f"preview_{number}", live=False)

                    show_as_ready([read], [st.container()], show)
                    if is_new:  # the form offers the columns that it has only now
                        st.rerun(scope="fragment")
        with st.container(horizontal=True, horizontal_alignment="right"):
            cancelled = st.button("Cancel", key=f"cancel_{number}")
            done = st.button("Done", key=f"done_{number}", type="primary", disabled=wrong is not None)
        if done:
            put(at, made)
        if done or cancelled:
            close_tile()
            st.rerun()

    dialog()


def _form(page: Page, tile: TileSettings, key: str) -> TileSettings:
    kind: str = _selectbox("Type", list(TYPES), f"{key}_type", tile.type, names=TYPES, help_text=PURPOSE.get(tile.type))
    base = tile if kind == tile.type else replace(STARTERS[kind], title=tile.title, where=tile.where)
    title = _text("Title", f"{key}_title", base.title, placeholder="Named after what it shows")
    key = f"{key}_{kind}"
    if kind == "text":
        text = _area("Text, in Markdown", f"{key}_text", base.text)
        return replace(base, title=title, text=text, width=_width(key, base))
    if kind == "sql":
        made = replace(base, title=title, where=(), window="", sql=_area("Statement", f"{key}_sql", base.sql))
        st.caption("Period and filters of the page do not hold for it; write them into its WHERE.")
        return replace(made, **_own_chart(page, made, key), width=_width(key, base))
    if kind == "funnel":
        steps = _area("Steps, one a line, with the names of observations", f"{key}_steps", steps_as_text(base.steps))
        st.caption(
            "In order, as planning: plan\\*, think\\*. A star stands for any text; type:TOOL for all tool calls."
        )
        made = replace(base, title=title, steps=steps_from_text(steps))
    else:
        metrics = _metrics(page, base, kind, key)
        by = _dimensions(page, base, kind, key)
        made = replace(base, title=title, metrics=metrics, by=by)
    made = replace(made, width=_width(key, base))
    with st.expander("Filters, period and more", icon=":material/tune:"):
        return _more(made, kind, key)


def _own_chart(page: Page, base: TileSettings, key: str) -> dict[str, Any]:
    """Shape and columns of a statement's chart; a table has none."""
    shape = _selectbox(
        "Shown as", list(TILE_SHAPES), f"{key}_shape", base.shape, form=lambda s: s.capitalize() or "Table"
    )
    if not shape:
        return {"shape": "", "metrics": (), "by": ()}
    rows = rows_known(page.store, base.sql)
    columns, numbers = ([], []) if rows is None else chart_choices(rows)
    y = _selectbox("Measured column", numbers, f"{key}_y", (*base.metrics, *numbers, "")[0], typed=True)
    x = _selectbox("Column below", columns, f"{key}_x", (*base.by, *columns, "")[0], typed=True)
    none = {"": "None"}
    by = _selectbox("Column of the colours", ["", *columns], f"{key}_by", (*base.by, "", "")[1], names=none, typed=True)
    return {"shape": shape, "metrics": (y,) if y else (), "by": tuple(name for name in (x, by) if name)}


def _metrics(page: Page, base: TileSettings, kind: str, key: str) -> tuple[str, ...]:
    options = list(dict.fromkeys([*_metric_names(page), *base.metrics]))
    if kind in ("table", "time_series"):
        st.session_state.setdefault(f"{key}_metrics", list(base.metrics))
        chosen: Sequence[str] = st.multiselect(
            "What to show",
            options,
            key=f"{key}_metrics",
            format_func=_metric_label,
            accept_new_options=True,
            placeholder="Search by name",
        )
    else:
        name = _selectbox(
            "What to show", options, f"{key}_metric", (*base.metrics, "traces")[0], form=_metric_label, typed=True
        )
        chosen = [name] if name else []
    for name in chosen:
        if name.partition(":")[0] in METRICS:
            metric = find_metric(name)
            st.caption(plain(f"{metric.label}: {metric.description}", longest=300))
    return tuple(chosen)


def _metric_names(page: Page) -> list[str]:
    """Every metric, those about one score for each score that there is."""
    scores = cached(page, top_values, "score_name", page.filters.window, page.view.project)
    named = [f"{base}:{score}" for base in PARAMETRIC for score in scores if score not in (NONE, OTHER_LABEL)]
    return [*(name for name in METRICS if name != "score_avg"), *named]


def _metric_label(name: str) -> str:
    try:
        return find_metric(name).label
    except ConfigError:
        return name


def _dimensions(page: Page, base: TileSettings, kind: str, key: str) -> tuple[str, ...]:
    most = _FEWEST.get(kind, 0)
    if not most:
        return ()
    known = [each.name for each in DIMENSIONS.values() if each.kind != "number" or each.name == "prompt_version"]
    options = list(dict.fromkeys([*known, *cached(page, own_dimensions), *base.by]))
    st.session_state.setdefault(f"{key}_by", list(base.by))
    chosen = st.multiselect(
        "Split by",
        options,
        key=f"{key}_by",
        format_func=_dimension_label,
        accept_new_options=True,
        max_selections=most,
        placeholder="A dimension, or type metadata.tenant",
        help="Any metadata key as metadata.tenant, any family of tags as tag:agent_id:*",
    )
    if kind in ("stacked_bar", "heat_map", "pivot"):
        st.caption("One: over time. Two: one against the other.")
    return tuple(chosen)


def own_dimensions(store: Store) -> tuple[str, ...]:
    """The metadata keys and tag families of the latest traces, most frequent first."""
    return tuple(look_up(store, "own_dimensions").frame["name"].to_list())


def _dimension_label(name: str) -> str:
    try:
        return find_dimension(name).label
    except ConfigError:
        return name


def _width(key: str, base: TileSettings) -> int:
    st.session_state.setdefault(f"{key}_width", base.width)
    chosen = st.segmented_control("Width, of four columns", TILE_WIDTHS, key=f"{key}_width", required=True)
    return chosen or base.width


def _more(made: TileSettings, kind: str, key: str) -> TileSettings:
    st.session_state.setdefault(f"{key}_where", list(made.where))
    where = st.multiselect(
        "Only",
        list(made.where),
        key=f"{key}_where",
        accept_new_options=True,
        placeholder="model=gpt-4o, tag!=beta, session.cost_usd>1",
        help="Type a condition and press Enter. It holds beside the page's filters.",
    )
    periods = {"": "The page's", **PERIODS}
    window = _selectbox("Period", list(periods), f"{key}_window", made.window, names=periods, typed=True)
    made = replace(made, where=tuple(where), window=window or "")
    if kind == "funnel":
        return made
    if kind in _TIMED or (kind == "pivot" and len(made.by) == 1):
        grain = _selectbox("Buckets of time", list(TILE_GRAINS), f"{key}_grain", made.grain, names=_GRAIN_NAMES)
        made = replace(made, grain=grain or "")
    if kind in _COMPARED:
        st.session_state.setdefault(f"{key}_compare", made.compare)
        made = replace(made, compare=st.toggle("Compare with the previous period", key=f"{key}_compare"))
    if kind in LIMITS and made.by:
        orders = {"": "The first figure, largest first", **_orders(made)}
        order = _selectbox("Order", list(orders), f"{key}_order", made.order, names=orders)
        st.session_state.setdefault(f"{key}_limit", made.limit or LIMITS[kind])
        limit = st.number_input("Values shown, the rest as other", 1, 500, key=f"{key}_limit")
        made = replace(made, order=order or "", limit=0 if limit == LIMITS[kind] else int(limit))
    return made


def _orders(made: TileSettings) -> Mapping[str, str]:
    labels = {name: _metric_label(name) for name in made.metrics}
    kept = {made.order: made.order} if made.order else {}
    return {
        **kept,
        **{f"-{name}": f"{label}, largest first" for name, label in labels.items()},
        **{f"+{name}": f"{label}, smallest first" for name, label in labels.items()},
        **{f"+{name}": f"{_dimension_label(name)}, by name" for name in made.by},
    }


def _selectbox(
    label: str,
    options: Sequence[str],
    key: str,
    value: str,
    *,
    names: Mapping[str, str] | None = None,
    form: Callable[[str], str] | None = None,
    typed: bool = False,
    help_text: str | None = None,
) -> str:
    st.session_state.setdefault(key, value)
    shown = form or (lambda name: (names or {}).get(name, name))
    listed = list(dict.fromkeys([*options, value]))
    more: dict[str, Any] = {"accept_new_options": True} if typed else {}
    return st.selectbox(label, listed, key=key, format_func=shown, help=help_text, **more) or ""


def _text(label: str, key: str, value: str, *, placeholder: str = "") -> str:
    st.session_state.setdefault(key, value)
    return st.text_input(label, key=key, placeholder=placeholder).strip()


def _area(label: str, key: str, value: str) -> str:
    st.session_state.setdefault(key, value)
    return st.text_area(label, key=key, height=160)

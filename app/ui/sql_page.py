"""The SQL page: editor, run and cancel, the result as table, chart and file."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import polars as pl
import streamlit as st

from app.charts.results import SHAPES, chart_choices, result_chart, usual_shape
from app.explorer.bounds import LONGEST_CELL, MOST_SECONDS, ROWS_SHOWN, SECONDS, SHOWN, TAKEN, Bounds
from app.explorer.run import Answer, Job, start
from app.explorer.schema import examples
from app.ui.figures import show_chart
from app.ui.layout import note, section
from app.ui.provenance import ASKED_SQL
from app.ui.sql_browser import TEXT, Ran, remember, show_browser
from app.ui.sql_tile import save_as_tile
from app.ui.states import empty_state, error_box
from app.ui.tables import show_rows
from app.ui.text import plain
from etl.errors import TracehouseError
from etl.settings import Settings
from etl.settings_dashboards import TileSettings

if TYPE_CHECKING:
    from app.explorer.forms import Form
    from app.ui.page import Page

_JOB, _RESULT, _FAILED, _LIMIT = "sql_job", "sql_result", "sql_failed", "sql_limit"
LONGEST_ADDRESS = 1_500
LOOK_EVERY_S = 0.3
SHORT_S = 1.0  # what ends within it shows no progress


def show_sql(page: Page) -> None:
    """Draw it all."""
    _prepare()
    note(
        f"Reads snapshot {page.store.snapshot} and nothing else: up to {ROWS_SHOWN:,} rows, {SHOWN.memory_mb} MB of "
        "memory and the time limit. Times are UTC. Filters of other pages do not hold here; write them in WHERE."
    )
    left, right = st.columns([5, 3], gap="medium")
    with left:
        _editor(page.settings)
        _follow_job()
        _outcome(page.settings)
    with right:
        show_browser(page.settings)


def _prepare() -> None:
    """What stands in the editor: what another page asked for, else the address, else an example."""
    asked = st.session_state.pop(ASKED_SQL, None)
    if asked is not None:
        st.session_state[TEXT] = asked
    elif TEXT not in st.session_state:
        # A visitor's text outlives the widget while other pages are open.
        kept = st.session_state.get("sql_kept")
        st.session_state[TEXT] = st.query_params.get("sql") or kept or next(iter(examples().values()))
    st.session_state["sql_kept"] = st.session_state[TEXT]


def _editor(settings: Settings) -> None:
    st.text_area("Statement", key=TEXT, height=300, help="One SELECT; also WITH, FROM, DESCRIBE, SUMMARIZE, EXPLAIN")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button("Run", key="sql_run", type="primary", icon=":material/play_arrow:", on_click=_begin, args=(settings,))
        st.selectbox(
            "Time limit",
            (SECONDS, 120.0, MOST_SECONDS),
            key=_LIMIT,
            format_func=lambda seconds: f"{seconds:,.0f} s",
            width=110,
        )
        text = st.session_state[TEXT]
        if len(text) <= LONGEST_ADDRESS:
            st.button(
                "Put into the address",
                key="sql_address",
                icon=":material/link:",
                type="tertiary",
                on_click=_to_address,
                help="Then the link opens this page with the statement, ready to run",
            )


def _to_address() -> None:
    st.query_params["sql"] = st.session_state[TEXT]


def _begin(settings: Settings) -> None:
    _end_job()
    st.session_state.pop(_RESULT, None)
    st.session_state.pop(_FAILED, None)
    text = st.session_state[TEXT]
    try:
        limit = st.session_state.get(_LIMIT, SECONDS)
        st.session_state[_JOB] = start(settings, text, bounds=_bounds(limit))
    except TracehouseError as error:
        _fail(text, error)


def _bounds(limit: float) -> Bounds:
    return replace(SHOWN, seconds=limit)


def _end_job() -> None:
    job = st.session_state.pop(_JOB, None)
    if isinstance(job, Job):
        job.close()


def _fail(text: str, error: TracehouseError) -> None:
    st.session_state[_FAILED] = error
    remember(Ran(text, f"failed: {error.message}"))


def _cancel() -> None:
    job = st.session_state.get(_JOB)
    if isinstance(job, Job):
        job.cancel()


def _follow_job() -> None:
    """Wait for the statement in sight of its reader, who may cancel it or go on elsewhere on the page meanwhile."""
    job = st.session_state.get(_JOB)
    if not isinstance(job, Job):
        return
    if not job.wait(SHORT_S):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Cancel", key="sql_cancel", icon=":material/stop:", on_click=_cancel)
            words = st.empty()
        while not job.wait(LOOK_EVERY_S):
            ran = job.seconds
            running = (
                "Waiting for its turn" if ran is None else f"Running for {ran:.0f} s of {job.bounds.seconds:,.0f} s"
            )
            words.caption(running)
    try:
        answer = job.answer()
        st.session_state[_RESULT] = (answer, answer.frame())
        remember(Ran(job.text, f"{answer.rows:,} rows in {answer.seconds:.1f} s"))
    except TracehouseError as error:
        _fail(job.text, error)
    _end_job()
    st.rerun()


def _outcome(settings: Settings) -> None:
    failed = st.session_state.get(_FAILED)
    if isinstance(failed, TracehouseError):
        error_box(failed)
        return
    result = st.session_state.get(_RESULT)
    if result is None:
        empty_state("Nothing has run yet", "Press Run. The tables and ready-made statements stand beside the editor.")
        return
    answer, frame = cast("tuple[Answer, pl.DataFrame]", result)
    _table(settings, answer, frame)
    shown = _chart(frame)
    save_as_tile(settings, replace(shown, sql=answer.text))


def _table(settings: Settings, answer: Answer, frame: pl.DataFrame) -> None:
    section("Result")
    rows = "1 row" if answer.rows == 1 else f"{answer.rows:,} rows"
    if answer.is_cut:
        rows = f"The first {rows}; there are more"
    facts = [rows, f"{answer.seconds:.1f} s", f"snapshot {answer.snapshot}", f"sync run {answer.run_id}"]
    st.caption(plain(" · ".join(facts), longest=300))
    show_rows(frame, key="sql_rows", alt="Rows of the statement")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for form, label, mime in (("csv", "CSV", "text/csv"), ("parquet", "Parquet", "application/vnd.apache.parquet")):
            st.download_button(
                f"Download {label}",
                partial(_taken, settings, answer.text, cast("Form", form)),
                file_name=f"tracehouse.{form}",
                mime=mime,
                icon=":material/download:",
                key=f"sql_download_{form}",
                on_click="ignore",
            )
        st.caption(
            f"Runs the statement again and takes up to {TAKEN.rows:,} rows or {TAKEN.result_mb:.0f} MB, texts whole; "
            f"above, texts end after {LONGEST_CELL:,} characters."
        )


def _taken(settings: Settings, text: str, form: Form) -> io.BytesIO:
    job = start(settings, text, form=form, bounds=TAKEN)
    try:
        return io.BytesIO(job.answer().file.read_bytes())
    finally:
        job.close()


def _chart(frame: pl.DataFrame) -> TileSettings:
    """Draws what is chosen; returned as a tile, without its statement."""
    below, measured = chart_choices(frame)
    if not measured or frame.height < 2 or len(below) < 2:  # noqa: PLR2004 - a chart needs two points and two columns
        return TileSettings("sql")
    section("Chart")
    # Another result has other columns: what was chosen for the one before may not exist.
    kind = "_".join(frame.columns)
    with st.container(horizontal=True, gap="small"):
        x = st.selectbox("Along", below, key=f"sql_x {kind}", width=200)
        heights = [name for name in measured if name != x] or measured
        y = st.selectbox("Measure", heights, key=f"sql_y {kind}", width=200)
        splits = ["", *(name for name in below if name not in (x, y) and name not in measured)]
        by = st.selectbox(
            "Colour", splits, index=min(1, len(splits) - 1), key=f"sql_by {kind} {x}", format_func=_or_none, width=200
        )
        usual = SHAPES.index(usual_shape(frame, x))
        shape = st.selectbox(
            "Shape", SHAPES, index=usual, key=f"sql_shape {kind} {x}", format_func=str.capitalize, width=160
        )
    chart, words = result_chart(frame, shape=shape, x=x, y=y, by=by)
    show_chart(chart, alt=words)
    return TileSettings("sql", metrics=(y,), by=(x, by) if by else (x,), shape=shape)


def _or_none(name: str) -> str:
    return name or "(none)"

"""Parts of the Experiments page: one metric from nearer, segments, power, and what to take away or keep."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.analysis import experiment_details, experiment_output, powers, readout_rows
from app.analysis.experiments import Experiment
from app.analysis.measures import find_measure
from app.analysis.readouts import Readout
from app.analysis.verdicts import Verdict
from app.cache import cached
from app.charts.experiments import course_chart, spread_chart
from app.saved import save_experiment, table
from app.ui.detail import chosen_in_address, keep_in_address
from app.ui.figures import show_chart
from app.ui.layout import section, side_by_side
from app.ui.page import Page
from app.ui.states import error_box
from app.ui.tables import Column
from app.ui.tables import table as show_table
from app.ui.text import plain
from etl.errors import TracehouseError

_LIFT_COLUMNS = {
    "lift": Column("Relative", "rate"),
    "lift_low": Column("From", "rate", help="Low end of the interval"),
    "lift_high": Column("To", "rate", help="High end"),
}


def one_metric(page: Page, readout: Readout) -> None:
    """A metric's difference over time and its spread over units; the metric is chosen here."""
    names = experiment_details.detail_metrics(readout)
    if not names:
        return
    chosen_in_address("metric", names, names[0])
    metric = st.selectbox(
        "One metric up close",
        names,
        key="metric",
        on_change=keep_in_address,
        args=("metric", names[0]),
        format_func=lambda name: find_measure(name).label,
        width=280,
    )
    unit = "user" if readout.assignment.unit == "trace" else readout.assignment.unit
    order = readout.experiment.arms
    left, right = side_by_side()
    with left:
        course = cached(page, experiment_details.course, readout, metric)
        chart, words = course_chart(course, readout, order, partial(readout_rows.signed_or_missing, metric))
        show_chart(chart, alt=words)
    with right:
        spread = cached(page, experiment_details.distribution, readout, metric)
        chart, words = spread_chart(spread.frame, metric, unit, order, partial(readout_rows.written_or_missing, metric))
        show_chart(chart, alt=words)


def segment_table(page: Page, readout: Readout) -> None:
    """The deciding metric by the segments that were declared beforehand."""
    metric = experiment_details.deciding_metric(readout)
    if not readout.experiment.segments or not metric:
        return
    section(
        "Segments",
        f"{find_measure(metric).label} by what was declared beforehand; q is corrected over all rows, so that the best "
        "of many is not taken for a finding.",
    )
    found = cached(page, experiment_details.segments, readout, page.timezone, metric)
    if not found:
        st.caption("No segment here has units of two arms.")
        return
    show_table(
        readout_rows.segment_rows(found, is_broken=readout.state == "invalid"),
        columns={
            "segment": Column("Segment", pinned=True),
            "arm": Column("Arm"),
            "reading": Column("Reading"),
            "control": Column("Control"),
            "value": Column("Arm's value"),
            **_LIFT_COLUMNS,
            "q": Column("q", "number", help="False discovery rate at which it would count (Benjamini-Hochberg)"),
            "units": Column("Units", "count"),
        },
        key="experiment_segments",
        alt="The deciding metric by segment",
    )


def power_panel(readout: Readout) -> None:
    """What can be found now, and how long other differences take."""
    power = powers.power_of(readout)
    if power is None:
        return
    section("Power", readout_rows.power_sentence(power))
    show_table(
        readout_rows.need_rows(power),
        columns={
            "effect": Column("Difference to find", "rate"),
            "wait": Column("Time still needed"),
            "units": Column("Units needed", "count", help="In all arms together"),
        },
        key="experiment_power",
        alt="Units and days needed for other differences",
    )


def excluded_note(readout: Readout) -> None:
    """What leaving out the units in two arms would change."""
    said = readout_rows.excluded_sentence(readout)
    if said:
        st.caption(plain(said, longest=500))


def keep(page: Page, readout: Readout, verdict: Verdict, experiment: Experiment, *, is_known: bool) -> None:
    """Buttons that copy the result for a decision log, and that save an experiment which is not declared yet."""
    with st.container(horizontal=True, gap="small"):
        with st.popover("Copy as Markdown", icon=":material/content_copy:", width="content"):
            st.code(experiment_output.as_markdown(readout, verdict, page.timezone), language="markdown")
        if is_known:
            return
        with st.popover("Save experiment", icon=":material/bookmark_add:", width="content"):
            name = st.text_input("Name", key="experiment_save_name", placeholder="warm-tone", max_chars=80)
            st.code(table(experiment, name or "name"), language="toml")
            if st.button("Save", key="experiment_save", disabled=not name.strip()):
                try:
                    save_experiment(page.settings, experiment, name)
                except TracehouseError as error:
                    error_box(error)
                else:
                    st.query_params.pop("variants", None)
                    st.query_params["experiment"] = " ".join(name.split())
                    st.rerun()
            st.caption("Goes to saved.toml in TRACEHOUSE_HOME; tracehouse.toml stays as it is.")

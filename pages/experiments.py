"""Which variant is better, and can the result be trusted? For product managers. Reads traces, sessions and scores."""

from __future__ import annotations

import streamlit as st

from app import ui
from app.analysis import experiment_notes, experiments, readout_rows, readouts, verdicts
from app.charts.experiments import forest_chart
from app.format import count
from app.ui import experiment_parts
from app.ui.detail import load_or_stop
from app.ui.experiment_picker import pick_experiment
from app.ui.verdict import show_check, show_verdict

page = ui.start("Experiments", "Which variant is better, and can the result be trusted?")
known = load_or_stop(page, experiments.known_experiments, page.definitions, page.filters.project)
choice = pick_experiment(page, known)
if choice is None:
    ui.empty_state(
        "Choose two arms to compare",
        "No test is known yet, or fewer than two arms are chosen. To have tests listed here, tag the traces of a test "
        "with ab_test:<name> and with the arm, or declare it in tracehouse.toml.",
        command='[[experiment]]\nname = "warm-tone"\nvariants = "tag=variant_A,variant_B"\nunit = "user"\n'
        'primary = "satisfaction_avg"\nwhere = ["tag=ab_test:warm-tone"]',
    )
    st.stop()

filters = experiments.bounded(page.store, page.timezone, page.filters, choice.experiment, whole=choice.whole)
result = load_or_stop(
    page, readouts.readout, filters, choice.experiment, choice.method, exclude_crossed=choice.exclude_crossed
)
judged = verdicts.verdict(result)
show_verdict(judged)
if judged.kind == "no_data":
    st.stop()
st.caption(ui.plain(readout_rows.span(result, page.timezone), longest=400))
experiment_parts.keep(page, result, judged, experiments.as_shown(choice.experiment, filters), is_known=choice.is_known)
ui.kpi_row([ui.Card(each.label, each.value, note=each.note, why=each.why) for each in verdicts.key_figures(result)])

if result.estimates:
    for arm in result.experiment.arms[1:]:
        chart, words = forest_chart(result, arm)
        ui.show_chart(chart, alt=words)
    st.caption(ui.plain(experiment_notes.method_note(result), longest=600))

experiment_parts.one_metric(page, result)

left, right = ui.side_by_side()
with left:
    ui.section("Can it be trusted?")
    for check in result.checks:
        show_check(check)
    experiment_parts.excluded_note(result)
with right:
    ui.section("Arms", f"Drawn per {result.assignment.unit}.")
    ui.table(
        readout_rows.arm_rows(result, page.timezone),
        columns={
            "arm": ui.Column("Arm", pinned=True),
            "units": ui.Column(f"{result.assignment.unit.capitalize()}s", "count"),
            "share": ui.Column("Share", "share"),
            "traces": ui.Column("Traces", "count"),
            "first_seen": ui.Column("From", "time"),
            "last_seen": ui.Column("To", "time"),
            "days": ui.Column("Days", "count"),
        },
        key="experiment_arms",
        alt="Units, traces and dates of each arm",
    )

    experiment_parts.power_panel(result)

experiment_parts.segment_table(page, result)

ui.section(
    "All metrics", f"Each arm against {result.experiment.arms[0]}; {count(result.left_out['traces'])} traces counted."
)
ui.table(
    readout_rows.metric_rows(result),
    columns={
        "metric": ui.Column("Metric", pinned=True),
        "arm": ui.Column("Arm"),
        "reading": ui.Column("Reading"),
        "control": ui.Column("Control"),
        "value": ui.Column("Arm's value"),
        "difference": ui.Column("Difference"),
        "lift": ui.Column("Relative", "rate"),
        "lift_low": ui.Column("From", "rate", help="Low end of the interval"),
        "lift_high": ui.Column("To", "rate", help="High end"),
        "q": ui.Column("q", "number", help="False discovery rate at which it would count (Benjamini-Hochberg)"),
        "units": ui.Column("Clusters", "count", help="Independent units behind the interval"),
        "detectable": ui.Column("Can find", "rate", help="The smallest true difference found now four times in five"),
        "test": ui.Column("Test"),
    },
    key="experiment_metrics",
    alt="Every metric of each arm against the control",
    download_name="experiment",
)
ui.how_computed(
    {"Sums over units": result.provenance},
    metrics=experiment_notes.layer_metrics(result),
    notes=experiment_notes.notes(result),
)

"""How do conversations go, and which ones need a look? For product managers and analysts. Reads marts.sessions."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import ui
from app.analysis import cohorts, overview, sessions
from app.charts.conversations import cohort_chart, distribution_chart, outcome_chart, reason_chart
from app.charts.metrics import course, course_words
from app.ui.detail import chosen_in_address, keep_in_address, switched_in_address, turn_pages
from app.ui.session_filters import (
    bin_picker,
    keep_from_the_start,
    narrow_by_figures,
    no_sessions,
    page_in_address,
    search_words,
    searching,
)

page = ui.start("Sessions", "How do conversations go, and which ones need a look?")
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    with st.container(width=420):
        search_words(page.view)
    with st.container(width=220):
        narrow_by_figures(page.view)

order = chosen_in_address("order", sessions.ORDERS, "start_time")
reverse = switched_in_address("reverse")
dimension = ui.asked_dimension("cohort", cohorts.DIMENSIONS)
with searching(page.view):
    headline = ui.ask(page, overview.headline, page.timezone, page.filters, page.comparison, sessions.HEADLINE)
    ended = ui.ask(page, sessions.outcomes, page.timezone, page.filters, page.comparison)
    because = ui.ask(page, sessions.reasons, page.timezone, page.filters, page.comparison)
    spreads = ui.ask(page, sessions.distributions, page.filters)
    grouped = ui.ask(page, cohorts.cohorts, page.timezone, page.filters, dimension)
    head = headline()
if not head.totals.total["sessions"]:
    no_sessions(page)
    st.stop()

by_outcome, by_reason = ended(), because()
ui.answer(sessions.summary(head.totals.total, by_outcome.frame))
ui.kpi_row(ui.metric_cards(page, head.totals, head.course, sessions.cards(head.totals.total)))

left, right = ui.side_by_side()
with left:
    chart, words = outcome_chart(by_outcome.frame, select=ui.PICK)
    ui.show_chart(chart, alt=words, key="by_outcome", filter_by="outcome")
with right:
    chart, words = reason_chart(by_reason.frame, select=ui.PICK)
    ui.show_chart(chart, alt=words, key="by_reason", filter_by="outcome_reason")

ui.try_outcome_rules(page)

ui.section("How they are spread", "Click a bar to keep only its sessions.")
spread = spreads()
with st.grid(2, min_column_width=320, gap="medium"):
    for measure, each in spread.of.items():
        with st.container():
            if each.frame.is_empty():
                ui.empty_state(f"No {sessions.MEASURES[measure].lower()} to draw", sessions.MISSING[measure])
                continue
            chart, words = distribution_chart(each, measure, select=ui.PICK)
            ui.show_chart(chart, alt=words, key=f"spread_{measure}", on_pick=bin_picker(measure))

ui.section("Groups side by side", "Which groups end differently, and by more than chance.")
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    ui.choose_dimension("Compare by", cohorts.DIMENSIONS, key="cohort")
    chosen_in_address("rate", cohorts.RATES, "escalation_rate")
    rate = (
        st.segmented_control(
            "Rate",
            list(cohorts.RATES),
            format_func=cohorts.RATES.__getitem__,
            required=True,
            key="rate",
            on_change=keep_in_address,
            args=("rate", "escalation_rate"),
        )
        or "escalation_rate"
    )
groups = grouped()
ui.note(cohorts.standing_out(groups, rate))
if cohorts.estimates(groups, rate).is_empty():
    ui.empty_state("No outcome is known here", sessions.NO_OUTCOME)
else:
    chart, words = cohort_chart(groups, rate)
    ui.show_chart(chart, alt=words)
ui.table(
    groups.frame,
    columns={
        "value": ui.Column("Group", pinned=True),
        "sessions": ui.Column("Sessions", "count"),
        "escalation_rate": ui.Column("Escalated", "rate", help="Of sessions with a known outcome"),
        "escalation_rate_interval": ui.Column("Escalated, 95 % interval", help="Wilson; n: known outcomes"),
        "abandon_rate": ui.Column("Abandoned", "rate", help="Of sessions with a known outcome"),
        "resolved_rate": ui.Column("Resolved", "rate", help="Of sessions with a known outcome"),
        "unknown_rate": ui.Column("Unknown", "rate", help="Of all sessions of the group"),
        "cost_per_session_usd": ui.Column("Cost per session, USD", "unit_money"),
        "turns_per_session": ui.Column("Turns per session", "number"),
        "satisfaction_avg": ui.Column("Satisfaction", "score"),
    },
    key="cohort_table",
    alt="Groups of sessions with their rates, cost, turns and satisfaction",
    total=groups.count,
    link=ui.FilterBy(dimension, "value"),
    download_name="session-groups",
)
if groups.note:
    ui.note(groups.note)

ui.section("Sessions")
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    st.selectbox(
        "Order",
        list(sessions.ORDERS),
        format_func=sessions.ORDERS.__getitem__,
        key="order",
        on_change=keep_from_the_start,
        args=("order", "start_time"),
        width=260,
    )
    st.toggle("The other way round", key="reverse", on_change=keep_from_the_start, args=("reverse", False))
page_count = sessions.pages_of(spread.answer.rows_read)
number = page_in_address(page_count)
listed = ui.cached(page, sessions.session_list, page.timezone, page.filters, order, reverse=reverse, page=number)
ui.table(
    listed.frame,
    columns={
        "start_time": ui.Column("Start", "time", pinned=True),
        "outcome": ui.Column("Outcome", help="By the rules of [outcome] in tracehouse.toml"),
        "outcome_reason": ui.Column("Reason", help="The signal that decided the outcome"),
        "turns": ui.Column("Turns", "count", help="Traces of the session"),
        "cost_usd": ui.Column("Cost, USD", "unit_money"),
        "duration_ms": ui.Column("Duration, s", "seconds", help="From the first start to the last end"),
        "avg_response_ms": ui.Column("Response, s", "seconds", help="Mean latency of its traces"),
        "total_tokens": ui.Column("Tokens", "tokens"),
        "error_count": ui.Column("Errors", "count"),
        "satisfaction_mean": ui.Column("Satisfaction", "score", help="Mean of each trace's last score"),
        "topic": ui.Column("Topic"),
        "last_step": ui.Column("Last step"),
        "users": ui.Column("Users"),
        "environment": ui.Column("Environment"),
        "session_id": ui.Column("Session id"),
    },
    key=f"sessions_table_{number}",
    alt="Sessions in the chosen order",
    total=listed.rows_read,
    link=ui.OpenPage("conversation", {"session": "session_id", "project": "project_id"}),
    download_name="sessions",
    download=partial(sessions.every_session, page.store, page.timezone, page.filters, order, reverse=reverse),
)
turn_pages("page", number, page_count)
ui.show_chart(
    course(head.course, "resolved_rate", grain=head.grain, **page.span),
    alt=course_words(head.course, "resolved_rate", grain=head.grain),
)
ui.how_computed(
    {
        "Figures": head.totals,
        "Outcomes": by_outcome,
        "Distributions": spread.answer,
        "Groups": groups.result,
        "Table": listed,
    },
    metrics=(*sessions.HEADLINE, "abandon_rate"),
    notes=sessions.NOTES,
)

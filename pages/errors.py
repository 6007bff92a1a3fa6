"""What breaks, for whom, and what to do about it? For people on call. Reads marts.error_groups and observations."""

from __future__ import annotations

import streamlit as st

from app import ui
from app.analysis import failures, overview
from app.charts.failures import correlates_chart, trend_chart
from app.charts.metrics import course, course_words
from app.format import count, money
from app.ui.detail import load_or_stop, long_code, stay_link

page = ui.start("Errors", "What breaks, for whom, and what to do about it?")
end = page.filters.window.local_end(page.timezone)
group_id = st.query_params.get("group")

if group_id:
    group = load_or_stop(page, failures.find_group, group_id, page.filters.project)
    mine = failures.group_filters(page.filters, group)
    found = ui.cached(page, failures.groups, page.timezone, mine)
    struck = failures.occurrences_of(found, group)
    goes_with = ui.cached(page, failures.correlates, page.filters, group.error_group_id)
    stay_link("All error groups", key="all_groups", group="")
    ui.section(group.title)
    ui.answer(failures.group_summary(group, struck, goes_with))
    ui.kpi_row(
        [
            ui.Card(
                "Occurrences", count(struck["occurrences"]), why="ERROR rows with no ERROR below, in this selection"
            ),
            ui.Card("Traces", count(struck["traces"])),
            ui.Card("Failed for the user", count(struck["failed_traces"]), why="Traces whose user got no answer"),
            ui.Card("Sessions", count(struck["sessions"])),
            ui.Card("Users", count(struck["users"])),
            ui.Card("Cost of failed traces", money(struck["failed_cost_usd"]), why="Spent on traces that failed"),
        ]
    )
    st.caption(ui.plain(failures.history(group, page.timezone), longest=400))
    if not struck["occurrences"]:
        ui.empty_state("It did not strike in this selection", "Widen the period in the sidebar, or remove a filter.")
        st.stop()

    over_time = ui.cached(
        page, failures.trend, page.timezone, mine, overview.grain_for(page.filters.window, page.store)
    )
    chart, words = trend_chart(over_time, end)
    ui.show_chart(chart, alt=words)

    sampled = ui.cached(page, failures.samples, mine, group.error_group_id)
    ui.section("Messages", failures.variation(sampled))
    for index, row in enumerate(sampled.frame.iter_rows(named=True)):
        st.caption(f"{count(row['occurrences'])} times")
        long_code(row["message"] or "(no message)", key=f"sample_{index}")

    advice = ui.cached(page, failures.playbook, mine, group, struck)
    ui.section("What to do", f"{advice.name}: {advice.cause}")
    st.markdown(f"**Evidence** {ui.plain(advice.evidence, longest=600)}")
    for number, step in enumerate(advice.steps, start=1):
        st.markdown(f"{number}. {ui.plain(step, longest=600)}")
    with st.popover("Copy as a prompt", icon=":material/content_copy:"):
        st.code(advice.as_prompt(group), language=None, wrap_lines=True)

    ui.section(
        "What it goes with",
        "How often traces with a value have this error, against all other traces. Certain: the false discovery rate is "
        "below 5 %. Neither says which causes which.",
    )
    if goes_with.is_empty():
        ui.empty_state(
            "Nothing to compare", "All traces of the selection share model, release, feature and environment."
        )
    else:
        chart, words = correlates_chart(goes_with)
        ui.show_chart(chart, alt=words)
        ui.table(
            failures.correlate_rows(goes_with),
            columns={
                "label": ui.Column("Dimension", pinned=True),
                "value": ui.Column("Value"),
                "hit": ui.Column("Traces with it", "count"),
                "exposed": ui.Column("Traces", "count"),
                "rate": ui.Column("Rate", "rate"),
                "other_rate": ui.Column("Rate elsewhere", "rate"),
                "ratio": ui.Column("Times as often", "number", help="Risk ratio"),
                "low": ui.Column("From", "number", help="Low end of its 95 % interval (Katz)"),
                "high": ui.Column("To", "number", help="High end"),
                "reading": ui.Column("Reading", help="Certain when q is below 5 % (Fisher's test, Benjamini-Hochberg)"),
            },
            key="correlates",
            alt="Rate of this error by model, release, feature, environment and prompt version",
            download_name="error_correlates",
        )

    listed = ui.cached(page, failures.traces, page.timezone, mine, group.error_group_id)
    ui.section("Traces", "Newest first; a row opens the conversation it belongs to.")
    ui.table(
        listed.frame,
        columns={
            "start_time": ui.Column("Start", "time", pinned=True),
            "name": ui.Column("Trace name"),
            "step": ui.Column("Broke in"),
            "message": ui.Column("Message"),
            "is_failed": ui.Column("Failed", "flag", help="The user got no answer"),
            "user_id": ui.Column("User"),
            "release": ui.Column("Release"),
            "cost_usd": ui.Column("Cost, USD", "unit_money"),
            "session_id": ui.Column("Session id"),
            "trace_id": ui.Column("Trace id"),
        },
        key="error_traces",
        alt="Traces with this error",
        total=int(struck["traces"]),
        link=ui.OpenPage("conversation", {"session": "session_id", "project": "project_id"}),
        download_name="error_traces",
    )
    ui.how_computed(
        {"Group": found, "Course": over_time, "Messages": sampled, "Traces": listed}, metrics=("error_occurrences",)
    )
    st.stop()

head = ui.cached(page, overview.headline, page.timezone, page.filters, page.comparison, failures.HEADLINE)
ui.stop_without_rows(page, head.totals)
found = ui.cached(page, failures.groups, page.timezone, page.filters)
ui.answer(failures.summary(head.totals.total, found))
ui.kpi_row(ui.metric_cards(page, head.totals, head.course, failures.CARDS))
if found.frame.is_empty():
    st.success("No errors in this selection: every trace ran through.", icon=":material/check_circle:")
    ui.how_computed({"Figures": head.totals}, metrics=failures.HEADLINE)
    st.stop()

over_time = ui.cached(page, failures.trend, page.timezone, page.filters, head.grain)
chart, words = trend_chart(over_time, end)
ui.show_chart(chart, alt=words)
ui.show_chart(
    course(head.course, "error_rate", grain=head.grain, end=end, height=180),
    alt=course_words(head.course, "error_rate", grain=head.grain),
)

ui.section("Groups", "Messages alike but for ids, numbers and names are one group; most frequent first.")
ui.table(
    found.frame,
    columns={
        "title": ui.Column("Error", pinned=True),
        "class_name": ui.Column("Class"),
        "state": ui.Column("State"),
        "occurrences": ui.Column("Occurrences", "count"),
        "daily": ui.Column("Over the period", "series"),
        "traces": ui.Column("Traces", "count"),
        "failed_traces": ui.Column("Failed", "count", help="Traces whose user got no answer"),
        "users": ui.Column("Users", "count"),
        "sessions": ui.Column("Sessions", "count"),
        "first_seen": ui.Column("First seen", "time"),
        "last_seen": ui.Column("Last seen", "time"),
        "failed_cost_usd": ui.Column("Cost of failed traces, USD", "money"),
        "error_group_id": ui.Column("Group id"),
    },
    key="error_groups",
    alt="Error groups, most frequent first",
    total=int(found.frame["total"][0]),
    link=ui.OpenPage("errors", {"group": "error_group_id", "project": "project_id"}),
    download_name="error_groups",
)
ui.how_computed({"Figures": head.totals, "Groups": found, "Course": over_time}, metrics=failures.HEADLINE)

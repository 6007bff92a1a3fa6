"""What breaks, for whom, and what to do about it? For people on call. Reads marts.error_groups and observations."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import ui
from app.analysis import error_correlates, error_evidence, error_group, error_reach, failures, overview
from app.analysis.playbooks import class_names, playbook
from app.charts.failures import reactions_chart, trend_chart
from app.charts.metrics import course, course_words
from app.format import count, money
from app.ui.detail import chosen_in_address, keep_in_address, load_or_stop, long_code, stay_link
from app.ui.suggestions import show_playbook

page = ui.start("Errors", "What breaks, for whom, and what to do about it?")
group_id = st.query_params.get("group")

if group_id:
    group = load_or_stop(page, error_group.find_group, group_id, page.filters.project)
    around, mine = error_group.around_group(page.filters, group), error_group.group_filters(page.filters, group)
    zone, window = page.timezone, page.filters.window
    asked_compared = ui.ask(page, error_correlates.correlates, around, (group_id,))
    asked_found = ui.ask(page, failures.groups, zone, mine)
    asked_after = ui.ask(page, error_reach.reactions, around, group_id)
    asked_traces = ui.ask(page, error_group.traces, zone, mine, group_id)
    asked_facts = ui.ask(page, error_evidence.facts, around, (group_id,))
    asked_users = ui.ask(page, error_reach.affected_users, zone, mine)
    asked_sessions = ui.ask(page, error_reach.affected_sessions, zone, mine)
    asked_course = ui.ask(page, failures.trend, zone, mine, overview.grain_for(window, page.store))
    asked_marks = ui.ask(page, failures.releases, zone, around)
    asked_origin = ui.ask(page, error_group.origin, zone, group)
    asked_samples = ui.ask(page, error_group.samples, mine, group_id)
    found = asked_found()
    struck = error_group.occurrences_of(found, group)
    stay_link("All error groups", key="all_groups", group="")
    ui.section(group.title)
    if not struck["occurrences"]:
        ui.note(error_group.history(group, page.timezone))
        ui.empty_state("It did not strike in this selection", "Widen the period in the sidebar, or remove a filter.")
        st.stop()

    goes_with = asked_compared()
    ui.answer(error_group.group_summary(group, struck, goes_with))
    ui.kpi_row(
        [
            ui.Card(
                "Occurrences", count(struck["occurrences"]), why="ERROR rows with no ERROR below, in this selection"
            ),
            ui.Card("Traces", count(struck["traces"])),
            ui.Card("Failed for the user", count(struck["failed_traces"]), why="Traces whose user got no answer"),
            ui.Card("Sessions", count(struck["sessions"])),
            ui.Card("Users", count(struck["users"])),
            ui.Card(
                "Cost wasted",
                money(struck["wasted_usd"]),
                why="Traces struck that failed for the user, and the retries that followed; each trace once",
            ),
        ]
    )
    ui.note(f"{asked_origin()} {error_group.history(group, page.timezone)}")

    over_time = asked_course()
    chart, words = trend_chart(over_time, asked_marks(), **page.span)
    ui.show_chart(chart, alt=words)

    known = error_evidence.evidence(asked_facts(), goes_with, title=group.title)
    show_playbook(playbook(group.error_class, known), title=group.title, sample=group.sample_message)

    listed = asked_traces()
    ui.section("Traces", "Newest first; a row opens the trace at the step where it broke.")
    ui.table(
        listed.frame,
        columns={
            "start_time": ui.Column("Start", "time", pinned=True),
            "step": ui.Column("Broke in"),
            "message": ui.Column("Message"),
            "name": ui.Column("Trace name"),
            "is_failed": ui.Column("Failed", "flag", help="The user got no answer"),
            "user_id": ui.Column("User"),
            "release": ui.Column("Release"),
            "cost_usd": ui.Column("Cost, USD", "unit_money"),
            "session_id": ui.Column("Session id"),
            "trace_id": ui.Column("Trace id"),
        },
        key="error_traces",
        alt="Traces with this error",
        total=error_reach.total_of(listed),
        link=ui.OpenPage("trace", {"trace": "trace_id", "project": "project_id", "span": "observation_id"}),
        download_name="error_traces",
        download=partial(error_group.all_traces, page.store, page.timezone, mine, group_id),
    )

    users, sessions = asked_users(), asked_sessions()
    left, right = ui.side_by_side()
    with left:
        ui.section("Affected users", "Most often struck first; a row filters this page by the user.")
        ui.table(
            users.frame,
            columns={
                "user_id": ui.Column("User", pinned=True),
                "occurrences": ui.Column("Occurrences", "count"),
                "failed_traces": ui.Column("Failed", "count", help="Traces without an answer"),
                "last_struck": ui.Column("Last struck", "time"),
                "sessions": ui.Column("Sessions", "count"),
            },
            key="error_users",
            alt="Users that this error struck",
            total=error_reach.total_of(users),
            link=ui.FilterBy("user_id", "user_id"),
            download_name="affected_users",
            download=partial(error_reach.all_users, page.store, page.timezone, mine),
        )
    with right:
        ui.section("Affected sessions", "The latest first; a row opens the conversation.")
        ui.table(
            sessions.frame,
            columns={
                "last_struck": ui.Column("Last struck", "time", pinned=True),
                "outcome": ui.Column("Outcome"),
                "occurrences": ui.Column("Occurrences", "count"),
                "turns": ui.Column("Turns", "count"),
                "users": ui.Column("Users"),
                "session_id": ui.Column("Session id"),
            },
            key="error_sessions",
            alt="Sessions that this error struck",
            total=error_reach.total_of(sessions),
            link=ui.OpenPage("conversation", {"session": "session_id", "project": "project_id"}),
            download_name="affected_sessions",
            download=partial(error_reach.all_sessions, page.store, page.timezone, mine),
        )

    after = asked_after()
    ui.section("What people did next", error_reach.reaction_summary(after))
    if after.sessions:
        chart, words = reactions_chart(after)
        ui.show_chart(chart, alt=words)

    ui.section(
        "What it goes with",
        "How often traces with a value have this error, against the other traces of the same names. Certain: the false "
        "discovery rate is at most 5 %. Neither says which causes which.",
    )
    if goes_with.is_empty():
        ui.empty_state(
            "Nothing to compare", "All traces of the selection share model, release, feature and environment."
        )
    else:
        ui.show_correlates(
            goes_with,
            hit="Traces with it",
            exposed="Traces",
            rate="Rate",
            alt="Rate of this error by model, release, tool, feature, environment, prompt version and tag",
            download_name="error_correlates",
        )

    sampled = asked_samples()
    ui.section("Messages", error_group.variation(sampled))
    for index, row in enumerate(sampled.frame.iter_rows(named=True)):
        st.caption(f"{count(row['occurrences'])} times")
        long_code(row["message"] or "(no message)", key=f"sample_{index}")
    ui.how_computed(
        {"Group": found, "Course": over_time, "Next": after.answer, "Messages": sampled, "Traces": listed},
        metrics=("error_occurrences",),
        notes=failures.NOTES,
    )
    st.stop()

asked_head = ui.ask(page, overview.headline, page.timezone, page.filters, page.comparison, failures.HEADLINE)
asked_found = ui.ask(page, failures.groups, page.timezone, page.filters)
asked_marks = ui.ask(page, failures.releases, page.timezone, page.filters)
head = asked_head()
ui.stop_without_rows(page, head.totals)
asked_course = ui.ask(page, failures.trend, page.timezone, page.filters, head.grain)
found = asked_found()
ui.answer(failures.summary(head.totals.total, found))
ui.kpi_row(ui.metric_cards(page, head.totals, head.course, failures.CARDS))
if found.frame.is_empty():
    st.success("No errors in this selection: every trace ran through.", icon=":material/check_circle:")
    ui.how_computed({"Figures": head.totals}, metrics=failures.HEADLINE)
    st.stop()

over_time = asked_course()
chart, words = trend_chart(over_time, asked_marks(), **page.span)
ui.show_chart(chart, alt=words)
ui.show_chart(
    course(head.course, "error_rate", grain=head.grain, **page.span, height=180),
    alt=course_words(head.course, "error_rate", grain=head.grain),
)

ui.section("Groups", "Messages alike but for ids, numbers and names are one group; most frequent first.")
classes, states = {"": "All classes", **class_names()}, {"": "All states", **failures.STATES}
chosen_in_address("class", classes, "")
chosen_in_address("state", states, "")
with st.container(horizontal=True, vertical_alignment="bottom"):
    text = ui.search_box("Search titles and messages", key="text")
    error_class = st.selectbox(
        "Class",
        list(classes),
        format_func=classes.__getitem__,
        key="class",
        on_change=keep_in_address,
        args=("class", ""),
        width=220,
    )
    state = st.selectbox(
        "State",
        list(states),
        format_func=states.__getitem__,
        key="state",
        on_change=keep_in_address,
        args=("state", ""),
        width=180,
        help="Evaluated when the snapshot was published; see how this is computed, below",
    )
listed = (
    ui.cached(page, failures.groups, page.timezone, page.filters, error_class=error_class, state=state, text=text)
    if error_class or state or text
    else found
)
if listed.frame.is_empty():
    ui.empty_state("No group matches", "Search for another text, or choose all classes and all states.")
else:
    ui.table(
        listed.frame,
        columns={
            "title": ui.Column("Error", pinned=True),
            "class_name": ui.Column("Class"),
            "state_name": ui.Column("State"),
            "occurrences": ui.Column("Occurrences", "count"),
            "daily": ui.Column("Over the period", "series"),
            "users": ui.Column("Users", "count"),
            "failed_traces": ui.Column("Failed", "count", help="Traces whose user got no answer"),
            "wasted_usd": ui.Column("Cost wasted, USD", "money", help="Failed traces and the retries that followed"),
            "last_seen": ui.Column("Last seen", "time"),
            "first_seen": ui.Column("First seen", "time"),
            "traces": ui.Column("Traces", "count"),
            "sessions": ui.Column("Sessions", "count"),
            "error_group_id": ui.Column("Group id"),
        },
        key="error_groups",
        alt="Error groups, most frequent first",
        total=error_reach.total_of(listed),
        link=ui.OpenPage("errors", {"group": "error_group_id", "project": "project_id"}),
        download_name="error_groups",
        download=partial(
            failures.all_groups,
            page.store,
            page.timezone,
            page.filters,
            error_class=error_class,
            state=state,
            text=text,
        ),
    )
ui.how_computed(
    {"Figures": head.totals, "Groups": listed, "Course": over_time}, metrics=failures.HEADLINE, notes=failures.NOTES
)

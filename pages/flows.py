"""Which ways do conversations take, where do users leave, what precedes escalations? Reads sessions and traces."""

from __future__ import annotations

import streamlit as st

from app import ui
from app.analysis import drop_off, flow_patterns, flow_topics, flows, overview, resolutions, triggers
from app.charts.flows import flow_chart, hazard_chart, segment_chart, survival_chart, trigger_chart
from app.ui.detail import chosen_in_address, keep_in_address, stay_link
from app.ui.evidence import session_evidence
from app.ui.picking import show_picking

page = ui.start("Flows", "Which ways do conversations take, where do users leave, and what precedes escalations?")
asked_head = ui.ask(page, overview.headline, page.timezone, page.filters, page.comparison, flows.HEADLINE)
asked_before = ui.ask(page, triggers.triggers, page.filters)
asked_left = ui.ask(page, drop_off.drop_off, page.filters)
asked_steps = ui.ask(page, drop_off.steps, page.filters)
anchor = chosen_in_address("anchor", flow_patterns.ANCHORS, "start")
least = chosen_in_address("least", flow_patterns.LEAST_SHARES, "1")
asked_ways = ui.ask(page, flow_patterns.flow, page.filters, anchor, least=least)
head = asked_head()
if not head.totals.total["sessions"]:
    ui.empty_state(
        "No sessions in this selection",
        "Widen the period or remove a filter. If there should be conversations: pass session_id with every trace, "
        "so that the traces of one conversation belong together.",
        command='langfuse.update_current_trace(session_id="...", user_id="...")',
    )
    st.stop()

before = asked_before()
trigger = before.find(st.query_params.get("trigger", ""))
if trigger:
    stay_link("All flows", key="all_flows", trigger="")
    ui.section(trigger["label"])
    ui.answer(triggers.trigger_summary(before, trigger))
    behind = ui.cached(
        page, triggers.sessions_behind, page.timezone, page.filters, trigger["trigger"], trigger["value"]
    )
    ui.section("Escalated sessions in which it came first", "Newest first; a row opens the conversation at this turn.")
    session_evidence(behind, key="trigger_sessions", alt="Escalated sessions in which it had happened before")
    ui.how_computed({"Triggers": before.answer, "Sessions": behind}, notes=flows.NOTES)
    st.stop()

left, left_at = asked_left(), asked_steps()
ui.answer(flows.summary(head.totals.total, left, left_at, before))
strong = triggers.strongest(before)
if strong:
    stay_link(triggers.evidence_words(strong), key="strongest", trigger=strong["key"])
ui.kpi_row(ui.metric_cards(page, head.totals, head.course, flows.cards(head.totals.total)))

with st.container(horizontal=True, vertical_alignment="bottom"):
    st.segmented_control(
        "Direction",
        list(flow_patterns.ANCHORS),
        format_func=flow_patterns.ANCHORS.__getitem__,
        required=True,
        key="anchor",
        on_change=keep_in_address,
        args=("anchor", "start"),
    )
    st.selectbox(
        "Smallest way drawn",
        list(flow_patterns.LEAST_SHARES),
        format_func=flow_patterns.LEAST_SHARES.__getitem__,
        key="least",
        on_change=keep_in_address,
        args=("least", "1"),
        width=220,
    )
ways = asked_ways()
chart, words = flow_chart(ways)
passed = show_picking(chart, alt=words, key="flow_chart", parameter="passing")
shown: dict[str, ui.Provenance] = {"Figures": head.totals, "Ways": ways.answer, "Turns": left.answer}
if ways.part(passed):
    through = ui.cached(page, flow_patterns.passing, page.timezone, page.filters, ways, passed)
    ui.section("Sessions that go this way", flow_patterns.part_words(ways, passed))
    session_evidence(through, key="flow_sessions", alt="Sessions that pass the chosen step or way")
    stay_link("Close the list", key="close_way", passing="")
    shown |= {"Sessions that go this way": through}

one, other = ui.side_by_side()
with one:
    if left.is_one_turn:
        ui.empty_state(*drop_off.one_turn_words(left))
    else:
        chart, words = survival_chart(left)
        ui.show_chart(chart, alt=words)
with other:
    if before.escalated:
        chart, words = trigger_chart(before)
        ui.show_chart(chart, alt=words)
    else:
        ui.empty_state(*triggers.none_words(head.totals.total))

part = ui.choose_part(flows.PARTS, key="part")
if part == "Paths":
    common = ui.cached(page, flow_patterns.paths, page.filters)
    ui.section(
        "Commonest paths", f"Cut after {flow_patterns.PATH_STEPS} steps; rates over sessions with a known outcome."
    )
    ui.table(
        common.frame,
        columns={
            "path": ui.Column("Path", pinned=True),
            "sessions": ui.Column("Sessions", "count"),
            "share": ui.Column("Share", "share"),
            "resolved_rate": ui.Column("Resolved", "rate", help="Of those with a known outcome"),
            "resolved_rate_low": ui.Column("From", "rate", help="Low end of its 95 % interval (Wilson)"),
            "resolved_rate_high": ui.Column("To", "rate", help="High end"),
            "escalation_rate": ui.Column("Escalated", "rate", help="Of those with a known outcome"),
            "escalation_rate_low": ui.Column("From", "rate", help="Low end of its 95 % interval (Wilson)"),
            "escalation_rate_high": ui.Column("To", "rate", help="High end"),
            "known": ui.Column("Known outcome", "count"),
            "turns": ui.Column("Turns, mean", "number"),
            "cost_usd": ui.Column("Cost per session, USD", "unit_money"),
        },
        key="paths_table",
        alt="Commonest paths of steps, with how they end",
        link=ui.OpenPage("flows", {"path": "path"}),
        download_name="paths",
    )
    ui.section("Ways from step to step", flow_patterns.way_words(ways))
    ui.table(
        flow_patterns.way_rows(ways),
        columns={
            "source": ui.Column("From", pinned=True),
            "target": ui.Column("To"),
            "sessions": ui.Column("Sessions", "count"),
            "share": ui.Column("Share", "share", help="Of all sessions"),
            "place": ui.Column("Place", "count", help="Of the step nearer to where the diagram begins"),
        },
        key="ways_table",
        alt="Ways from step to step, the most frequent first",
        link=ui.OpenPage("flows", {"passing": "name"}),
        download_name="ways",
    )
    shown |= {"Paths": common}
    path = st.query_params.get("path", "")
    if path:
        on_it = ui.cached(page, flow_patterns.on_path, page.timezone, page.filters, path)
        ui.section("Sessions on this path", path)
        session_evidence(on_it, key="path_sessions", alt="Sessions on the chosen path")
        stay_link("Close the list", key="close_path", path="")
        shown |= {"Sessions on this path": on_it}
elif part == "Where users leave":
    ui.section("Where users leave", drop_off.STEPS_EXPLANATION)
    ui.table(
        drop_off.step_rows(left_at),
        columns={
            "step": ui.Column("Step", pinned=True),
            "abandoned": ui.Column("Left here", "count"),
            "share": ui.Column("Of all who left", "share"),
            "turns": ui.Column("Turns", "count"),
            "hazard": ui.Column("Leaves", "rate", help="Left here / turns at this step"),
            "hazard_low": ui.Column("From", "rate", help="Low end of its 95 % interval (Wilson)"),
            "hazard_high": ui.Column("To", "rate", help="High end"),
            "ratio": ui.Column("Times as often", "number", help="As at other turns of sessions that began alike"),
            "low": ui.Column("From", "number", help="Low end of its 95 % interval"),
            "high": ui.Column("To", "number", help="High end"),
            "reading": ui.Column("Reading", help="Certain when q is at most 5 % (Fisher's test, Benjamini-Hochberg)"),
        },
        key="steps_table",
        alt="Steps by how certainly users leave there more often",
        link=ui.OpenPage("flows", {"left_at": "step"}),
        download_name="drop_off",
    )
    step = st.query_params.get("left_at", "")
    if step:
        gone = ui.cached(page, drop_off.left_at, page.timezone, page.filters, step)
        ui.section("Sessions that were left at this step", step)
        session_evidence(gone, key="left_sessions", alt="Sessions that were left at the chosen step")
        stay_link("Close the list", key="close_step", left_at="")
        shown |= {"Sessions that were left": gone}
    one, other = ui.side_by_side()
    with one:
        if not left.is_one_turn:
            chart, words = hazard_chart(left)
            ui.show_chart(chart, alt=words)
    with other:
        dimension = ui.choose_dimension("Compare", drop_off.SEGMENTS, key="segment")
        groups = ui.cached(page, drop_off.segments, page.filters, dimension)
        if not left.is_one_turn:
            chart, words = segment_chart(groups)
            ui.show_chart(chart, alt=words)
        ui.note(groups.sentence)
    shown |= {"Where users leave": left_at, "Groups": groups.answer}
elif part == "Escalation triggers":
    ui.section("What precedes escalations", triggers.EXPLANATION)
    if before.frame.is_empty():
        ui.empty_state(*triggers.none_words(head.totals.total))
    else:
        ui.table(
            triggers.trigger_rows(before),
            columns={
                "label": ui.Column("Trigger", pinned=True),
                "reading": ui.Column(
                    "Reading", help="Certain when q is at most 5 % and there are 5 escalations or more"
                ),
                "ratio": ui.Column("Times as likely", "number", help="Mantel-Haenszel risk ratio over turns"),
                "low": ui.Column("From", "number", help="Low end of its 95 % interval"),
                "high": ui.Column("To", "number", help="High end"),
                "hit": ui.Column("Escalated after it", "count"),
                "sessions": ui.Column("Sessions with it", "count"),
                "rate": ui.Column("Rate with it", "rate", help="Per turn; of a topic per session"),
                "other_rate": ui.Column("Rate without", "rate"),
                "p": ui.Column("p", "number", help="Fisher's exact test, given the turns"),
                "q": ui.Column("q", "number", help="False discovery rate (Benjamini-Hochberg)"),
            },
            key="triggers_table",
            alt="What precedes escalations, surest first",
            link=ui.OpenPage("flows", {"trigger": "key"}),
            download_name="escalation_triggers",
        )
elif part == "What resolved sessions share":
    shared = ui.cached(page, resolutions.common_in_resolved, page.filters)
    ui.section("What resolved sessions have in common", resolutions.EXPLANATION)
    if shared.frame.is_empty():
        ui.empty_state(*resolutions.none_words(head.totals.total))
    else:
        ui.table(
            resolutions.rows(shared),
            columns={
                "label": ui.Column("Sessions with", pinned=True),
                "reading": ui.Column("Resolved", help="Certain when q is at most 5 % (exact test, Benjamini-Hochberg)"),
                "ratio": ui.Column("Lift", "number", help="Resolved rate with it / without it, over as many turns"),
                "low": ui.Column("From", "number", help="Low end of its 95 % interval"),
                "high": ui.Column("To", "number", help="High end"),
                "rate": ui.Column("Resolved with it", "rate", help="Of sessions resolved or abandoned, as it is"),
                "other_rate": ui.Column("Resolved without", "rate", help="As it is: longer ways lose more users"),
                "hit": ui.Column("Resolved", "count"),
                "exposed": ui.Column("Sessions", "count", help="Resolved or abandoned"),
            },
            key="resolved_table",
            alt="What resolved sessions have in common, surest first",
            download_name="successful_resolutions",
        )
    shown |= {"What resolved sessions share": shared}
elif part == "Hand-off":
    cheaper = resolutions.hand_off(left, page.definitions.flow.handoff_cost_usd)
    ui.section("When handing over is cheaper", cheaper.sentence)
    ui.table(
        cheaper.frame,
        columns={
            "turn": ui.Column("From turn", "count", pinned=True),
            "sessions": ui.Column("Sessions", "count", help="Whose outcome is known and that came to this turn"),
            "resolved_rate": ui.Column("Resolved in the end", "rate"),
            "cost_usd": ui.Column("Cost from here on, USD", "money"),
            "cost_per_resolution_usd": ui.Column("Per resolution, USD", "unit_money"),
        },
        key="handoff_table",
        alt="Cost of a resolution by going on from each turn",
        download_name="hand_off",
    )
else:
    about = ui.cached(page, flow_topics.topics, page.timezone, page.filters, page.comparison)
    ui.section("What conversations are about", flow_topics.topic_words(about))
    if flow_topics.has_topics(about):
        ui.table(
            about.frame,
            columns={
                "topic": ui.Column("Topic", pinned=True),
                "sessions": ui.Column("Sessions", "count"),
                "share": ui.Column("Share", "share"),
                "change": ui.Column("Change", help="Of the number of sessions, against the comparison period"),
                "reading": ui.Column(
                    "Reading", help="Of the share: certain when q is at most 5 % (Fisher's test, Benjamini-Hochberg)"
                ),
                "resolved_rate": ui.Column("Resolved", "rate"),
                "escalation_rate": ui.Column("Escalated", "rate"),
                "satisfaction_avg": ui.Column("Satisfaction", "score"),
                "error_rate": ui.Column("Error rate", "rate"),
                "cost_per_session_usd": ui.Column("Cost per session, USD", "unit_money"),
                "turns_per_session": ui.Column("Turns", "number"),
                "terms": ui.Column("Words", "list"),
            },
            key="topics_table",
            alt="Topics of conversations, largest first",
            link=ui.FilterBy("topic", "topic"),
            download_name="topics",
        )
    else:
        ui.empty_state("No topics yet", flow_topics.HOW)
    shown |= {"Topics": about}

ui.page_link("sessions", "Open all sessions of this selection")
ui.how_computed(shown, metrics=flows.HEADLINE, notes=flows.NOTES)

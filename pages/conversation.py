"""What was said in one session, and what did it cost? For analysts and support. Reads sessions, traces, payloads."""

from __future__ import annotations

import streamlit as st

from app import ui
from app.analysis import conversation, sessions, transcripts
from app.charts.timeline import response_times, timeline
from app.format import count, duration_ms, money, tokens
from app.ui.detail import load_or_stop, number_in_address, stay_link, turn_pages
from app.ui.transcript import jump_to, show_turn

page = ui.start("Conversation", "What was said in one session, and what did it cost?")
session_id = st.query_params.get("session")
if not session_id:
    listed = ui.cached(page, sessions.session_list, page.timezone, page.filters, limit=20)
    if listed.frame.is_empty():
        ui.empty_state(
            "No sessions in this selection",
            "Widen the period or remove a filter. If there should be conversations, pass session_id with every trace.",
        )
        st.stop()
    ui.section("Choose a session", "The latest of the selection; the Sessions page lists and filters all of them.")
    ui.table(
        listed.frame,
        columns={
            "start_time": ui.Column("Start", "time", pinned=True),
            "outcome": ui.Column("Outcome"),
            "turns": ui.Column("Turns", "count"),
            "cost_usd": ui.Column("Cost, USD", "unit_money"),
            "users": ui.Column("Users"),
            "session_id": ui.Column("Session id"),
        },
        key="conversation_choice",
        alt="The latest sessions",
        total=listed.rows_read,
        link=ui.OpenPage("conversation", {"session": "session_id", "project": "project_id"}),
    )
    st.stop()

session = load_or_stop(page, conversation.find_session, session_id, page.filters.project)
around = ui.cached(page, sessions.neighbours, page.filters, session)
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    ui.page_link("sessions", "All sessions")
    for direction, label in (("previous", "Earlier session"), ("next", "Later session")):
        if direction in around:
            project_id, neighbour = around[direction]
            stay_link(label, key=f"go_{direction}", session=neighbour, project=project_id, turn_page="", turn="")

turns = ui.cached(page, conversation.turns, session.project_id, session.session_id)
given = ui.cached(page, conversation.scores, session.project_id, session.session_id)
opened = conversation.opened_at(turns.frame, st.query_params.get("turn"))

ui.answer(conversation.summary(session))
if not opened:
    ui.kpi_row(
        [
            ui.Card("Turns", count(session.turns), why="Traces of the session"),
            ui.Card("Duration", duration_ms(session.duration_ms), why="From the first start to the last end"),
            ui.Card("Response time", duration_ms(session.avg_response_ms), why="Mean latency of its traces"),
            ui.Card("Cost", money(session.cost_usd), why="Sum over its traces; unpriced calls are not in it"),
            ui.Card("Tokens", tokens(session.total_tokens), why="Input and output"),
            ui.Card(
                "Satisfaction",
                conversation.written_score(session.satisfaction_mean),
                why="Mean of each trace's last user_satisfaction; missing when nobody scored",
            ),
        ]
    )
st.caption(ui.plain(conversation.facts(session), longest=600))

if not opened and conversation.has_course(session):
    clocked = conversation.clocked(turns.frame, page.timezone)
    left, right = ui.side_by_side()
    with left:
        ui.show_chart(
            timeline(clocked, written=duration_ms, zone=page.timezone.key),
            alt=f"When each of the {session.turns} turns ran, and the gaps between them",
        )
    with right:
        ui.show_chart(response_times(clocked, written=duration_ms), alt="Response time of each turn")

ui.section("Transcript", "Shown as plain text, as recorded; media are listed and not loaded.")
matches = ui.cached(page, conversation.turns_that_say, page.filters, session)
if matches:
    ui.note(conversation.matches_sentence(page.filters, matches))
page_count = conversation.pages_of(turns.frame.height)
number = number_in_address("turn_page", page_count)
if opened:
    stay_link("Show the whole conversation, with its figures", key="whole", turn="")
elif page_count > 1:
    jump_to(conversation.worth_a_look(turns.frame, matches), turns.frame.height)
    turn_pages("turn_page", number, page_count)
trace_ids, before = conversation.shown_turns(turns.frame["trace_id"].to_list(), number, opened)
said = ui.cached(page, transcripts.first_look, session.project_id, tuple(trace_ids), before=before)
for text in said:
    row = conversation.turn_of(turns.frame, text.trace_id)
    show_turn(
        page,
        session.project_id,
        row,
        text,
        conversation.scores_of(given.frame, text.trace_id),
        is_looked_for=row["turn_index"] == opened,
    )
own_scores = conversation.scores_of(given.frame, None)
if own_scores:
    ui.section("Scores of the whole session")
    ui.table(
        conversation.as_frame(own_scores),
        columns={
            "name": ui.Column("Score"),
            "value": ui.Column("Value", "number"),
            "string_value": ui.Column("Category"),
            "comment": ui.Column("Comment"),
            "source": ui.Column("Source"),
        },
        key="session_scores",
        alt="Scores given to the session as a whole",
    )
ui.how_computed(
    {"Turns": turns, "Scores": given},
    notes=["Outcome by the rules of [outcome] in tracehouse.toml, evaluated when the snapshot was published."],
)

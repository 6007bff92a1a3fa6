"""One turn of a conversation: who said what, what it took, and the steps behind it on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.analysis.conversation import TurnText, payload, steps
from app.analysis.messages import Message
from app.cache import cached
from app.format import duration_ms, money, tokens, when
from app.ui.detail import long_code, long_text
from app.ui.layout import page_link
from app.ui.page import Page
from app.ui.tables import Column, table
from app.ui.text import plain

AVATARS = {"user": ":material/person:", "assistant": ":material/smart_toy:"}
STEP_COLUMNS = {
    "name": Column("Step", pinned=True),
    "type": Column("Type"),
    "offset_ms": Column("Starts after, ms", "ms", help="Since the turn's first step began"),
    "latency_ms": Column("Latency, ms", "ms"),
    "level": Column("Level"),
    "status_message": Column("Message"),
    "model": Column("Model"),
    "input_tokens": Column("Input tokens", "tokens"),
    "output_tokens": Column("Output tokens", "tokens"),
    "cost_usd": Column("Cost, USD", "unit_money"),
    "observation_id": Column("Observation id"),
}


def show_turn(
    page: Page, project_id: str, row: Mapping[str, Any], said: TurnText, scores: Sequence[Mapping[str, Any]]
) -> None:
    """Draw one turn.

    Args:
        page: the page.
        project_id: the session's project.
        row: the turn's row of ``conversation.turns``.
        said: its texts.
        scores: its rows of ``conversation.scores``.
    """
    trace_id = row["trace_id"]
    _heading(page, row)
    if said.is_continuation:
        st.caption("Goes on with the message above.")
    elif said.user is not None:
        _say("user", said.user, key=f"user_{trace_id}")
    if said.answer is not None:
        _say("assistant", said.answer, key=f"answer_{trace_id}")
    elif row["is_error"]:
        st.error("No answer: this turn ended in an error.", icon=":material/error:")
    elif said.user is not None:
        st.caption("No answer was recorded.")
    if said.user is None and said.answer is None and not row["is_error"]:
        st.caption("Nothing readable was recorded for this turn; its steps are below.")
    if scores:
        st.caption(" · ".join(score_words(score) for score in scores))
    if row["first_error_group_id"]:
        page_link("errors", "Why it broke", group=row["first_error_group_id"])
    _steps(page, project_id, trace_id, row["observation_count"])


def _heading(page: Page, row: Mapping[str, Any]) -> None:
    facts = [f"**Turn {row['turn_index']}**", plain(when(row["start_time"], page.timezone)), plain(row["name"] or "—")]
    facts += [plain(duration_ms(row["latency_ms"])), plain(money(row["cost_usd"]))]
    if row["total_tokens"]:
        facts.append(plain(f"{tokens(row['total_tokens'])} tokens"))
    if row["gap_ms"]:
        facts.append(plain(f"{duration_ms(row['gap_ms'])} after the turn before"))
    if row["is_failed"]:
        facts.append(":red[:material/cancel: failed]")
    elif row["error_count"]:
        facts.append(
            f":orange[:material/warning: {row['error_count']} {'error' if row['error_count'] == 1 else 'errors'}]"
        )
    st.caption(" · ".join(facts))


def _say(role: str, message: Message, *, key: str) -> None:
    with st.chat_message(role, avatar=AVATARS[role]):
        if message.text:
            long_text(message.text, key=f"{key}_all")
        for attachment in message.attachments:
            kind = f"{attachment.kind} {attachment.media_type}".strip()
            st.caption(f":material/attach_file: {plain(kind)} · {plain(attachment.reference)} · not loaded")
        for index, call in enumerate(message.tool_calls):
            st.caption(f":material/build: asked for the tool {plain(call.name)}")
            if call.arguments:
                long_code(call.arguments, key=f"{key}_call_{index}", language="json")


def score_words(score: Mapping[str, Any]) -> str:
    """One score as a line of Markdown: name, value, comment."""
    value = (
        score["string_value"]
        if score["value"] is None or score["data_type"] == "CATEGORICAL"
        else f"{score['value']:g}"
    )
    if score["data_type"] == "BOOLEAN":
        value = "yes" if score["value"] else "no"
    comment = f" — {plain(score['comment'], longest=300)}" if score["comment"] else ""
    return f":material/star: {plain(score['name'])} {plain(value)}{comment}"


def _steps(page: Page, project_id: str, trace_id: str, count: int) -> None:
    label = f"{count:,} {'step' if count == 1 else 'steps'}"
    box = st.expander(label, key=f"steps_{trace_id}", on_change="rerun", icon=":material/account_tree:")
    if not box.open:
        return
    with box:
        rows = cached(page, steps, project_id, trace_id).frame
        table(rows, columns=STEP_COLUMNS, key=f"steps_table_{trace_id}", alt=f"Steps of trace {trace_id}")
        names = {row["observation_id"]: f"{row['type']} {row['name']}" for row in rows.iter_rows(named=True)}
        chosen = st.selectbox(
            "Input and output of a step",
            list(names),
            index=None,
            format_func=lambda identity: f"{names.get(identity, '')} ({identity[:8]})",
            placeholder="Choose a step",
            key=f"payload_{trace_id}",
        )
        if chosen:
            received, returned = cached(page, payload, project_id, trace_id, chosen)
            for title, text in (("Input", received), ("Output", returned)):
                st.caption(title)
                if text is None:
                    st.caption("Nothing was recorded.")
                else:
                    long_code(text, key=f"{title}_{trace_id}_{chosen}")
        page_link("trace", "Open this trace", trace=trace_id, project=project_id)
        st.caption(f"Trace {plain(trace_id)}")

"""One turn of a conversation: who said what, what it took, and the steps behind it on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.analysis.conversation import page_with, payload, steps, tools
from app.analysis.messages import Message
from app.analysis.transcripts import TurnText, as_text, own_payload, whole_turn
from app.cache import cached
from app.format import duration_ms, money, tokens, when
from app.ui.detail import LONGEST_SENT, long_code, stay_link
from app.ui.layout import page_link
from app.ui.page import Page
from app.ui.payload import show_media
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
    page: Page,
    project_id: str,
    row: Mapping[str, Any],
    said: TurnText,
    scores: Sequence[Mapping[str, Any]],
    *,
    is_looked_for: bool = False,
) -> None:
    """Draw one turn.

    Args:
        page: the page.
        project_id: the session's project.
        row: the turn's row of ``conversation.turns``.
        said: its texts, as ``transcripts.first_look`` cuts them.
        scores: its rows of ``conversation.scores``.
        is_looked_for: whether it is the turn that was asked for: it says so, and its tools are open.
    """
    trace_id = row["trace_id"]
    _heading(page, row, is_looked_for=is_looked_for)
    if said.is_continuation:
        st.caption("Goes on with the message above.")
    elif said.user is not None:
        with _chat("user"):
            _say(said.user)
            if said.user_size and st.toggle(f"Show all {said.user_size}", key=f"user_{trace_id}_all"):
                _say_all(cached(page, whole_turn, project_id, trace_id).user, key=f"user_{trace_id}")
    _answer(page, project_id, row, said)
    if any(message and message.attachments for message in (said.user, said.answer)):
        _media(page, project_id, trace_id)
    if scores:
        st.caption(" · ".join(score_words(score) for score in scores))
    if row["first_error_group_id"]:
        page_link("errors", "Why it broke", group=row["first_error_group_id"])
    if row["tool_call_count"]:
        _tools(page, project_id, trace_id, row["tool_call_count"], is_open=is_looked_for)
    _steps(page, project_id, trace_id, row["observation_count"])


def _answer(page: Page, project_id: str, row: Mapping[str, Any], said: TurnText) -> None:
    if said.answer is not None:
        trace_id = row["trace_id"]
        with _chat("assistant"):
            _say(said.answer)
            if said.answer_size and st.toggle(f"Show all {said.answer_size}", key=f"answer_{trace_id}_all"):
                _say_all(cached(page, whole_turn, project_id, trace_id).answer, key=f"answer_{trace_id}")
    elif row["is_error"]:
        st.error("No answer: this turn ended in an error.", icon=":material/error:")
    elif said.user is not None:
        st.caption("No answer was recorded.")
    else:
        st.caption("Nothing readable was recorded for this turn; its steps are below.")


def jump_to(places: Mapping[str, int], turns: int) -> None:
    """Ways into a transcript of several pages: the turns worth a look, and any turn by its number.

    Args:
        places: what is special about a turn -> its place, from 1.
        turns: how many there are.
    """
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.number_input(
            f"Go to turn, 1 to {turns:,}",
            min_value=1,
            max_value=turns,
            value=None,
            key="jump",
            width=180,
            on_change=_jump,
        )
        for label, place in places.items():
            stay_link(f"{plain(label)}: turn {place:,}", key=f"to_{label}", turn_page=str(page_with(place)))


def _jump() -> None:
    place = st.session_state["jump"]
    if place:
        st.query_params["turn_page"] = str(page_with(place))


def _heading(page: Page, row: Mapping[str, Any], *, is_looked_for: bool) -> None:
    title = f":blue-badge[**Turn {row['turn_index']}**]" if is_looked_for else f"**Turn {row['turn_index']}**"
    facts = [title, plain(when(row["start_time"], page.timezone)), plain(row["name"] or "—")]
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


def _chat(role: str) -> DeltaGenerator:
    return st.chat_message(role, avatar=AVATARS[role])


def _say(message: Message) -> None:
    """A message as it is seen at first."""
    if message.text:
        st.text(message.text, width="stretch")
    for attachment in message.attachments:
        kind = f"{attachment.kind} {attachment.media_type}".strip()
        st.caption(f":material/attach_file: {plain(kind)} · {plain(attachment.reference)} · not loaded")
    for call in message.tool_calls:
        with st.expander(f"Asked for the tool {plain(call.name)}", icon=":material/build:", type="compact"):
            st.code(call.arguments or "no arguments", language="json", wrap_lines=True)


def _say_all(message: Message | None, *, key: str) -> None:
    """A message as plain text, all of it: what the browser takes at once, the rest as a download."""
    text = "" if message is None else as_text(message)
    st.code(text[:LONGEST_SENT], language=None, wrap_lines=True, height=480)
    if len(text) > LONGEST_SENT:
        st.caption(f"The first {LONGEST_SENT:,} of {len(text):,} characters; the download has all of them.")
        st.download_button(
            "Download this message",
            text.encode("utf-8", "replace"),
            file_name="message.txt",
            mime="text/plain",
            icon=":material/download:",
            key=f"{key}_download",
            on_click="ignore",
        )


def _media(page: Page, project_id: str, trace_id: str) -> None:
    """What lies inside the payload is shown after a click; what it only points at is never fetched."""
    if not st.toggle("Attachments", key=f"media_{trace_id}"):
        return
    for place, text in enumerate(cached(page, own_payload, project_id, trace_id)):
        show_media(text, key=f"turn_{trace_id}_{place}")


def _tools(page: Page, project_id: str, trace_id: str, count: int, *, is_open: bool) -> None:
    box = st.expander(
        f"{count:,} tool {'call' if count == 1 else 'calls'}",
        key=f"tools_{trace_id}",
        expanded=is_open,
        on_change="rerun",
        icon=":material/build:",
        type="compact",
    )
    if not box.open:
        return
    with box:
        for row in cached(page, tools, project_id, trace_id).frame.iter_rows(named=True):
            failed = f" · :red[:material/error: {plain(row['status_message'] or 'error')}]" if row["is_error"] else ""
            st.caption(f"**{plain(row['name'] or '—')}** · {plain(duration_ms(row['latency_ms']))}{failed}")
            for title, text in (("Given", row["input"]), ("Returned", row["output"])):
                st.caption(title if text is not None else f"{title}: nothing was recorded")
                if text is not None:
                    long_code(text, key=f"{title}_{trace_id}_{row['observation_id']}", language="json")


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
    box = st.expander(label, key=f"steps_{trace_id}", on_change="rerun", icon=":material/account_tree:", type="compact")
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

"""Other rules for how sessions end, tried on the stored data from a page and saved only on request."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app.analysis.outcome_preview import preview_outcomes
from app.cache import cached
from app.saved import save_outcome
from app.ui.layout import note
from app.ui.page import Page
from app.ui.states import error_box
from app.ui.tables import Column, OpenPage, table
from app.ui.text import plain
from etl.errors import TracehouseError
from etl.settings import OutcomeSettings

TRIED = "outcome_tried"


def try_outcome_rules(page: Page) -> None:
    """An expander with the rules of ``[outcome]``: what others would change, and a button that keeps them."""
    place = st.expander("Try other outcome rules", icon=":material/rule:", key="outcome_rules", on_change="rerun")
    if not place.open:
        return
    with place:
        note("Nothing changes until you save; then the next sync reads all of history by the new rules.")
        asked = _form(st.session_state.get(TRIED, page.definitions.outcome))
        if asked is not None:
            st.session_state[TRIED] = asked
        tried: OutcomeSettings | None = st.session_state.get(TRIED)
        if tried is None:
            return
        try:
            _show(page, tried)
        except TracehouseError as error:
            error_box(error)


def _form(rules: OutcomeSettings) -> OutcomeSettings | None:
    """The rules that a person asks for; None until they ask."""
    with st.form("outcome_form", border=False):
        left, right = st.columns(2, gap="medium")
        with left:
            resolved_score = st.text_input("Score that says resolved", rules.resolved_score)
            resolved_tag = st.text_input("Tag that says resolved", rules.resolved_tag)
            open_minutes = st.number_input("Minutes until a session is no longer open", 0.0, value=rules.open_minutes)
        with right:
            satisfaction_score = st.text_input("Score of satisfaction", rules.satisfaction_score)
            of_5 = st.number_input("Satisfied from, of 5", value=rules.satisfied_from_of_5, step=0.5)
            of_1 = st.number_input("Satisfied from, of 1", value=rules.satisfied_from_of_1, step=0.1)
        pattern = st.text_input("Names of escalations", rules.escalation_pattern, help="A regular expression of RE2")
        if not st.form_submit_button("Count what would change", icon=":material/preview:"):
            return None
    return replace(
        rules,
        resolved_score=resolved_score,
        resolved_tag=resolved_tag,
        open_minutes=open_minutes,
        satisfaction_score=satisfaction_score,
        satisfied_from_of_5=of_5,
        satisfied_from_of_1=of_1,
        escalation_pattern=pattern,
    )


def _show(page: Page, tried: OutcomeSettings) -> None:
    found = cached(page, preview_outcomes, page.timezone, tried)
    st.markdown(f"**{plain(str(found), longest=400)}**")
    if found.changed:
        table(
            found.examples,
            columns={
                "start_time": Column("Start", "time", pinned=True),
                "before": Column("Now"),
                "after": Column("By the other rules"),
                "reason_before": Column("Reason now"),
                "reason_after": Column("Reason then"),
                "session_id": Column("Session id"),
            },
            key="outcome_examples",
            alt="The latest sessions of each change",
            total=found.changed,
            link=OpenPage("conversation", {"session": "session_id", "project": "project_id"}),
            download_name="outcome_changes",
        )
    if tried != page.definitions.outcome and st.button("Save these rules", icon=":material/save:"):
        path = save_outcome(page.settings, tried)
        st.success(plain(f"Saved to {path.name}. They hold from the next sync on."), icon=":material/check:")

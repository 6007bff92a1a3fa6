"""Shows what to do about an error: each suggestion with the evidence that chose it, and all of it as a text to copy."""

from __future__ import annotations

import streamlit as st

from app.analysis.playbooks import Playbook
from app.ui.layout import section
from app.ui.text import plain


def show_playbook(page: Playbook, *, title: str, sample: str | None) -> None:
    """The playbook: what the evidence chose first, then what helps with the class in general.

    Args:
        page: filled with evidence.
        title: of the error group, for the text to copy.
        sample: one of its messages, for the same.
    """
    section("What to do", f"{page.name}: {page.cause}")
    for each in page.specific:
        with st.container(border=True, gap="small"):
            st.markdown(f":material/lightbulb: **{plain(each.step, longest=600)}**")
            st.caption(f"Because {plain(each.because, longest=600)}.")
    if page.general:
        also = "Also helps" if page.specific else "Helps"
        st.markdown(f"{also} with this class ({plain(page.evidence.rstrip('.'), longest=600)}):")
        st.markdown("\n".join(f"- {plain(each.step, longest=600)}" for each in page.general))
    with st.popover("Copy as a prompt", icon=":material/content_copy:"):
        st.code(page.as_prompt(title, sample), language=None, wrap_lines=True)

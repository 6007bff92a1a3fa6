"""An experiment's verdict and its validity checks, in colour and in words."""

from __future__ import annotations

import streamlit as st

from app.analysis.checks import Check
from app.analysis.verdicts import Verdict
from app.ui.text import plain

_LONGEST = 700


def show_verdict(verdict: Verdict) -> None:
    """The verdict sentence first, the reasons under it."""
    body = "\n".join(f"- {plain(reason, longest=_LONGEST)}" for reason in verdict.reasons)
    title = plain(verdict.sentence, longest=_LONGEST)
    if verdict.kind == "winner":
        st.success(body, title=title, icon=":material/check_circle:")
    elif verdict.kind in ("invalid", "keep_control"):
        st.error(body, title=title, icon=":material/block:" if verdict.kind == "invalid" else ":material/undo:")
    elif verdict.kind in ("mixed", "too_early"):
        st.warning(
            body, title=title, icon=":material/balance:" if verdict.kind == "mixed" else ":material/hourglass_top:"
        )
    else:
        st.info(body, title=title, icon=":material/drag_handle:")


def show_check(check: Check) -> None:
    """One check: its state by icon, colour and word."""
    mark = {
        "ok": ":green[:material/check_circle:] **OK**",
        "warn": ":orange[:material/warning:] **Worth knowing**",
        "wait": ":orange[:material/hourglass_top:] **Too early**",
        "fail": ":red[:material/cancel:] **Broken**",
    }[check.state]
    remedy = f"  \n{plain(check.remedy, longest=_LONGEST)}." if check.remedy else ""
    st.markdown(f"{mark} · **{plain(check.name)}** · {plain(check.finding, longest=_LONGEST)}{remedy}")

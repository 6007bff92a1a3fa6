"""Small parts between the large ones: headings, columns, findings, budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.format import Tone
from app.metrics.registry import find_dimension
from app.ui.states import error_box
from app.ui.tables import PAGES
from app.ui.text import plain
from app.ui.view import View, kept_view
from etl.errors import ConfigError

if TYPE_CHECKING:
    from app.analysis.budgets import BudgetState
    from app.analysis.cost_audit import Check


def section(title: str, explanation: str = "") -> None:
    """A heading and, smaller, one sentence that says how to read what follows."""
    st.subheader(plain(title), anchor=False)
    if explanation:
        st.caption(plain(explanation[:1].upper() + explanation[1:], longest=400))


def place() -> DeltaGenerator:
    """A place on the page that is filled later, ``with`` it: what stands below can be asked for before."""
    return st.container()


def side_by_side() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Two columns for supporting views; one below the other on a phone."""
    left, right = st.columns(2, gap="medium")
    return left, right


def page_link(page: str, label: str, *, view: View | None = None, **parameters: str) -> None:
    """A link to another page that keeps the view.

    Args:
        page: file name of the page without its ending.
        label: what the link says.
        view: another view than the present one.
        **parameters: what else goes into the address, such as the id of a detail page.
    """
    query = {**(view or kept_view()).parameters(), **parameters}
    st.page_link(PAGES / f"{page}.py", label=plain(label), icon=":material/arrow_forward:", help="", query_params=query)


_TONES: dict[Tone, tuple[str, str]] = {
    "better": (":green[:material/check_circle:]", "Better"),
    "worse": (":red[:material/error:]", "Worse"),
    "neutral": (":gray[:material/change_circle:]", "Changed"),
}


def finding(sentence: str, *, tone: Tone, page: str, condition: str = "") -> None:
    """One thing worth a look: a sentence, whether it is good news, and the page that explains it.

    Args:
        sentence: computed, with its numbers.
        tone: whether it is good news.
        page: file name of the page that explains it.
        condition: selects the part that did most of it; empty for none.
    """
    view = kept_view().adding(condition) if condition else kept_view()
    icon, word = _TONES[tone]
    with st.container(border=True):
        text, link = st.columns([6, 1], vertical_alignment="center")
        text.markdown(f"{icon} **{word}** · {plain(sentence, longest=400)}")
        with link:
            page_link(page, "Explain", view=view)


def step(sentence: str, *, page: str, condition: str = "", part: str = "") -> None:
    """One thing to do: a sentence with its numbers, and the page that shows the evidence.

    Args:
        sentence: computed, with its numbers.
        page: file name of the page with the evidence.
        condition: selects what it is about; empty for none.
        part: of that page; empty for its first.
    """
    view = kept_view().adding(condition) if condition else kept_view()
    with st.container(border=True, gap="small"):
        st.markdown(f":material/lightbulb: {plain(sentence, longest=400)}")
        page_link(page, "Show it", view=view, **({"part": part} if part else {}))


_BUDGET = {
    "within": ":green[:material/check_circle:]",
    "at risk": ":orange[:material/warning:]",
    "exceeded": ":red[:material/error:]",
}


def budgets(lines: Sequence[BudgetState]) -> None:
    """Each configured budget as a bar with its state in words; nothing where none is configured."""
    if not lines:
        return
    section("Budgets", "For the whole month and not only for the filters above.")
    for line in lines:
        st.progress(
            line.used,
            text=f"{_BUDGET[line.state]} **{plain(line.name)}**, {plain(line.month)}: "
            + plain(line.sentence, longest=300),
        )


def choose_dimension(label: str, names: Sequence[str], *, key: str) -> str:
    """Let a person choose what to split by: a known dimension, or any tag family or metadata key they type.

    Args:
        label: of the control.
        names: the dimensions on offer; the first is the default.
        key: stable identity, and the parameter of the address that holds the choice.

    Returns:
        The name of a dimension that exists.
    """
    chosen: str = st.selectbox(
        label,
        names,
        key=key,
        format_func=lambda name: find_dimension(name).label if name in names else name,
        accept_new_options=True,
        bind="query-params",
        width=280,
        help="Or type any metadata key as metadata.tenant, or a family of tags as tag:agent_id:*",
    )
    try:
        return find_dimension(chosen).name
    except ConfigError as error:
        error_box(error)
        return names[0]


def asked_dimension(key: str, names: Sequence[str]) -> str:
    """What ``choose_dimension`` of this key will return, for asking before it is drawn."""
    chosen = st.session_state.get(key) or st.query_params.get(key) or names[0]
    try:
        return find_dimension(str(chosen)).name
    except ConfigError:
        return names[0]


def note(sentence: str) -> None:
    """A sentence in small print."""
    st.caption(plain(sentence, longest=500))


def choose_part(names: Sequence[str], *, key: str) -> str:
    """Let a person choose which part of a page to see; only that part is computed.

    Args:
        names: the parts as they are called, also in the address; the first is the default.
        key: stable identity, and the parameter of the address.
    """
    chosen = st.segmented_control(
        "Part of this page",
        names,
        default=names[0],
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen or names[0]


def choose_value(label: str, names: Sequence[str], *, key: str) -> str | None:
    """Let a person choose one of many names, or type another."""
    chosen: str | None = st.selectbox(label, names, key=key, accept_new_options=True, bind="query-params", width=320)
    return chosen


def search_box(label: str, *, key: str) -> str:
    """A text to search for where the data is; empty for everything."""
    return st.text_input(label, key=key, bind="query-params", icon=":material/search:", width=320).strip()


def checks(lines: Sequence[Check]) -> None:
    """The questions of an audit: fine or not in words and colour, what was found, and what to do."""
    for line in lines:
        icon = _TONES["better" if line.is_fine else "worse"][0]
        state = "Fine" if line.is_fine else "Look"
        remedy = f"  \n{plain(line.remedy, longest=300)}" if line.remedy else ""
        st.markdown(f"{icon} **{state} · {plain(line.name)}**: {plain(line.found, longest=400)}{remedy}")


def unpriced_note(unpriced: float | None, calls: float | None) -> None:
    """Say how many calls have no price and so are missing from every cost on the page; nothing when all have one."""
    if unpriced:
        share = f" of {calls:,.0f}" if calls else ""
        st.warning(
            plain(f"{unpriced:,.0f}{share} calls have no known price, so their cost is missing from this page.")
            + " Name their price with `[[price]]` in tracehouse.toml.",
            icon=":material/sell:",
        )

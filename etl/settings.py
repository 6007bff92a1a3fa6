"""Every setting, read once at the edge and passed down as a frozen value.

Secrets and places come from the environment, definitions from ``tracehouse.toml`` (and, below it, what people saved
from pages in ``saved.toml``). Each key has a default that works with no file at all. How the file is read and
checked lives in ``etl.config_file``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from etl.config_file import read_definitions
from etl.errors import ConfigError
from etl.settings_alerts import AlertSettings, ChannelSettings
from etl.settings_dashboards import DashboardSettings
from etl.settings_funnels import FunnelSettings
from etl.settings_queries import SavedQuerySettings

OPTIONAL_ENTITIES = ("datasets", "dataset_items", "experiments")
DEFAULT_BASE_URL = "https://cloud.langfuse.com"


REDACT_PATTERNS = ("api_key", "email", "iban", "card", "cnpj", "cpf", "phone", "ip")
REDACT_IDS = ("user_id", "session_id", "author_id")
STEP = r"trace_name|root_observation|root|observation|tag:.+|metadata\..+"
REDACT_PATH = r"(input|output|metadata)(\.[A-Za-z0-9_-]+)+"


def at_least(minimum: float, default: Any) -> Any:
    """A field with a default and a smallest allowed value."""
    return field(default=default, metadata={"minimum": minimum})


def among(choices: tuple[str, ...]) -> Any:
    """A field that holds any of the choices, none by default."""
    return field(default=(), metadata={"choices": choices})


@dataclass(frozen=True)
class ProjectSettings:
    """One Langfuse project: ``[[project]]``. Without any, one project with the standard variables is assumed."""

    name: str = "default"
    public_key_env: str = "LANGFUSE_PUBLIC_KEY"
    secret_key_env: str = "LANGFUSE_SECRET_KEY"  # noqa: S105 - the name of a variable, not a secret
    base_url: str = ""  # empty: LANGFUSE_BASE_URL, LANGFUSE_HOST, then Langfuse Cloud in the EU
    sample_rate: float = at_least(0, 1.0)


@dataclass(frozen=True)
class SyncSettings:
    """How the sync reads: ``[sync]``."""

    recent_hours: float = at_least(0, 1.0)  # every run reads this much behind the watermark again
    lookback_hours: float = at_least(0, 24.0)  # observations and traces, so far back ...
    lookback_every_hours: float = at_least(0, 1.0)  # ... so often
    score_lookback_hours: float = at_least(0, 72.0)
    score_lookback_every_hours: float = at_least(0, 6.0)
    slice_hours: float = at_least(0.1, 1.0)
    concurrency: int = at_least(1, 4)
    page_size: int = at_least(0, 0)  # 0: the largest page that each endpoint allows for what is asked
    payloads: bool = True
    optional: tuple[str, ...] = ()  # datasets, dataset_items, experiments
    max_payload_kb: int = at_least(0, 0)  # of one input or output; 0: whatever its size
    memory_mb: int = at_least(300, 400)  # of the engine; the process takes about 130 MB more
    timeout_seconds: float = at_least(1, 60.0)
    landing_days: float = at_least(0, 7.0)
    landing_gigabytes: float = at_least(0, 5.0)


@dataclass(frozen=True)
class DisplaySettings:
    """How numbers are shown: ``[display]``."""

    timezone: str = "UTC"
    base_url: str = ""


@dataclass(frozen=True)
class OutcomeSettings:
    """What counts as resolved, escalated, open: ``[outcome]``."""

    resolved_score: str = "resolved"
    satisfaction_score: str = "user_satisfaction"
    satisfied_from_of_5: float = 4.0
    satisfied_from_of_1: float = 0.8
    resolved_tag: str = "resolved"
    escalation_pattern: str = (
        r"(?i)(\bescalat\w*|transfer_to_human|human_handoff|handoff_to_human|handoff to (human|support|operator)\b)"
    )
    open_minutes: float = at_least(0, 30.0)
    value_per_resolution_usd: float = at_least(0, 0.0)  # what a resolved session is worth; 0: not said


@dataclass(frozen=True)
class FlowSettings:
    """Which field names a step of a conversation, and how names are cleaned: ``[flow]``.

    Patterns have ``*`` for any text and ``?`` for one letter; of ``rename`` the first that fits counts.
    """

    step: str = "trace_name"  # trace_name, root_observation, tag:<family> or metadata.<key>
    rename: Mapping[str, str] = field(default_factory=dict)  # pattern to name
    ignore: tuple[str, ...] = ()  # patterns of steps that are left out, by their old or their new name
    fold_repeats: bool = True  # a step repeated at once stands once, as "search x3"
    handoff_cost_usd: float = at_least(0, 0.0)  # what a person costs who takes a conversation over; 0: not said


@dataclass(frozen=True)
class PriceSettings:
    """A negotiated price: ``[[price]]``. USD per million tokens; it overrides every other source."""

    model: str
    input_per_million_usd: float
    output_per_million_usd: float
    cache_read_per_million_usd: float | None = None
    cache_creation_per_million_usd: float | None = None
    starts: str = ""  # ISO date; empty: always
    ends: str = ""  # ISO date, exclusive; empty: open


@dataclass(frozen=True)
class BudgetSettings:
    """A monthly limit: ``[[budget]]``, for everything or for what ``where`` selects."""

    name: str
    monthly_usd: float
    where: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScoreSettings:
    """The scale of a score that has no configuration on the server: ``[score.<name>]``."""

    minimum: float = 0.0
    maximum: float = 1.0


@dataclass(frozen=True)
class ExperimentSettings:
    """A declared A/B test: ``[[experiment]]``."""

    name: str
    variants: str  # dimension=a,b with the control first, e.g. tag=variant_A,variant_B
    unit: str = ""  # user, session or trace; empty: inferred
    primary: str = "cost_per_trace_usd"
    metrics: tuple[str, ...] = ()  # empty: the usual ones and every score
    guardrails: tuple[str, ...] = ()  # must not get worse
    where: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    segments: tuple[str, ...] = ()  # dimensions by whose values the primary is looked at
    split: str = ""  # shares of the arms, e.g. 90:10; empty: equal
    wanted_lift: float = 0.05  # the relative difference worth finding
    winsorise: float | None = None  # cap units' own values at this quantile


@dataclass(frozen=True)
class ViewSettings:
    """A page with its filters under a name: ``[[view]]``. People save them from pages."""

    name: str
    page: str  # its address without parameters, e.g. sessions
    address: str = ""  # the parameters, e.g. since=30d&where=outcome%3Descalated


@dataclass(frozen=True)
class OwnPattern:
    """What else is personal: ``[redact.own.<name>]``; a regular expression of RE2."""

    pattern: str


@dataclass(frozen=True)
class RedactSettings:
    """What never enters the warehouse: ``[redact]``. Nothing is redacted unless it is named here."""

    patterns: tuple[str, ...] = among(REDACT_PATTERNS)
    paths: tuple[str, ...] = field(default=(), metadata={"form": REDACT_PATH, "example": "input.customer.name"})
    hash_ids: tuple[str, ...] = among(REDACT_IDS)  # those that match a pattern are hashed anyway
    key_env: str = "TRACEHOUSE_REDACT_KEY"  # names the variable that holds the key of the hashes
    own: Mapping[str, OwnPattern] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether any rule is named."""
        return bool(self.patterns or self.paths or self.hash_ids or self.own)


@dataclass(frozen=True)
class Definitions:
    """All of ``tracehouse.toml``."""

    project: tuple[ProjectSettings, ...] = ()
    sync: SyncSettings = field(default_factory=SyncSettings)
    display: DisplaySettings = field(default_factory=DisplaySettings)
    outcome: OutcomeSettings = field(default_factory=OutcomeSettings)
    flow: FlowSettings = field(default_factory=FlowSettings)
    redact: RedactSettings = field(default_factory=RedactSettings)
    price: tuple[PriceSettings, ...] = ()
    budget: tuple[BudgetSettings, ...] = ()
    score: Mapping[str, ScoreSettings] = field(default_factory=dict)
    experiment: tuple[ExperimentSettings, ...] = ()
    view: tuple[ViewSettings, ...] = field(default=(), compare=False)  # no number depends on them
    funnel: tuple[FunnelSettings, ...] = ()
    alert: tuple[AlertSettings, ...] = field(default=(), compare=False)
    channel: tuple[ChannelSettings, ...] = field(default=(), compare=False)
    dashboard: tuple[DashboardSettings, ...] = field(default=(), compare=False)
    saved_query: tuple[SavedQuerySettings, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Credentials:
    """One project's keys and server. The secret never shows in a repr."""

    project_name: str
    base_url: str
    public_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """Places and definitions. Paths are absolute."""

    home: Path
    warehouse: Path
    config_path: Path | None
    definitions: Definitions
    environ: Mapping[str, str] = field(repr=False)

    @property
    def landing(self) -> Path:
        """Where page bodies are kept as received."""
        return self.home / "landing"

    @property
    def state_path(self) -> Path:
        """The SQLite file of runs and slices; it can be rebuilt."""
        return self.home / "state.db"

    @property
    def lock_path(self) -> Path:
        """The file whose lock a run holds."""
        return self.home / "run.lock"

    @property
    def timezone(self) -> ZoneInfo:
        """The display zone."""
        return ZoneInfo(self.definitions.display.timezone)

    def credentials(self) -> tuple[Credentials, ...]:
        """The keys of every configured project.

        Raises:
            ConfigError: a variable that a project names is not set.
        """
        projects = self.definitions.project or (ProjectSettings(),)
        return tuple(self._credentials_of(project) for project in projects)

    def _credentials_of(self, project: ProjectSettings) -> Credentials:
        base_url = (
            project.base_url
            or self.environ.get("LANGFUSE_BASE_URL")
            or self.environ.get("LANGFUSE_HOST")
            or DEFAULT_BASE_URL
        )
        if not _is_web_address(base_url):
            raise ConfigError(
                f"LANGFUSE_BASE_URL is {base_url!r}, which is not a web address",
                hint=f"Set it to something like {DEFAULT_BASE_URL}",
            )
        keys = {name: self.environ.get(name, "").strip() for name in (project.public_key_env, project.secret_key_env)}
        missing = [name for name, value in keys.items() if not value]
        if missing:
            raise ConfigError(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
                hint="Export the keys from your Langfuse project's settings, or run `tracehouse demo` to look around",
            )
        return Credentials(
            project_name=project.name,
            base_url=base_url.rstrip("/"),
            public_key=keys[project.public_key_env],
            secret_key=keys[project.secret_key_env],
        )


def load_settings(environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read the environment and the configuration files.

    Args:
        environ: the process environment; nothing else in the project reads it.
        cwd: the folder the user stands in; relative places are taken from it.

    Raises:
        ConfigError: a file is missing, unreadable or holds a wrong key or value.
    """
    home = _absolute(environ.get("TRACEHOUSE_HOME") or "~/.tracehouse", cwd)
    warehouse_address = environ.get("TRACEHOUSE_WAREHOUSE") or str(home / "warehouse")
    if warehouse_address.startswith(("ducklake:", "md:")):
        raise ConfigError(
            f"TRACEHOUSE_WAREHOUSE is {warehouse_address!r}, and this version keeps a warehouse in a folder only",
            hint="Set it to a folder, or leave it out",
        )
    config_path = _config_path(environ, cwd, home)
    definitions = read_definitions(Definitions, config_path, home / "saved.toml")
    _check_timezone(definitions.display.timezone, config_path)
    _check_pattern(definitions.outcome.escalation_pattern, config_path)
    _check_optional(definitions.sync.optional, config_path)
    for funnel in definitions.funnel:
        _check_funnel(funnel, config_path)
    _check_step(definitions.flow.step, config_path)
    return Settings(
        home=home,
        warehouse=_absolute(warehouse_address, cwd),
        config_path=config_path,
        definitions=definitions,
        environ=environ,
    )


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool((parts.hostname or "").encode("idna"))
    except (ValueError, UnicodeError):
        return False


def _absolute(place: str, cwd: Path) -> Path:
    return (cwd / Path(place).expanduser()).resolve()


def _config_path(environ: Mapping[str, str], cwd: Path, home: Path) -> Path | None:
    named = environ.get("TRACEHOUSE_CONFIG")
    if named:
        path = _absolute(named, cwd)
        if not path.is_file():
            raise ConfigError(f"TRACEHOUSE_CONFIG names {path}, which is not a file", hint="Run `tracehouse init`")
        return path
    return next((path for path in (cwd / "tracehouse.toml", home / "tracehouse.toml") if path.is_file()), None)


def _check_timezone(name: str, config_path: Path | None) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"{config_path}: [display] timezone is {name!r}, which is no zone of the IANA database",
            hint='Use a name like "Europe/Lisbon" or "UTC"',
        ) from error


def _check_optional(names: tuple[str, ...], config_path: Path | None) -> None:
    unknown = [name for name in names if name not in OPTIONAL_ENTITIES]
    if unknown:
        raise ConfigError(
            f"{config_path}: [sync] optional names {unknown[0]!r}, which is no optional entity",
            hint=f"Choose among {', '.join(OPTIONAL_ENTITIES)}",
        )


def _check_funnel(funnel: FunnelSettings, config_path: Path | None) -> None:
    names = [step.name for step in funnel.steps]
    repeated = next((name for number, name in enumerate(names) if name in names[:number]), None)
    matching_nothing = next((step.name for step in funnel.steps if not any(step.match)), None)
    place = f"{config_path}: [[funnel]] {funnel.name!r}"
    if not names:
        raise ConfigError(f"{place} has no steps", hint="Add [[funnel.steps]] with name and match below it")
    if repeated is not None:
        raise ConfigError(f"{place} has two steps named {repeated!r}", hint="Give each step a name of its own")
    if matching_nothing is not None:
        raise ConfigError(
            f"{place} step {matching_nothing!r} matches nothing", hint='Name observations, e.g. match = ["plan*"]'
        )


def _check_step(step: str, config_path: Path | None) -> None:
    if not re.fullmatch(STEP, step):
        raise ConfigError(
            f"{config_path}: [flow] step is {step!r}, which names no step",
            hint="Choose trace_name, root_observation, tag:<family> or metadata.<key>",
        )


def _check_pattern(pattern: str, config_path: Path | None) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"{config_path}: [outcome] escalation_pattern is {pattern!r}, which is no regular expression: {error}",
            hint="Mend it, or leave it out",
        ) from error

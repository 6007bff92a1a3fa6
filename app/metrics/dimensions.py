"""What numbers can be split and filtered by, over all marts, and how a unit of one mart reaches the rows of another.

A dimension gives its value as an expression over the row (``{row}``) of each mart that has it. Every text here is a
constant; what a user names (a metadata key, a tag family) is kept apart as a value to bind (``{0}``, ``{1}``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

from etl.errors import ConfigError

Grain = Literal["observation", "trace", "session", "score"]
Kind = Literal["text", "number", "boolean", "any"]

METADATA = "metadata."
FAMILY = "tag:"
WORDS = "text"


@dataclass(frozen=True)
class Mart:
    """One mart: what a row of it is and when it happened.

    Attributes:
        relation: its name.
        key: the columns that identify a row.
        time: the column that puts a row into a window.
        rows: the rows that count, as a condition over ``{row}``.
    """

    relation: str
    key: tuple[str, ...]
    time: str = "start_time"
    rows: str = "true"


MARTS: Mapping[Grain, Mart] = {
    "observation": Mart(
        "marts.observations", ("project_id", "trace_id", "observation_id"), rows="not {row}.is_synthetic"
    ),
    "trace": Mart("marts.traces", ("project_id", "trace_id")),
    "session": Mart("marts.sessions", ("project_id", "session_id")),
    "score": Mart("marts.scores", ("project_id", "score_id"), time="scored_at"),
}


@dataclass(frozen=True)
class Link:
    """How the rows of another mart belong to a unit.

    Attributes:
        relation: a FROM clause in which ``c`` is the other mart's row; where units are scores, it reads them under the
            name ``scored``.
        on: pairs of a unit's column and what it equals in the relation.
        is_single: a unit has at most one such row.
        rows: the rows that count.
    """

    relation: str
    on: tuple[tuple[str, str], ...]
    is_single: bool = False
    rows: str = "true"


@cache
def sql_file(name: str) -> str:
    """The text of one of this package's ``.sql`` files."""
    return (resources.files("app.metrics") / f"{name}.sql").read_text(encoding="utf-8").strip()


def _on(*columns: str) -> tuple[tuple[str, str], ...]:
    return tuple((column, f"c.{column}") for column in columns)


_SCORE_KEY = (("project_id", "c.scored_project_id"), ("score_id", "c.scored_id"))


def find_link(unit: Grain, other: Grain) -> Link:
    """How a unit reaches rows of another mart."""
    return _links()[unit, other]


@cache
def _links() -> Mapping[tuple[Grain, Grain], Link]:
    real = "not c.is_synthetic"
    of_trace = "marts.traces l join marts.observations c on c.project_id = l.project_id and c.trace_id = l.trace_id"
    of_score = "marts.scores c left join marts.traces l on l.project_id = c.project_id and l.trace_id = c.trace_id"
    session_key = (("project_id", "c.project_id"), ("session_id", "coalesce(l.session_id, c.session_id)"))
    return {
        ("observation", "trace"): Link("marts.traces c", _on("project_id", "trace_id"), is_single=True),
        ("observation", "session"): Link("marts.sessions c", _on("project_id", "session_id"), is_single=True),
        ("observation", "score"): Link("marts.scores c", _on("project_id", "trace_id")),
        ("trace", "session"): Link("marts.sessions c", _on("project_id", "session_id"), is_single=True),
        ("trace", "observation"): Link("marts.observations c", _on("project_id", "trace_id"), rows=real),
        ("trace", "score"): Link("marts.scores c", _on("project_id", "trace_id")),
        ("session", "trace"): Link("marts.traces c", _on("project_id", "session_id")),
        ("session", "observation"): Link(
            of_trace, (("project_id", "l.project_id"), ("session_id", "l.session_id")), rows=real
        ),
        ("session", "score"): Link(of_score, session_key),
        ("score", "trace"): Link(f"({sql_file('score_traces')}) c", _SCORE_KEY),
        ("score", "session"): Link(f"({sql_file('score_sessions')}) c", _SCORE_KEY, is_single=True),
        ("score", "observation"): Link(f"({sql_file('score_observations')}) c", _SCORE_KEY, rows=real),
    }


@dataclass(frozen=True)
class Dimension:
    """Something to split or filter by.

    Attributes:
        name: as written in a query.
        label: as shown to people.
        home: the mart that it belongs to; a metric of a coarser grain counts a unit under every value it touches.
        columns: the value as an expression over the row of each mart that has one value.
        lists: the values as an expression of type VARCHAR[] over the row of each mart that has several.
        kind: what the values are; ``any`` is text that may hold numbers.
        cardinality: how many values to expect.
        bound: values that the expressions name as ``{0}``, ``{1}``.
        description: what it means.
    """

    name: str
    label: str
    home: Grain
    columns: Mapping[Grain, str] = field(default_factory=dict)
    lists: Mapping[Grain, str] = field(default_factory=dict)
    kind: Kind = "text"
    cardinality: Literal["low", "high"] = "low"
    bound: tuple[str | int, ...] = ()
    description: str = ""

    @property
    def is_numeric(self) -> bool:
        """Whether ``>`` and ``<`` mean something."""
        return self.kind in ("number", "any")

    @property
    def is_multi_valued(self) -> bool:
        """Whether one row of the home mart can have several values."""
        return self.home in self.lists

    def mart_for(self, grain: Grain) -> Grain:
        """The mart whose rows give a unit of this grain its values: its own where it can, else the nearest.

        Raises:
            ConfigError: nothing has values of it, as with the words of a conversation.
        """
        having = self.columns.keys() | self.lists.keys()
        if not having:
            raise ConfigError(f"{self.name} is searched and has no values", hint=f"Use it as --where {self.name}~words")
        return next(each for each in (grain, *_NEAREST.get(grain, ()), self.home) if each in having)


# A trace knows the models of its observations; for scores the mart that a dimension belongs to is the right one.
_NEAREST: Mapping[Grain, tuple[Grain, ...]] = {
    "observation": ("trace", "session"),
    "trace": ("session",),
    "session": ("trace", "observation"),
}


def _column(
    name: str, label: str, home: Grain, *also: Grain, column: str = "", high: bool = False, kind: Kind = "text"
) -> Dimension:
    """A dimension that is one column of the same name in each mart given."""
    expression = f"{{row}}.{column or name}"
    grains = (home, *also)
    return Dimension(
        name, label, home, dict.fromkeys(grains, expression), kind=kind, cardinality="high" if high else "low"
    )


_ERROR_CLASS = (
    "(select g.error_class from marts.error_groups g"
    " where g.project_id = {row}.project_id and g.error_group_id = {row}.error_group_id)"
)
_TOPIC = "coalesce((select t.label from marts.topics t where t.topic_id = {row}.topic_id), {row}.topic_id::varchar)"

_NAMED = (
    _column("project", "Project", "trace", "observation", "session", "score", column="project_id"),
    _column("environment", "Environment", "trace", "observation", "session", "score"),
    _column("release", "Release", "trace", "observation", "session"),
    _column("version", "Version", "trace", "observation"),
    Dimension(
        "trace_name",
        "Trace name",
        "trace",
        {"trace": "{row}.name", "observation": "{row}.trace_name"},
        description="The feature or the agent that the application names.",
    ),
    Dimension(
        "user_id",
        "User",
        "trace",
        {"trace": "{row}.user_id", "observation": "{row}.user_id"},
        {"session": "{row}.user_ids"},
        cardinality="high",
    ),
    _column("session_id", "Session", "session", "trace", "observation", high=True),
    _column("trace_id", "Trace", "trace", "observation", high=True),
    Dimension(
        "tag",
        "Tag",
        "trace",
        lists=dict.fromkeys(("trace", "observation", "session"), "{row}.tags"),
        description="Each tag by itself; a unit with several counts under each of them.",
    ),
    Dimension(
        "model",
        "Model",
        "observation",
        {"observation": "{row}.model"},
        {"trace": "{row}.models", "session": "list_distinct({row}.models)"},
        description="The canonical name: dated and bare names of one model together.",
    ),
    Dimension("provider", "Provider", "observation", {"observation": "{row}.provider"}, {"trace": "{row}.providers"}),
    _column("model_raw", "Model as sent", "observation"),
    _column("name", "Observation name", "observation"),
    _column("type", "Observation type", "observation"),
    _column("level", "Level", "observation"),
    _column("status_message", "Status message", "observation", high=True),
    _column("observation_id", "Observation", "observation", high=True),
    _column("prompt_name", "Prompt", "observation"),
    _column("prompt_version", "Prompt version", "observation", kind="number"),
    _column("tool_name", "Tool", "observation"),
    _column("cost_source", "Source of the cost", "observation"),
    _column("usage_source", "Source of the usage", "observation"),
    _column("is_double_counted", "Double counted", "observation", kind="boolean"),
    _column("is_propagated", "Propagated error", "observation", kind="boolean"),
    _column("error_group_id", "Error group", "observation", high=True),
    Dimension("error_class", "Error class", "observation", {"observation": _ERROR_CLASS}),
    Dimension(
        "is_error",
        "Has an error",
        "trace",
        {"observation": "{row}.is_error", "trace": "{row}.is_error", "session": "{row}.error_count > 0"},
        kind="boolean",
    ),
    Dimension(
        "is_failed",
        "Failed for the user",
        "trace",
        {"trace": "{row}.is_failed", "session": "{row}.failed_count > 0"},
        kind="boolean",
    ),
    _column("outcome", "Outcome", "session"),
    _column("outcome_reason", "Reason of the outcome", "session"),
    Dimension(
        "topic", "Topic", "session", {"session": _TOPIC}, description="What users write about: its telling words."
    ),
    _column("topic_id", "Topic id", "session"),
    _column("last_step", "Last step", "session"),
    _column("score_name", "Score", "score", column="name"),
    _column("score_source", "Source of the score", "score", column="source"),
    _column("score_data_type", "Type of the score", "score", column="data_type"),
    _column("score_category", "Category of the score", "score", column="string_value"),
)

_NUMBERS: Mapping[Grain, tuple[str, ...]] = {
    "observation": (
        "latency_ms",
        "time_to_first_token_ms",
        "self_time_ms",
        "cost_usd",
        "reported_cost_usd",
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "reasoning_output_tokens",
        "total_tokens",
    ),
    "trace": (
        "latency_ms",
        "time_to_first_token_ms",
        "cost_usd",
        "observation_count",
        "generation_count",
        "tool_call_count",
        "error_count",
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "reasoning_output_tokens",
        "total_tokens",
        "unpriced_count",
        "turn_index",
    ),
    "session": (
        "duration_ms",
        "turns",
        "user_turns",
        "avg_response_ms",
        "cost_usd",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "error_count",
        "failed_count",
        "satisfaction_mean",
        "satisfaction_last",
    ),
    "score": ("value", "value_normalised"),
}

DIMENSIONS: Mapping[str, Dimension] = {each.name: each for each in _NAMED} | {
    f"{grain}.{name}": Dimension(
        f"{grain}.{name}",
        f"{grain.capitalize()} {name.replace('_', ' ')}",
        grain,
        {grain: f"{{row}}.{name}"},
        kind="number",
        cardinality="high",
    )
    for grain, names in _NUMBERS.items()
    for name in names
}


_SAID = Dimension(WORDS, "Words", "trace", description="What was said in the conversation; only searched.")


def find_dimension(name: str) -> Dimension:
    """The dimension of this name; any tag family ``tag:<prefix>*`` and any key ``metadata.<dotted key>`` is one.

    Raises:
        ConfigError: there is none; the nearest names are given.
    """
    if name in DIMENSIONS:
        return DIMENSIONS[name]
    if name == WORDS:
        return _SAID
    if name.startswith(METADATA) and len(name) > len(METADATA):
        return _metadata(name)
    if name.startswith(FAMILY) and name.endswith("*") and len(name) > len(FAMILY) + 1:
        return _family(name)
    known = [*DIMENSIONS, WORDS, "metadata.<key>", "tag:<family>:*"]
    raise ConfigError(f"There is no dimension {name!r}", hint=nearest(name, known))


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a wrong name pays for it

    names = list(known)
    close = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(names)}"


def _metadata(name: str) -> Dimension:
    """A key at any depth. The marts keep dotted keys flat; a nested object is looked into as well."""
    key = name.removeprefix(METADATA)
    flat, nested = _pointer([key]), _pointer(key.split("."))
    text = "json_extract_string({row}.metadata, {0})"
    if flat != nested:
        text = f"coalesce({text}, json_extract_string({{row}}.metadata, {{1}}))"
    bound = (flat,) if flat == nested else (flat, nested)
    return Dimension(name, f"Metadata {key}", "trace", {"trace": text}, kind="any", bound=bound)


def _pointer(keys: Iterable[str]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in keys)


def _family(name: str) -> Dimension:
    """The tags that start with a prefix, without it."""
    prefix = name.removeprefix(FAMILY).removesuffix("*")
    text = "[substr(x, {1}) for x in {row}.tags if starts_with(x, {0})]"
    lists: dict[Grain, str] = dict.fromkeys(("trace", "observation", "session"), text)
    label = "Agent" if prefix == "agent_id:" else f"Tag {prefix}…"
    return Dimension(name, label, "trace", lists=lists, bound=(prefix, len(prefix) + 1))

"""Every metric, defined once: what is counted, over which mart, in which unit, and which direction is better.

Expressions are constants over the columns of the metric's mart. ``{flag}`` stands for the metric's own condition on a
row, ``{names}`` for the score names that it is asked for, ``{value}`` for a score's value on a scale that all of them
share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from app.metrics.dimensions import MARTS, Grain, sql_file

Better = Literal["higher", "lower", "neither"]
Format = Literal["money", "tokens", "duration", "rate", "count", "number"]
Shape = Literal["count", "sum", "distinct", "mean", "ratio", "quantile", "rate"]

UNITS: dict[Format, str] = {
    "money": "USD",
    "tokens": "tokens",
    "duration": "ms",
    "rate": "share",
    "count": "count",
    "number": "number",
}


@dataclass(frozen=True)
class Metric:
    """One number.

    Attributes:
        name: as written in a query.
        label: as shown to people.
        grain: what one unit is.
        shape: how values of parts combine: counts and sums add up, the others don't.
        expression: the number, as an aggregate over the mart's rows.
        format: how it is shown.
        better: which direction is good news.
        description: the definition in words.
        unit: of the value.
        numerator: for a quotient of two sums or counts, the upper one; the expression follows from both.
        denominator: the lower one.
        trials: how many trials a rate rests on, where that is not the denominator.
        flag: a condition on the row ``{row}`` that needs other rows to decide.
        moves_to_observations: split by what only observations have, it is about these observations.
        distinct: the dimension whose values it counts.
        score_names: the scores that it is about; empty means those that the query's conditions name.
    """

    name: str
    label: str
    grain: Grain
    shape: Shape
    expression: str
    format: Format
    better: Better
    description: str
    unit: str = ""
    numerator: str = ""
    denominator: str = ""
    trials: str = ""
    flag: str = ""
    moves_to_observations: bool = False
    distinct: str = ""
    score_names: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """The name without the score that it is about."""
        return self.name.partition(":")[0]

    @property
    def mart(self) -> str:
        """The mart that it reads."""
        return MARTS[self.grain].relation

    @property
    def is_rate(self) -> bool:
        """Whether it carries n."""
        return self.shape == "rate"

    @property
    def hits(self) -> str:
        """What a share of units counts, so that it has an interval; empty where its trials are no units."""
        return self.numerator if self.is_rate and not self.trials else ""

    @property
    def adds_up(self) -> bool:
        """Whether the values of separate parts sum to the value of the whole."""
        return self.shape in ("count", "sum")


def _plain(
    grain: Grain, shape: Shape, name: str, label: str, expression: str, form: Format, better: Better, description: str
) -> Metric:
    return Metric(name, label, grain, shape, expression, form, better, description, unit=UNITS[form])


def _count(grain: Grain, name: str, label: str, description: str, rows: str = "", better: Better = "neither") -> Metric:
    expression = f"count(*) filter ({rows})" if rows else "count(*)"
    return _plain(grain, "count", name, label, expression, "count", better, description)


def _users(name: str, label: str, description: str, rows: str, better: Better) -> Metric:
    expression = f"count(distinct user_id) filter ({rows})"
    return replace(
        _plain("trace", "distinct", name, label, expression, "count", better, description), distinct="user_id"
    )


def _tokens(name: str, label: str, description: str) -> Metric:
    return _plain("observation", "sum", name, label, f"sum({name})", "tokens", "neither", description)


def _dollars(name: str, label: str, expression: str, description: str) -> Metric:
    return _plain("observation", "sum", name, label, expression, "money", "lower", description)


def _quotient(
    grain: Grain,
    name: str,
    label: str,
    fraction: tuple[str, str],
    form: Format,
    better: Better,
    description: str,
    shape: Shape = "ratio",
) -> Metric:
    numerator, denominator = fraction
    expression = f"{numerator} / nullif({denominator}, 0)"
    made = _plain(grain, shape, name, label, expression, form, better, description)
    return replace(made, numerator=numerator, denominator=denominator)


def _share(
    grain: Grain, name: str, label: str, hits: str, better: Better, description: str, of: str = "count(*)"
) -> Metric:
    return _quotient(grain, name, label, (hits, of), "rate", better, description, "rate")


def _spread(grain: Grain, name: str, label: str, expression: str, form: Format, description: str) -> Metric:
    return _plain(grain, "quantile", name, label, expression, form, "lower", description)


def _mean(
    grain: Grain, name: str, label: str, column: str, form: Format, better: Better, description: str, rows: str = "true"
) -> Metric:
    fraction = (f"sum({column}) filter ({rows})", f"count({column}) filter ({rows})")
    return _quotient(grain, name, label, fraction, form, better, description, "mean")


SATISFACTION = "satisfaction_avg"
SATISFACTION_USERS = (SATISFACTION, "waste_usd")  # their score is the one that the settings name
PARAMETRIC = ("score_avg", "score_coverage")
_GENERATION = "type = 'GENERATION'"
_TOOL = "type = 'TOOL'"
_TIMED = f"{_GENERATION} and not is_double_counted and output_tokens is not null and latency_ms > 0"
_GENERATING = "latency_ms - coalesce(time_to_first_token_ms, 0)"
_KNOWN = "count_if(outcome in ('resolved', 'escalated', 'abandoned'))"
_SAME_TRACE = "t.project_id = {row}.project_id and t.trace_id = {row}.trace_id"
_SAME_SESSION = "t.project_id = {row}.project_id and t.session_id = {row}.session_id"
_FAILED_TRACE = f"exists (select 1 from marts.traces t where {_SAME_TRACE} and t.is_failed)"  # noqa: S608 - texts are constants of the registry
_ABANDONED = f"exists (select 1 from marts.sessions t where {_SAME_SESSION} and t.outcome = 'abandoned')"  # noqa: S608 - texts are constants of the registry
_UNHAPPY = "list_contains({names}, t.name) and t.value_normalised <= 0.25"
_LOW_SCORE = f"exists (select 1 from marts.scores t where {_SAME_TRACE} and {_UNHAPPY})"  # noqa: S608 - texts are constants of the registry
_REPEATED = (
    f"exists (select 1 from ({sql_file('repeated_calls')}) t where {_SAME_TRACE}"  # noqa: S608 - texts are constants of the registry
    " and t.observation_id = {row}.observation_id)"
)
_WASTED = f"{{row}}.is_error or {_FAILED_TRACE} or {_REPEATED} or {_ABANDONED} or {_LOW_SCORE}"
_NAMED = "({names} is null or list_contains({names}, t.name))"
_SCORED = f"exists (select 1 from marts.scores t where {_SAME_TRACE} and {_NAMED})"  # noqa: S608 - texts are constants of the registry
_RETRIES = sql_file("retries")
_RETRIED = f"exists (select 1 from ({_RETRIES}) t where {_SAME_TRACE} and t.observation_id = {{row}}.observation_id)"  # noqa: S608 - texts are constants of the registry

_VOLUME = (
    _count("trace", "traces", "Traces", "Requests to the application."),
    _count("observation", "observations", "Observations", "Steps of traces."),
    _count("observation", "generations", "Generations", "Calls of a model, wrappers included.", _GENERATION),
    _count("session", "sessions", "Sessions", "Conversations."),
    _users("users", "Users", "Distinct users of traces.", "true", "higher"),
    _count("score", "scores", "Scores", "Scores given to traces, observations and sessions."),
    _tokens("total_tokens", "Tokens", "Input and output tokens."),
    _tokens("input_tokens", "Input tokens", "Tokens sent, cache reads and writes included."),
    _tokens("output_tokens", "Output tokens", "Tokens received, reasoning included."),
    _tokens("cache_read_input_tokens", "Cache-read tokens", "Input tokens read from the provider's cache."),
    _tokens("cache_creation_input_tokens", "Cache-write tokens", "Input tokens written to the provider's cache."),
    _tokens("reasoning_output_tokens", "Reasoning tokens", "Output tokens spent on reasoning."),
)

_MONEY = (
    _dollars(
        "cost_usd",
        "Cost",
        "sum(cost_usd)",
        "What all calls cost by the price chain; unpriced calls are left out and counted apart.",
    ),
    _quotient(
        "trace",
        "cost_per_trace_usd",
        "Cost per trace",
        ("sum(cost_usd)", "count(*)"),
        "money",
        "lower",
        "Cost of the traces / number of traces.",
    ),
    _quotient(
        "session",
        "cost_per_session_usd",
        "Cost per session",
        ("sum(cost_usd)", "count(*)"),
        "money",
        "lower",
        "Cost of the sessions / number of sessions; traces without a session are outside.",
    ),
    _plain(
        "trace",
        "ratio",
        "cost_per_user_usd",
        "Cost per user",
        "sum(cost_usd) filter (user_id is not null) / nullif(count(distinct user_id), 0)",
        "money",
        "lower",
        "Cost of the traces with a user / number of users.",
    ),
    _quotient(
        "session",
        "cost_per_resolved_session_usd",
        "Cost per resolved session",
        ("sum(cost_usd)", "count_if(outcome = 'resolved')"),
        "money",
        "lower",
        "Cost of all sessions / number of resolved sessions.",
    ),
    _spread(
        "trace",
        "trace_cost_p50_usd",
        "Cost of a trace, p50",
        "quantile_cont(cost_usd, 0.5)",
        "money",
        "Half of the traces cost less.",
    ),
    _spread(
        "trace",
        "trace_cost_p95_usd",
        "Cost of a trace, p95",
        "quantile_cont(cost_usd, 0.95)",
        "money",
        "95 % of the traces cost less.",
    ),
    _spread(
        "trace", "trace_cost_max_usd", "Cost of a trace, max", "max(cost_usd)", "money", "The most expensive trace."
    ),
    _count(
        "observation",
        "unpriced_generations",
        "Unpriced generations",
        "Generations and embeddings that no price is known for.",
        "type in ('GENERATION', 'EMBEDDING') and cost_source is null",
        "lower",
    ),
    _dollars(
        "double_counted_usd",
        "Double counted",
        "sum(reported_cost_usd) filter (is_double_counted)",
        "What wrappers report again for the calls below them; not in the cost.",
    ),
    replace(
        _dollars(
            "waste_usd",
            "Waste",
            "sum(cost_usd) filter ({flag})",
            "Cost of calls that ended in an error, of failed traces, of calls that repeat a tool call with the same"
            " arguments, of abandoned sessions and of traces with a satisfaction in the lowest quarter; each dollar"
            " once.",
        ),
        flag=_WASTED,
    ),
)

_WHOLE_TRACE = "from the first start to the last end of a trace; split by model, tool, prompt or the like, of those"
_SPEED = (
    *(
        replace(each, moves_to_observations=True)
        for each in (
            _mean(
                "trace",
                "latency_mean_ms",
                "Latency, mean",
                "latency_ms",
                "duration",
                "lower",
                f"Mean time {_WHOLE_TRACE} observations.",
            ),
            *(
                _spread(
                    "trace",
                    f"latency_p{percent}_ms",
                    f"Latency, p{percent}",
                    f"quantile_cont(latency_ms, {percent / 100})",
                    "duration",
                    f"{percent} % take less time {_WHOLE_TRACE} observations.",
                )
                for percent in (50, 95, 99)
            ),
        )
    ),
    _plain(
        "session",
        "quantile",
        "session_duration_p50_ms",
        "Session duration, p50",
        "quantile_cont(duration_ms, 0.5)",
        "duration",
        "neither",
        "Half of the sessions are shorter, from first start to last end.",
    ),
    *(
        _spread(
            "observation",
            f"time_to_first_token_p{percent}_ms",
            f"Time to first token, p{percent}",
            f"quantile_cont(time_to_first_token_ms, {percent / 100}) filter ({_GENERATION})",
            "duration",
            f"{percent} % of the generations whose client streams begin to answer sooner.",
        )
        for percent in (50, 95)
    ),
    replace(
        _quotient(
            "observation",
            "tokens_per_second",
            "Tokens per second",
            (f"1000 * sum(output_tokens) filter ({_TIMED})", f"sum({_GENERATING}) filter ({_TIMED})"),
            "number",
            "higher",
            "Output tokens of generations / the time they took, without the wait for a first token that is known.",
        ),
        unit="tokens/s",
    ),
)

_RELIABILITY = (
    _share("trace", "error_rate", "Error rate", "count_if(is_error)", "lower", "Traces with any ERROR / traces."),
    _share(
        "trace",
        "success_rate",
        "Success rate",
        "count_if(not is_error)",
        "higher",
        "Traces without any ERROR / traces.",
    ),
    _share(
        "trace",
        "failed_rate",
        "Failed rate",
        "count_if(is_failed)",
        "lower",
        "Traces that failed for the user / traces: the root in ERROR, or an ERROR and no output.",
    ),
    _count("trace", "error_traces", "Traces with errors", "Traces with any ERROR inside.", "is_error", "lower"),
    _count("trace", "failed_traces", "Failed traces", "Traces that failed for the user.", "is_failed", "lower"),
    _count(
        "observation",
        "error_occurrences",
        "Error occurrences",
        "Where errors begin: ERROR observations with no ERROR below them.",
        "is_error and not is_propagated",
        "lower",
    ),
    _users("affected_users", "Affected users", "Distinct users of traces with an ERROR.", "is_error", "lower"),
    replace(
        _share(
            "observation",
            "cache_hit_rate",
            "Cache hit rate",
            "sum(cache_read_input_tokens)",
            "higher",
            "Input tokens read from the cache / input tokens; n is calls. The tokens of one call are not independent,"
            " so there is no interval.",
            "sum(input_tokens)",
        ),
        trials="count(*) filter (input_tokens > 0)",
    ),
    _count("observation", "tool_calls", "Tool calls", "TOOL observations.", _TOOL),
    _share(
        "observation",
        "tool_error_rate",
        "Tool error rate",
        f"count_if({_TOOL} and is_error)",
        "lower",
        "Tool calls that ended in ERROR / tool calls.",
        f"count_if({_TOOL})",
    ),
    replace(
        _share(
            "observation",
            "retry_rate",
            "Retry rate",
            f"count_if({_TOOL} and {{flag}})",
            "lower",
            "Tool calls that repeat a call of the same trace, same tool and arguments, after it ended in ERROR"
            " / tool calls.",
            f"count_if({_TOOL})",
        ),
        flag=_RETRIED,
    ),
)

_WITH_OUTCOME = "sessions with a known outcome"
_OUTCOMES: tuple[tuple[str, str, str, Better, str, str, str], ...] = (
    ("resolved_rate", "Resolved rate", "resolved", "higher", "Resolved sessions", _WITH_OUTCOME, _KNOWN),
    ("escalation_rate", "Escalation rate", "escalated", "lower", "Escalated sessions", _WITH_OUTCOME, _KNOWN),
    ("abandon_rate", "Abandon rate", "abandoned", "lower", "Abandoned sessions", _WITH_OUTCOME, _KNOWN),
    ("unknown_rate", "Unknown outcome", "unknown", "lower", "Sessions without any sign", "sessions", "count(*)"),
    ("open_rate", "Still open", "open", "neither", "Sessions that still go on", "sessions", "count(*)"),
)

_SCORES = (
    _mean(
        "score",
        SATISFACTION,
        "Satisfaction",
        "{value}",
        "number",
        "higher",
        "Mean of the users' satisfaction scores, as given; on 0-1 where their scales differ.",
        "list_contains({names}, name)",
    ),
    _mean(
        "score",
        "score_avg",
        "Score, mean",
        "{value}",
        "number",
        "higher",
        "Mean of one score, as given; on 0-1 where its scales differ. Name it: score_avg:helpfulness.",
        "({names} is null or list_contains({names}, name)) and data_type in ('NUMERIC', 'BOOLEAN')",
    ),
)

_QUALITY = (
    *(replace(each, unit="score") for each in _SCORES),
    replace(
        _share(
            "trace",
            "score_coverage",
            "Score coverage",
            "count_if({flag})",
            "higher",
            "Traces with a score / traces; of one score as score_coverage:helpfulness.",
        ),
        flag=_SCORED,
    ),
    *(
        _share("session", name, label, f"count_if(outcome = '{outcome}')", better, f"{words} / {whole}.", of)
        for name, label, outcome, better, words, whole, of in _OUTCOMES
    ),
    _count(
        "session",
        "resolved_sessions",
        "Resolved sessions",
        "Sessions whose latest sign says resolved.",
        "outcome = 'resolved'",
        "higher",
    ),
    replace(
        _mean(
            "session",
            "turns_per_session",
            "Turns per session",
            "turns",
            "number",
            "neither",
            "Traces of a session, mean.",
        ),
        unit="turns",
    ),
    replace(
        _plain(
            "session",
            "quantile",
            "turns_p50",
            "Turns, median",
            "quantile_cont(turns, 0.5)",
            "number",
            "neither",
            "Half of the sessions have at most so many traces.",
        ),
        unit="turns",
    ),
)

CATALOGUE: tuple[Metric, ...] = (*_VOLUME, *_MONEY, *_SPEED, *_RELIABILITY, *_QUALITY)

"""The parts of a compiled query: metrics of one grain, aggregated in one pass.

A block can be asked for its values, for everything that is not among the values kept, and whole. Where units stand in
one row each and the numbers add up, the latter two are sums over the first; else they read the units again. A period
and the one it is compared with are one pass as well, unless they overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from app.metrics.catalogue import SATISFACTION_USERS, Metric
from app.metrics.dimensions import MARTS, Dimension, Grain
from app.metrics.filters import Condition
from app.metrics.scores import COVERAGE, mixed_scales, score_names, without_score_names
from app.metrics.timezones import to_local, transitions
from app.metrics.units import Parameters, Selection, Split, split
from app.metrics.windows import Window

if TYPE_CHECKING:
    from app.metrics.query import TimeGrain
    from app.store import Store


@dataclass(frozen=True)
class Scope:
    """What all blocks of a query share.

    Attributes:
        store: the snapshot.
        timezone: the display zone.
        grain: the time grain, or None.
        dimensions: what to split by.
        conditions: what to select.
        project_id: of one project, or of all.
        span: the first and last moment that the data knows.
    """

    store: Store
    timezone: ZoneInfo
    grain: TimeGrain | None
    dimensions: tuple[Dimension, ...]
    conditions: tuple[Condition, ...]
    project_id: str | None
    span: tuple[datetime, datetime]


@dataclass
class Block:
    """Metrics of one grain over a period, or over it and the one it is compared with.

    Attributes:
        selection: the units.
        required: numbers of the dimensions of which only units with a value count.
        columns: aggregate by column: ``m0``, or ``m0_k`` and ``m0_n`` for numerator and denominator.
        is_now: whether a unit belongs to the period itself; its numbers are then in the columns ``m``, those of the
            other units in ``q``. Empty: there is but one period here.
        moved: the place of a bucket of the compared period among those of the period itself, as an expression over it.
        flags: further columns of a unit that the aggregates use.
        bucket: the time bucket of a unit, or empty.
        adds_up: whether all aggregates are sums or counts.
        split: the units under the values of the dimensions.
        name: under which the statement knows the block's values.
    """

    selection: Selection
    required: tuple[int, ...]
    is_now: str = ""
    moved: str = "t"
    columns: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    bucket: str = ""
    adds_up: bool = True
    split: Split = field(default_factory=lambda: Split(""))
    name: str = ""

    @property
    def names(self) -> list[str]:
        """The columns of the block's answers, but for values, time and ``n_units``."""
        before = [f"q{column[1:]}" for column in self.columns] if self.is_now else []
        return [*self.columns, *before]

    @property
    def can_sum(self) -> bool:
        """Whether numbers of several values are sums of theirs."""
        return self.adds_up and self.split.is_partition

    @property
    def _has_total(self) -> bool:
        """Whether the total is found in the same pass as the values: where it is no sum, but units stand once."""
        return not self.adds_up and self.split.is_partition and not self.required

    @property
    def units(self) -> str:
        """The units with the values of the dimensions as ``d0``, ``d1``; without those that lack a required value."""
        return select({"": "*", **self._values}, f"({self.split.sql})", self._present())

    @property
    def _values(self) -> dict[str, str]:
        return {f"d{index}": value for index, value in enumerate(self.split.values)}

    @property
    def _time(self) -> dict[str, str]:
        return {"t": self.bucket} if self.bucket else {}

    @property
    def _sums(self) -> dict[str, str]:
        return {name: f"sum({name})" for name in (*self.names, "n_units")}

    def steps(self) -> dict[str, str]:
        """Aggregated by the dimensions and the time bucket: relations by name, the last under the block's own."""
        keys = {**self._values, **self._time}
        if not self._has_total:
            return {self.name: self._aggregated(keys, f"({self.split.sql})", self._present())}
        units = select({"": "*", **keys}, f"({self.split.sql})", self._present())
        every = f"{self.name}_and_total"
        columns = {name: name for name in (*keys, *self.names, "n_units")}
        together = self._aggregated({name: name for name in keys}, f"({units})", has_total=True)
        return {every: together, self.name: select(columns, every, ["not is_total"])}

    def ranked(self) -> str:
        """Aggregated by the dimensions over the whole period."""
        if not self.bucket:
            return f"from {self.name}"
        if self.can_sum:
            return select({**dict(zip(self._values, self._values, strict=True)), **self._sums}, self.name, group=True)
        return self._aggregated(self._values, f"({self.split.sql})", self._present())

    def apart_from(self, kept: str) -> str:
        """Aggregated by the time bucket over all values that are not kept."""
        using = f"anti join {kept} using ({', '.join(self._values)})"
        if self.can_sum:
            columns = {**({"t": "t"} if self.bucket else {}), **self._sums}
            return select(columns, f"{self.name} {using}", group=bool(self.bucket))
        # A unit with several of the other values is still one unit.
        once = "" if self.split.is_partition else f"distinct on ({', '.join(MARTS[self.selection.grain].key)}) "
        return self._aggregated(self._time, f"({select({'': f'{once}*'}, f'({self.units}) {using}')})")

    def whole(self, parameters: Parameters, dimensions: Sequence[Dimension]) -> str:
        """Aggregated over all units, each once."""
        if self.name and self.can_sum:
            return select(self._sums, self.name)
        if self.name and self._has_total:
            # Aggregated once more, so that there is a row when there are no units.
            row = {name: f"any_value({name})" for name in (*self.names, "n_units")}
            return select(row, f"{self.name}_and_total", ["is_total"])
        if not self.required:
            units = self.selection.sql(parameters, [f"{sql} as {name}" for name, sql in self.flags.items()])
            return self._aggregated({}, f"({units})")
        chosen = [dimensions[index] for index in self.required]
        units = split(self.selection, chosen, self.flags, parameters).sql
        return self._aggregated({}, f"({units})", [f"v{index} is not null" for index in range(len(chosen))])

    def _aggregated(
        self, keys: Mapping[str, str], relation: str, where: Sequence[str] = (), *, has_total: bool = False
    ) -> str:
        """The block's numbers by keys, of both periods side by side.

        With ``has_total`` the keys are columns of the relation, and the row of all units is among the answer's; the
        column ``is_total`` tells it.
        """
        aggregates = {**self.columns, "n_units": "count(*)"}
        period = {"is_now": self.is_now} if self.is_now else {}
        if has_total:
            total = {"is_total": f"grouping({next(iter(keys))}) = 1"}
            relation = f"({select({'': '*', **period}, relation, where)})" if period else relation
            each = select({**keys, **dict.fromkeys(period, "is_now"), **total, **aggregates}, relation)
            each += f" group by grouping sets (({', '.join([*keys, *period])}), ({', '.join(period)}))"
            keys = {**keys, "is_total": "is_total"}
        else:
            each = select({**keys, **period, **aggregates}, relation, where, group=bool(keys or period))
        if not period:
            return each
        pairs = {column: f"any_value({column}) filter (is_now)" for column in self.columns}
        pairs |= {f"q{column[1:]}": f"any_value({column}) filter (not is_now)" for column in self.columns}
        placed = {key: f"if(is_now, t, {self.moved})" if key == "t" else key for key in keys}
        return select({**placed, **pairs, "n_units": "sum(n_units)"}, f"({each})", group=bool(keys))

    def _present(self) -> list[str]:
        return [f"v{index} is not null" for index in self.required]


def make_blocks(
    scope: Scope, window: Window, previous: Window | None, metrics: Sequence[Metric], parameters: Parameters
) -> list[Block]:
    """The blocks of a query.

    Args:
        scope: what the query says.
        window: the period.
        previous: the one it is compared with, if any.
        metrics: numbered in this order in the columns of the answer: ``m`` for the period itself, ``q`` for the one
            before.
        parameters: where values go.
    """
    if previous is None or previous.end <= window.start or window.end <= previous.start:
        return _blocks(scope, window, previous, metrics, parameters, "m")
    # A unit of both periods counts in both.
    now = _blocks(scope, window, None, metrics, parameters, "m")
    before = _blocks(scope, previous, None, metrics, parameters, "q")
    if scope.grain is not None:
        for block in before:
            block.bucket = _moved(block.bucket, scope.grain, previous, window, scope.timezone, parameters)
    return now + before


def _blocks(
    scope: Scope,
    window: Window,
    before: Window | None,
    metrics: Sequence[Metric],
    parameters: Parameters,
    prefix: str,
) -> list[Block]:
    fine = tuple(index for index, each in enumerate(scope.dimensions) if each.home == "observation")
    blocks: dict[tuple[Grain, tuple[int, ...], bool], Block] = {}
    for number, metric in enumerate(metrics):
        moves = metric.moves_to_observations and bool(fine)
        grain: Grain = "observation" if moves else metric.grain
        counts_scored = metric.base == COVERAGE
        identity = (grain, fine if moves else (), counts_scored)
        if identity not in blocks:
            conditions = without_score_names(scope.conditions) if counts_scored else scope.conditions
            blocks[identity] = Block(Selection(grain, window, conditions, scope.project_id, before), identity[1])
        _add(blocks[identity], scope, metric, f"{prefix}{number}", parameters)
    for block in blocks.values():
        block.split = split(block.selection, scope.dimensions, block.flags, parameters)
        time = MARTS[block.selection.grain].time
        if scope.grain is not None:
            span = (min(window.start, (before or window).start), max(window.end, (before or window).end))
            block.bucket = _bucket(scope, scope.grain, time, span, parameters)
        if before is not None:
            is_later = before.end <= window.start
            block.is_now = (
                f"{time} {'>=' if is_later else '<'} {parameters.bind(window.start if is_later else window.end)}"
            )
            if scope.grain is not None:
                block.moved = _moved("t", scope.grain, before, window, scope.timezone, parameters)
    return list(blocks.values())


def _add(block: Block, scope: Scope, metric: Metric, column: str, parameters: Parameters) -> None:
    satisfaction = scope.store.definitions.outcome.satisfaction_score
    names = [satisfaction] if metric.name in SATISFACTION_USERS else score_names(metric, scope.conditions)
    is_named = names is not None and "{names}" in f"{metric.flag}{metric.expression}"
    texts = {"names": f"{parameters.bind(names)}::varchar[]" if is_named else "null::varchar[]"}
    if metric.flag:
        texts["flag"] = f"f_{column}"
        block.flags[texts["flag"]] = metric.flag.format(row="u", names=texts["names"])
    mixed = list(mixed_scales(scope.store)) if "{value}" in metric.expression else []
    texts["value"] = (
        f"case when list_contains({parameters.bind(mixed)}::varchar[], name) then value_normalised else value end"
        if mixed
        else "value"
    )
    wanted = {"": metric.expression} if not metric.numerator else {"_k": metric.numerator, "_n": metric.denominator}
    if metric.trials:
        wanted["_c"] = metric.trials
    block.columns.update({column + suffix: text.format(**texts) for suffix, text in wanted.items()})
    block.adds_up = block.adds_up and (metric.adds_up or bool(metric.numerator))


def _bucket(scope: Scope, grain: TimeGrain, time: str, span: tuple[datetime, datetime], parameters: Parameters) -> str:
    """The start of a row's time bucket on the display zone's clock, exact across changes of that clock.

    The zone's offset is added by a CASE over its changes inside the span, so that UTC columns need no conversion per
    row.
    """
    start, end = max(span[0], scope.span[0]), min(span[1], scope.span[1])
    first, changes = transitions(start, max(start, end), scope.timezone)
    local = time
    if changes:
        before = [first, *(change.offset_s for change in changes[:-1])]
        cases = " ".join(
            f"when {time} < {parameters.bind(change.at)} then {parameters.bind(offset)}"
            for offset, change in zip(before, changes, strict=True)
        )
        local = f"{time} + to_seconds(case {cases} else {parameters.bind(changes[-1].offset_s)} end)"
    elif first:
        local = f"{time} + to_seconds({parameters.bind(first)})"
    return f"date_trunc('{grain}', {local})::timestamp"


def _moved(
    bucket: str, grain: TimeGrain, window: Window, onto: Window, timezone: ZoneInfo, parameters: Parameters
) -> str:
    """A bucket of one period in the same place of another."""
    now, then = _truncated(onto.start, grain, timezone), _truncated(window.start, grain, timezone)
    if grain == "month":
        months = (now.year - then.year) * 12 + now.month - then.month
        return f"{bucket} + to_months({parameters.bind(months)})"
    return f"{bucket} + to_seconds({parameters.bind(int((now - then).total_seconds()))})"


def _truncated(moment: datetime, grain: TimeGrain, timezone: ZoneInfo) -> datetime:
    """The start of the bucket that a UTC time falls into, on the display zone's clock."""
    local = to_local(moment, timezone).replace(minute=0, second=0, microsecond=0)
    if grain == "hour":
        return local
    midnight = local.replace(hour=0)
    if grain == "week":
        return midnight - timedelta(days=midnight.weekday())
    return midnight.replace(day=1) if grain == "month" else midnight


def select(columns: Mapping[str, str], relation: str, where: Sequence[str] = (), *, group: bool = False) -> str:
    """A SELECT of expressions by their names; the name of ``*`` is empty."""
    shown = ", ".join(f"{text} as {name}" if name and name != text else text for name, text in columns.items())
    condition = f" where {' and '.join(where)}" if where else ""
    grouped = " group by all" if group else ""
    return f"select {shown} from {relation}{condition}{grouped}"  # noqa: S608 - texts are the registry's constants

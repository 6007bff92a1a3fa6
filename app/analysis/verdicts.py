"""What an experiment's numbers mean, in words that a decision can rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.analysis.estimates import MINIMUM_UNITS, Estimate
from app.analysis.powers import power_of, wait
from app.analysis.readout_rows import written
from app.analysis.readouts import Readout
from app.format import MISSING
from app.stats.ordinal import EVEN

Kind = Literal["no_data", "invalid", "too_early", "winner", "keep_control", "mixed", "no_difference", "undecided"]
LONGEST_WAIT_DAYS = 365
SMALLEST_P = 0.001


@dataclass(frozen=True)
class Verdict:
    """One sentence that says what to do, and sentences that say why."""

    kind: Kind
    sentence: str
    reasons: tuple[str, ...] = ()


def verdict(readout: Readout) -> Verdict:
    """Judge a readout: validity first, then size, then the primary metric (all together where none was declared)."""
    failed = [check for check in readout.checks if check.state == "fail"]
    if failed and failed[0].name == "Arms":
        return Verdict("no_data", f"Nothing to compare: {failed[0].finding}.", (f"{failed[0].remedy}.",))
    if failed:
        broken = "; ".join(check.finding for check in failed)
        return Verdict(
            "invalid",
            f"No winner can be named, the test is broken: {broken}.",
            tuple(dict.fromkeys(f"{check.remedy}." for check in failed if check.remedy)),
        )
    waiting = [check for check in readout.checks if check.state == "wait"]
    if waiting:
        return Verdict(
            "too_early",
            f"Too early to tell: {'; '.join(_begun(check.finding) for check in waiting)}.",
            tuple(f"{check.remedy}." for check in waiting),
        )
    return _by_primary(readout) if readout.primary else _by_all(readout)


def _by_primary(readout: Readout) -> Verdict:
    certain = [each for each in readout.primary if each.is_certain]
    rest = [each for each in readout.estimates if not each.is_primary and each.is_certain]
    watch = _watch(rest)
    good = [each for each in certain if each.is_better]
    bad = [each for each in certain if each.is_better is False]
    if good:
        best = max(good, key=lambda each: abs(each.difference))
        broken = [
            each for each in rest if each.role == "guardrail" and each.is_better is False and each.arm == best.arm
        ]
        if broken:
            return Verdict(
                "mixed",
                f"A trade-off to decide: with {best.arm}, {sentence(best)}; but a guard rail breaks: "
                f"{sentence(broken[0])}.",
                _watch([each for each in rest if each != broken[0]]),
            )
        return Verdict("winner", f"{best.arm} is better: {sentence(best)}.", watch)
    if bad and len(bad) == len(readout.primary):
        worst = bad[0]
        return Verdict(
            "keep_control", f"Keep {readout.experiment.arms[0]}: with {worst.arm}, {sentence(worst)}.", watch
        )
    if certain and not bad:
        first = certain[0]
        return Verdict("mixed", f"A difference that has no better side: with {first.arm}, {sentence(first)}.", watch)
    open_ones = [each for each in readout.primary if not each.is_certain]
    return _undecided(readout, open_ones[0], watch)


def _by_all(readout: Readout) -> Verdict:
    certain = [each for each in readout.estimates if each.is_certain and each.is_better is not None]
    good = [each for each in certain if each.is_better]
    bad = [each for each in certain if not each.is_better]
    if good and not bad:
        best = good[0]
        others = [each for each in good[1:] if each.arm == best.arm]
        return Verdict("winner", f"{best.arm} is better: {sentence(best)}.", _watch(others))
    if bad and not good:
        worst = bad[0]
        return Verdict(
            "keep_control", f"Keep {readout.experiment.arms[0]}: with {worst.arm}, {sentence(worst)}.", _watch(bad[1:])
        )
    if good and bad:
        return Verdict(
            "mixed",
            f"A trade-off to decide: with {good[0].arm}, {sentence(good[0])}; "
            f"but with {bad[0].arm}, {sentence(bad[0])}.",
            _watch([*good[1:], *bad[1:]]),
        )
    if not readout.estimates:
        return Verdict("no_data", "Nothing to compare: no metric has values in both arms.")
    return _undecided(readout, readout.estimates[0], ())


def _undecided(readout: Readout, estimate: Estimate, watch: tuple[str, ...]) -> Verdict:
    label = _lower(estimate.label)
    if estimate.smallest < MINIMUM_UNITS:
        few = f"too few units: {estimate.smallest:,} have a value in the smaller arm, {MINIMUM_UNITS} are needed"
        if estimate.measure.kind == "quantile" and not estimate.smallest:
            few = "too few units lie beyond this quantile to bound it"
        return Verdict("too_early", f"Too early to tell about {label}: {few}.", watch)
    if estimate.lift_low is None or estimate.lift_high is None:
        return Verdict("undecided", f"No difference in {label} found so far.", (*_more_days(readout), *watch))
    widest = max(abs(estimate.lift_low), abs(estimate.lift_high))
    spread = (
        f"with {estimate.arm} it is between {_direction(estimate.lift_low)} and {_direction(estimate.lift_high)} "
        f"than with {readout.experiment.arms[0]}"
    )
    if widest <= readout.experiment.wanted:
        return Verdict("no_difference", f"No difference in {label} larger than {100 * widest:.1f} %: {spread}.", watch)
    return Verdict("undecided", f"No difference in {label} found so far: {spread}.", (*_more_days(readout), *watch))


def _more_days(readout: Readout) -> tuple[str, ...]:
    """How long it takes to find the wanted difference, as a sentence; nothing where that is not known."""
    power = power_of(readout)
    if power is None:
        return ()
    effect = f"{100 * power.wanted:g} {'%' if power.is_relative else 'points'}"
    days = power.need.more_days
    if days == 0:
        return (f"A true difference of {effect} would have been found with a chance of {100 * power.power:.0f} %.",)
    if days is None or days > LONGEST_WAIT_DAYS:
        return (f"At this pace a difference of {effect} can't be settled within a year.",)
    return (f"About {wait(power.need)} at this pace would settle a difference of {effect}.",)


def _watch(estimates: Sequence[Estimate]) -> tuple[str, ...]:
    return tuple(f"Also certain: with {each.arm}, {sentence(each)}." for each in estimates[:4])


def sentence(estimate: Estimate) -> str:
    """One estimate in words: ``satisfaction is 6.2 % higher (95 % interval 2.1 to 10.4), 4.31 against 4.06``."""
    label = _lower(estimate.label)
    if estimate.measure.kind == "ordinal":
        bounds = f"{100 * (EVEN + estimate.low):.1f} to {100 * (EVEN + estimate.high):.1f}"
        chance = f"{100 * estimate.value:.1f} % (interval {bounds}, even at 50 %)"
        return f"a rating of {estimate.measure.score} is higher than in the control with a chance of {chance}"
    values = f"{written(estimate.metric, estimate.value)} against {written(estimate.metric, estimate.control)}"
    if estimate.lift is None or estimate.lift_low is None or estimate.lift_high is None:
        return f"{label} is {values}"
    direction = "higher" if estimate.difference > 0 else "lower"
    low, high = sorted((abs(estimate.lift_low), abs(estimate.lift_high)))
    bounds = (
        f"{100 * low:.1f} to {100 * high:.1f}"
        if estimate.lift_low * estimate.lift_high > 0
        else f"{_percent(estimate.lift_low)} to {_percent(estimate.lift_high)}"
    )
    return f"{label} is {100 * abs(estimate.lift):.1f} % {direction} (interval {bounds}), {values}"


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"


def _direction(share: float) -> str:
    return f"{100 * abs(share):.1f} % {'higher' if share > 0 else 'lower'}"


def _lower(label: str) -> str:
    """A label inside a sentence: ``Latency, mean`` is mean latency, ``Score, mean: tone`` mean tone score."""
    whole, _, score = label.partition(": ")
    name, _, kind = whole.partition(", ")
    said = f"{kind} {score} {name}" if kind and score else f"{kind} {name}" if kind else f"{name} {score}"
    return said.lower().strip() if not score else " ".join(said.split()).replace(name, name.lower(), 1)


@dataclass(frozen=True)
class Figure:
    """One figure of the readout, ready to be shown."""

    label: str
    value: str
    note: str = ""
    why: str = ""


def key_figures(readout: Readout) -> list[Figure]:
    """What a person looks at first: the deciding lift, size, split, length."""
    unit = readout.assignment.unit
    figures = []
    if readout.deciding:
        first = readout.deciding[0]
        label = first.label
        note = (
            ""
            if first.lift_low is None or first.lift_high is None
            else f"{_percent(first.lift_low)} to {_percent(first.lift_high)}"
        )
        shown = MISSING if first.lift is None else _percent(first.lift)
        if first.measure.kind == "ordinal":
            shown = written(first.metric, first.value)
            note = f"{100 * (EVEN + first.low):.1f} to {100 * (EVEN + first.high):.1f} %, even at 50 %"
        figures.append(Figure(label, shown, note, f"Relative difference of {first.arm} with its interval"))
    figures += [
        Figure(f"{arm.name}, {unit}s", f"{arm.units:,}", f"{arm.traces:,} traces", "Units that showed this arm")
        for arm in readout.arms[:3]
    ]
    split_p = readout.split.deciding_p
    figures.append(
        Figure(
            "Split p",
            f"{split_p:.3f}" if split_p >= SMALLEST_P else "< 0.001",
            "alarm below 0.001",
            "How often chance splits the units this unevenly, however often one looks"
            if readout.method == "any_time"
            else "Chi-squared test of the declared split, one look",
        )
    )
    figures.append(Figure("Days", f"{readout.days:,}", why="Days with traffic in any arm"))
    return figures


def _begun(finding: str) -> str:
    """A finding that goes on a sentence."""
    return finding[:1].lower() + finding[1:]

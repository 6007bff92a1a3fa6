"""What an experiment's numbers mean, in words that a decision can rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.analysis.readout_rows import written
from app.analysis.readouts import Estimate, Readout
from app.metrics.registry import find_metric

Kind = Literal["no_data", "invalid", "too_early", "winner", "keep_control", "mixed", "no_difference", "undecided"]
SMALL_EFFECT = 0.05
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
    watch = _watch([each for each in readout.estimates if not each.is_primary and each.is_certain])
    good = [each for each in certain if each.is_better]
    if good:
        best = max(good, key=lambda each: abs(each.difference))
        return Verdict("winner", f"{best.arm} is better: {sentence(best)}.", watch)
    if certain and len(certain) == len(readout.primary):
        worst = certain[0]
        return Verdict(
            "keep_control", f"Keep {readout.experiment.arms[0]}: with {worst.arm}, {sentence(worst)}.", watch
        )
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
    label = _lower(find_metric(estimate.metric).label)
    if estimate.lift_low is None or estimate.lift_high is None:
        return Verdict("undecided", f"No difference in {label} found so far.", watch)
    widest = max(abs(estimate.lift_low), abs(estimate.lift_high))
    spread = (
        f"with {estimate.arm} it is between {_direction(estimate.lift_low)} and {_direction(estimate.lift_high)} "
        f"than with {readout.experiment.arms[0]}"
    )
    if widest <= SMALL_EFFECT:
        return Verdict("no_difference", f"No difference in {label} larger than {100 * widest:.1f} %: {spread}.", watch)
    days = _days_needed(readout.days, (estimate.lift_high - estimate.lift_low) / 2)
    more = (
        f"About {days:,} more days at this pace would settle a difference of {100 * SMALL_EFFECT:.0f} %."
        if days <= LONGEST_WAIT_DAYS
        else f"At this pace a difference of {100 * SMALL_EFFECT:.0f} % can't be settled within a year."
    )
    return Verdict("undecided", f"No difference in {label} found so far: {spread}.", (more, *watch))


def _days_needed(days: int, half_width: float) -> int:
    """Half-widths shrink with the square root of the units, and units come at a steady pace."""
    return max(1, round(days * ((half_width / SMALL_EFFECT) ** 2 - 1)))


def _watch(estimates: Sequence[Estimate]) -> tuple[str, ...]:
    return tuple(f"Also certain: with {each.arm}, {sentence(each)}." for each in estimates[:4])


def sentence(estimate: Estimate) -> str:
    """One estimate in words: ``satisfaction is 6.2 % higher (95 % interval 2.1 to 10.4), 4.31 against 4.06``."""
    metric = find_metric(estimate.metric)
    values = f"{written(estimate.metric, estimate.value)} against {written(estimate.metric, estimate.control)}"
    if estimate.lift is None or estimate.lift_low is None or estimate.lift_high is None:
        return f"{_lower(metric.label)} is {values}"
    direction = "higher" if estimate.difference > 0 else "lower"
    low, high = sorted((abs(estimate.lift_low), abs(estimate.lift_high)))
    bounds = (
        f"{100 * low:.1f} to {100 * high:.1f}"
        if estimate.lift_low * estimate.lift_high > 0
        else f"{_percent(estimate.lift_low)} to {_percent(estimate.lift_high)}"
    )
    return f"{_lower(metric.label)} is {100 * abs(estimate.lift):.1f} % {direction} (interval {bounds}), {values}"


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"


def _direction(share: float) -> str:
    return f"{100 * abs(share):.1f} % {'higher' if share > 0 else 'lower'}"


def _lower(label: str) -> str:
    """A label inside a sentence: ``Latency, mean`` is said as mean latency."""
    name, _, kind = label.partition(", ")
    said = f"{kind} {name}" if kind else name
    return said.lower()


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
    deciding = readout.primary or tuple(sorted(readout.estimates, key=lambda each: (not each.is_certain, each.p)))
    figures = []
    if deciding:
        first = deciding[0]
        label = find_metric(first.metric).label
        note = (
            ""
            if first.lift_low is None or first.lift_high is None
            else f"{_percent(first.lift_low)} to {_percent(first.lift_high)}"
        )
        shown = "—" if first.lift is None else _percent(first.lift)
        figures.append(Figure(label, shown, note, f"Relative difference of {first.arm} with its interval"))
    figures += [
        Figure(f"{arm.name}, {unit}s", f"{arm.units:,}", f"{arm.traces:,} traces", "Units that showed this arm")
        for arm in readout.arms[:3]
    ]
    figures.append(
        Figure(
            "Split p",
            f"{readout.split_p:.3f}" if readout.split_p >= SMALLEST_P else "< 0.001",
            "alarm below 0.001",
            "Chi-squared test of an even split",
        )
    )
    figures.append(Figure("Days", f"{readout.days:,}", why="Days with traffic in any arm"))
    return figures


def method_note(readout: Readout) -> str:
    """How to read the intervals, in one or two plain sentences."""
    if readout.method == "any_time":
        return (
            "These intervals hold at whatever time you look and however often (a confidence sequence). "
            "They are wider than those for a single look."
        )
    return (
        "These intervals hold for one look on a day chosen before the test began (Welch). Looking daily and "
        "stopping at the first clear result gives a false winner far more often than the 5 % they promise."
    )


def notes(readout: Readout) -> list[str]:
    """What else decides the numbers."""
    cluster = "user" if readout.assignment.unit == "trace" else readout.assignment.unit
    lost = readout.left_out
    return [
        f"Each metric is a ratio of sums; errors by the delta method over {cluster}s (Deng, Knoblich, Lu 2018).",
        "Intervals at any time: asymptotic confidence sequence (Waudby-Smith et al. 2024). One look: Welch's t.",
        "Split: chi-squared, alarm below 0.001. Metrics that are not primary are corrected by Benjamini-Hochberg.",
        (
            f"Left out: {lost['traces_without_unit']:,} traces without a {readout.assignment.unit} id, "
            f"{lost['traces_in_two_arms']:,} traces that show two arms."
        ),
    ]


def _begun(finding: str) -> str:
    """A finding that goes on a sentence."""
    return finding[:1].lower() + finding[1:]

"""How an experiment's numbers came about, in sentences that name each method and its source."""

from __future__ import annotations

from collections.abc import Iterator

from app.analysis.estimates import MINIMUM_UNITS
from app.analysis.experiment_query import LOOK_BACK
from app.analysis.measures import find_measure, labels
from app.analysis.readouts import Readout


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
    """What else decides the numbers, a sentence each."""
    return list(_notes(readout))


def layer_metrics(readout: Readout) -> list[str]:
    """Those of the measures that are metrics of the layer."""
    return [name for name in readout.metrics if find_measure(name).metric is not None]


def _notes(readout: Readout) -> Iterator[str]:
    experiment, unit = readout.experiment, readout.assignment.unit
    cluster = "user" if unit == "trace" else unit
    for name in readout.metrics:
        measure = find_measure(name)
        if measure.metric is None:
            yield f"{measure.label}: {measure.description}"
    yield (
        f"Each metric is a ratio of two sums; its error follows from sums over {cluster}s by the delta method "
        "(Deng, Knoblich, Lu 2018), so that many traces of one of them are not taken for many independent ones."
    )
    tests = {each.metric: each.test for each in readout.estimates}
    for kind in dict.fromkeys(tests.values()):
        yield f"{kind[:1].upper()}{kind[1:]}: {labels([name for name in tests if tests[name] == kind])}."
    yield (
        "Intervals at any time: asymptotic confidence sequence (Waudby-Smith et al. 2024). One look: Welch's t (1947), "
        "for shares Newcombe's interval (1998)."
    )
    comparisons = len(experiment.arms) - 1
    divided = f": 95 % divided among {comparisons} comparisons with the control" if comparisons > 1 else ""
    yield (
        f"Intervals of {100 * readout.level:g} %{divided}. Metrics that are not primary are corrected by "
        "Benjamini-Hochberg (1995); the column q has the result."
    )
    yield (
        f"Split: alarm below 0.001. Pearson's chi-squared for one look gives p = {readout.split.p:.3g}, a test that "
        f"holds at any time (Lindon, Malek 2022) p = {readout.split.sequential_p:.3g}."
    )
    yield (
        f"Below {MINIMUM_UNITS} {cluster}s in an arm nothing is called certain: simulations showed that the intervals "
        "do not hold there."
    )
    yield (
        "A small arm with long tails often lacks the rare large values and looks calmer than it is: a difference "
        "counts only if it also exceeds the error that both arms have when their spreads are pooled."
    )
    lost = readout.left_out
    yield (
        f"Left out: {lost['traces_without_unit']:,} traces without a {unit} id, "
        f"{lost['traces_in_two_arms']:,} traces that show two arms."
    )
    saved = [each for each in readout.estimates if each.saved]
    if saved:
        most = max(saved, key=lambda each: each.saved)
        yield (
            f"CUPED (Deng et al. 2013): what users did in the {LOOK_BACK.days} days before the test takes up to "
            f"{100 * most.saved:.0f} % of the variance away ({most.label})."
        )
    if experiment.winsorise is not None:
        yield f"Winsorised: {cluster}s' own values are capped at the {100 * experiment.winsorise:g} % quantile of all."

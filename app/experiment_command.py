"""``tracehouse experiment``: an A/B test, as the Experiments page reads it out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from app.session_command import printable
from etl.cli import json_option
from etl.errors import ConfigError
from etl.settings import Settings

if TYPE_CHECKING:
    from app.analysis.experiments import Experiment
    from app.analysis.readouts import Readout
    from app.analysis.verdicts import Verdict
    from app.store import Store


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--variants", metavar="DIM=A,B", help="Compare any arms, the control first: tag=variant_A,variant_B.")
@click.option("--metrics", metavar="A,B", help="What to compare; also score_order:NAME and score_categories:NAME.")
@click.option("--primary", metavar="METRIC", help="The metric that decides.  [default: all are judged together]")
@click.option("--guardrails", metavar="A,B", help="What must not get worse.")
@click.option("--unit", type=click.Choice(["user", "session", "trace"]), help="What an arm was drawn for.")
@click.option("--split", metavar="50:50", help="Declared shares of the arms.  [default: equal]")
@click.option("--segment", "segments", multiple=True, metavar="DIM", help="Look at a dimension's values. Repeatable.")
@click.option("--effect", type=float, metavar="0.05", help="The relative difference that is worth finding.")
@click.option("--winsorise", type=float, metavar="0.99", help="Cap units' own values at this quantile.")
@click.option("--exclude-crossed", is_flag=True, help="Leave out units that are in two arms.")
@click.option("--fixed", is_flag=True, help="Intervals for one look, fixed beforehand.  [default: valid at any look]")
@click.option("--since", metavar="WHEN", help="7d, all, or an ISO date.  [default: the test's own, else all]")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable.")
@click.option("--project", help="One project, by id or name.  [default: all of them]")
@click.option("--save", metavar="NAME", help="Keep the experiment under this name in saved.toml.")
@click.option("--markdown", is_flag=True, help="A note for a decision log.")
@json_option
@click.pass_obj
def experiment(
    settings: Settings,
    *,
    name: str | None,
    variants: str | None,
    metrics: str | None,
    primary: str | None,
    guardrails: str | None,
    unit: str | None,
    split: str | None,
    segments: tuple[str, ...],
    effect: float | None,
    winsorise: float | None,
    exclude_crossed: bool,
    fixed: bool,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    save: str | None,
    markdown: bool,
    as_json: bool,
) -> None:
    """An A/B test read out: validity first, then a verdict, then every metric.

    \b
    tracehouse experiment warm-tone
    tracehouse experiment --variants tag=variant_A,variant_B --where tag=ab_test:warm-tone --primary satisfaction_avg
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.analysis import experiment_details, experiment_output, experiments, readouts, verdicts  # noqa: PLC0415
    from app.metrics.filters import Filters  # noqa: PLC0415 - see above
    from app.metrics.windows import ALL, parse_window  # noqa: PLC0415 - see above
    from app.saved import save_experiment  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    if (name is None) == (variants is None):
        raise ConfigError(
            "Name one experiment, or say which variants to compare",
            hint="tracehouse experiment NAME, or --variants tag=variant_A,variant_B",
        )
    ad_hoc = experiments.ad_hoc(variants) if variants is not None else None
    store = Store.open(settings)
    chosen = experiments.changed(
        ad_hoc or _known(store, settings, name or "", project),
        unit=unit,
        primary=primary,
        metrics=_names(metrics),
        guardrails=_names(guardrails),
        split=split,
        segments=segments,
        wanted=effect,
        winsorise=winsorise,
        where=where,
        since=since,
        until=until,
    )
    if save is not None:
        place = save_experiment(settings, chosen, save)
        click.echo(f"Saved as {printable(save)!r} in {place}", err=True)
    page = Filters(parse_window(ALL, None, store.as_of, settings.timezone), (), project)
    filters = experiments.bounded(store, settings.timezone, page, chosen, whole=True)
    read = readouts.readout(store, filters, chosen, "fixed" if fixed else "any_time", exclude_crossed=exclude_crossed)
    judged = verdicts.verdict(read)
    if markdown:
        click.echo(experiment_output.as_markdown(read, judged, settings.timezone), nl=False)
        return
    deciding = experiment_details.deciding_metric(read)
    parts = experiment_details.segments(store, read, settings.timezone, deciding) if deciding else []
    if as_json:
        click.echo(json.dumps(experiment_output.as_json(read, judged, parts), ensure_ascii=False))
        return
    for line in _lines(read, judged):
        click.echo(printable(line))


def _known(store: Store, settings: Settings, name: str, project: str | None) -> Experiment:
    from app.analysis.experiments import find_experiment  # noqa: PLC0415 - it brings the engine

    return find_experiment(store, settings.definitions, project, name)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name for part in text.split(",") if (name := part.strip()))


def _lines(read: Readout, judged: Verdict) -> list[str]:
    from app.analysis.readout_rows import ROLES, interval_text, reading, signed, written  # noqa: PLC0415 - the engine

    lines = [judged.sentence, *(f"  {reason}" for reason in judged.reasons), ""]
    lines += [f"{check.state:<5} {check.name}: {check.finding}" for check in read.checks]
    lines.append("")
    for each in read.estimates:
        role = "" if each.role == "secondary" else f" ({ROLES[each.role]})"
        values = f"{written(each.metric, each.control)} -> {written(each.metric, each.value)}"
        word = reading(each, is_broken=read.state == "invalid")
        change = interval_text(each) or signed(each.metric, each.difference)
        lines.append(f"{each.arm:<12} {each.label + role:<44} {values:<24} {change:<32} {word}")
    return lines

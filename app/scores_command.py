"""``tracehouse scores``: what the Quality page shows, for a person or a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from app.query_output import printable
from etl.cli import json_option
from etl.settings import Settings

if TYPE_CHECKING:
    from app.analysis.score_report import ScoreReport
    from app.metrics.query import TimeGrain

_SHOWN = 10


@click.command()
@click.option("--score", "name", metavar="NAME", help="Which score.  [default: the most frequent one]")
@click.option("--against", metavar="NAME", help="Another score: how far the two agree. Name a source as 'tone · EVAL'.")
@click.option("--comments", "search", metavar="TEXT", help="Also list comments of all scores that contain this.")
@click.option("--by", default="trace_name", show_default=True, metavar="DIM", help="Split by a dimension.")
@click.option("--grain", type=click.Choice(["hour", "day", "week", "month"]), help="Of the course over time.")
@click.option("--since", metavar="WHEN", help="7d, 24h, this_month, all, or an ISO date.  [default: 7d]")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: the end of the data]")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable.")
@click.option("--project", help="One project, by id or name.  [default: all of them]")
@json_option
@click.pass_obj
def scores(
    settings: Settings,
    *,
    name: str | None,
    against: str | None,
    search: str | None,
    by: str,
    grain: TimeGrain | None,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    as_json: bool,
) -> None:
    """How good the answers are, and whether that changes.

    \b
    tracehouse scores --since 30d
    tracehouse scores --score helpfulness --against user_satisfaction
    tracehouse scores --comments "next step" --json
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.analysis.score_report import score_report  # noqa: PLC0415 - see above
    from app.metrics.filters import Filters, parse_conditions  # noqa: PLC0415 - see above
    from app.metrics.registry import find_dimension  # noqa: PLC0415 - see above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    # What can be wrong without data is refused before a warehouse is needed.
    find_dimension(by)
    conditions = parse_conditions(where)
    store = Store.open(settings)
    zone = settings.timezone
    filters = Filters(parse_window(since, until, store.as_of, zone), conditions, project)
    made = score_report(store, zone, filters, name=name, by=by, grain=grain, against=against, search=search)
    if as_json:
        click.echo(json.dumps(made.as_json(), ensure_ascii=False))
        return
    for line in _lines(made):
        click.echo(printable(line) if line else "")


def _lines(made: ScoreReport) -> list[str]:
    from app.analysis.quality import written  # noqa: PLC0415 - as above
    from app.analysis.score_coverage import coverage_words  # noqa: PLC0415 - as above

    shown = made.as_json()
    lines = [made.sentence]
    score = made.score
    if score is not None and score.form != "text":
        lines += ["", f"{coverage_words(made.covered)}.", *shown["coverage"]["warnings"]] if shown["coverage"] else []
        lines += ["", f"by {made.by}"]
        for row in shown["rows"][:_SHOWN]:
            label = " · ".join(text for text in (row["part"], row["label"]) if text)
            bounds = f"{written(score, row['low'])} to {written(score, row['high'])}"
            lines.append(f"  {label[:44]:<44}{written(score, row['value']):>9}  ({bounds}), {row['n']:,} scores")
        if len(shown["rows"]) > _SHOWN:
            lines.append(f"  and {len(shown['rows']) - _SHOWN:,} more rows: --json has them all")
        lines += ["", f"{shown['bad']['sentence']}."] if shown["bad"] else []
        lines += [each["sentence"] for each in shown["drivers"]]
        lines += ["", shown["agreement"]["sentence"]] if shown["agreement"] else []
    if made.comments is not None:
        lines += ["", f"{shown['comments_total']:,} comments contain it, the newest first"]
        lines += [f"  {row['scored_at'][:16]}  {row['name']}  {row['comment']}" for row in shown["comments"][:_SHOWN]]
    others = [f"{each['name']} ({each['n']:,})" for each in shown["scores"]]
    return [*lines, "", f"scores here: {', '.join(others) or 'none'}"]

"""One alert rule on the Alerts page: where it stands, what it saw, what it did, and how it would have done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl
import streamlit as st

from app.alerts.backtest import Backtest, backtest, backtest_runs
from app.alerts.backtest_output import firings_frame, replayed
from app.alerts.board import Board, groups_frame, stands
from app.alerts.course import SERIES, Course, course, course_of_runs
from app.alerts.rule_words import how, limit_text, said, span_text, value_text
from app.alerts.states import FIRING
from app.alerts.system import ended_runs
from app.cache import cached
from app.charts.alerts import Labels, readings_chart, readings_words
from app.format import count, duration_ms, number, rate
from app.metrics.compile import find_project
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.windows import Window
from app.ui.alert_history import MOST, history_table
from app.ui.cards import Card, kpi_row
from app.ui.detail import stay_link
from app.ui.figures import show_chart
from app.ui.layout import note, section
from app.ui.provenance import show_sources
from app.ui.states import empty_state, error_box, guarded
from app.ui.tables import Column, table
from app.ui.text import plain
from etl.errors import ConfigError

if TYPE_CHECKING:
    from altair import TopLevelMixin

    from app.alerts.diary import Diary
    from app.alerts.rule import Rule
    from app.metrics.result import Result
    from app.ui.page import Page

LATELY = 100  # changes that say which groups are of interest
_ASKED = "replays"  # rule -> firings a week that were asked for; nothing is replayed unasked for


def chosen_rule(page: Page, board: Board, diary: Diary) -> None:
    """The rule that the address names, below the table; nothing when it names none."""
    name = st.query_params.get("rule")
    if not name:
        return
    with st.container(border=True, key="rule_detail"):
        stay_link("Close", key="close_rule", rule="")
        section(name)
        rule = board.rules.get(name)
        if rule is None:
            _unknown(board, name)
            return
        st.markdown(plain(said(rule), longest=600))
        note(stands(board, rule))
        with guarded():
            _course(page, board, rule, diary)
        if rule.by:
            _groups(board, rule)
        _history(board, rule, diary)
        with guarded():
            _replay(page, rule)
        with guarded():
            _computed(page, board, rule)


def _unknown(board: Board, name: str) -> None:
    broken = {each.rule: each.error for each in board.outcome.broken}
    if name in broken:
        error_box(ConfigError(f"It can't look: {broken[name]}", hint="Correct it in tracehouse.toml, then look again"))
    elif name in {each.name for each in board.definitions.alert if not each.enabled}:
        empty_state("This rule is switched off", "Remove enabled = false from its [[alert]] in tracehouse.toml.")
    else:
        empty_state("There is no such rule", "It may have been renamed; choose one in the table above.")


def _course(page: Page, board: Board, rule: Rule, diary: Diary) -> None:
    now = board.outcome.at
    window = page.filters.window
    if rule.by_wall_clock:
        last = board.outcome.looks.get(rule.name)
        end = window.end if window.until else last.checked_at if last else now
        made = course_of_runs(rule, ended_runs(page.settings.state_path), window.start, end, page.timezone)
    else:
        known = board.outcome.as_of or page.store.as_of
        end = min(window.end, known) if window.until else known
        groups = _of_interest(board, rule, diary) if rule.by else ()
        made = cached(page, course, page.timezone, rule, window.start, end, groups)
    if made.frame.drop_nulls("value").is_empty():
        empty_state("It saw nothing in this period", "Choose a longer period in the sidebar, or all of history.")
        return
    chart, words = _drawn(made, len(board.states.get(rule.name, ())))
    show_chart(chart, alt=words, key="readings")


def _of_interest(board: Board, rule: Rule, diary: Diary) -> tuple[str, ...]:
    """The groups to draw: those that fire, then those that changed of late, then the others."""
    states = board.states.get(rule.name, ())
    known = {state.group for state in states}
    fire = [state.group for state in states if state.level in FIRING]
    changed = [each.record.group for each in diary.happenings(rule.name, most=LATELY) if each.record.group in known]
    return tuple(dict.fromkeys((*fire, *changed, *(state.group for state in states))))[:SERIES]


def _drawn(made: Course, groups: int) -> tuple[TopLevelMixin, str]:
    rule, frame, form = made.rule, made.frame, str(made.rule.format)
    if rule.format == "seconds":
        frame = frame.with_columns(pl.col("value", "baseline", "warn", "alert") * 1000)
        form = "duration"
    written = duration_ms if form == "duration" else partial(value_text, rule)
    sign = "<" if rule.below else ">"
    given = (("warn", "warning", rule.warn), ("alert", "alert", rule.alert))
    limits = {column: f"{level} {sign} {limit_text(rule, x)}" for column, level, x in given if x is not None}
    labels = Labels(rule.label, rule.window_words, span_text(made.every), rule.by, rule.units, limits)
    shown = frame["group"].n_unique()
    notes = []
    if made.step > 1:
        notes.append(f"of each {made.step} looks the one nearest to firing is drawn")
    if made.every > rule.every:
        notes.append(f"of the rule's looks each {span_text(rule.every)} one each {span_text(made.every)} is read")
    many = max(groups, made.groups)
    if many > shown:
        which = "those that fire, then those that changed of late" if groups else "those that came nearest to firing"
        notes.append(f"{shown} of {many:,} values of {rule.by}: {which}")
    chart = readings_chart(frame, labels, form=form, written=written, notes=notes)
    return chart, readings_words(frame, rule.label, written=written, looks=made.looks, share=made.share)


def _groups(board: Board, rule: Rule) -> None:
    many = len(board.states.get(rule.name, ()))
    if not many:
        return
    table(
        groups_frame(board, rule, MOST),
        columns={
            "group": Column(rule.by, pinned=True),
            "level": Column("Level"),
            "value": Column("Last value"),
            "n": Column("n", "count", help="What the last value rests on"),
            "since": Column("Since", "time"),
            "at": Column("Last look", "time"),
        },
        key=f"groups_{rule.name}",
        alt=f"Where each value of {rule.by} stands, the gravest first",
        total=many,
        download_name="alert_groups",
        download=partial(groups_frame, board, rule),
    )


def _history(board: Board, rule: Rule, diary: Diary) -> None:
    st.markdown("**What it did in this period**")
    if not diary.changed(rule.name):
        note("Nothing changed: it neither began to fire nor recovered.")
        return
    history_table(
        board,
        diary,
        rule.name,
        key="alert_history_of_rule",
        alt="What this rule did, newest first",
        leave_out=("rule",) if rule.by else ("rule", "group"),
    )


def _replay(page: Page, rule: Rule) -> None:
    st.markdown("**Backtest**")
    note(
        "How often it would have fired over all of history, and the limit for as few firings as you can bear. "
        "From that limit on, every one farther out fires at most so often as well."
    )
    asked: dict[str, float] = st.session_state.setdefault(_ASKED, {})
    with st.form(f"backtest_{rule.name}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.number_input(
            "Firings a week, at most", 0.0, 1000.0, asked.get(rule.name, 1.0), step=0.5, format="%g", width=220
        )
        if st.form_submit_button("Replay over all of history", icon=":material/history:"):
            asked[rule.name] = wanted
    if rule.name not in asked:
        return
    with st.spinner("Replaying all of history"):
        made = _replayed(page, rule, asked[rule.name])
    st.markdown(plain(replayed(made, page.timezone), longest=600))
    if made.since is None:
        return
    limit = made.threshold
    kpi_row(
        [
            Card("Would have fired", count(len(made.firings)), why="Times it began to fire, warnings included"),
            Card("A week", number(made.per_week), why="On average over the replay"),
            Card("Time in alert", rate(made.shares["alert"]), why="Share of its looks"),
            Card("Time in warning", rate(made.shares["warning"]), why="Share of its looks"),
        ]
    )
    if limit is not None:
        alone = "without warn, " if rule.warn is not None else ""
        st.code(f"alert = {limit.rounded:g}  # {alone}at most {made.most_per_week:g} a week", language="toml")
    if made.firings:
        _firings(page, made)


def _replayed(page: Page, rule: Rule, most_per_week: float) -> Backtest:
    if rule.by_wall_clock:
        return backtest_runs(rule, ended_runs(page.settings.state_path), most_per_week)
    return cached(page, backtest, page.timezone, rule, most_per_week)


def _firings(page: Page, made: Backtest) -> None:
    columns = {
        "since": Column("Began", "time", pinned=True),
        "lasted": Column("For"),
        "level": Column("Level", help="The gravest on the way"),
        "group": Column("Of"),
        "peak": Column("Peak", help="The value farthest beyond the limit"),
        "usual": Column("Usual", help="The same hours of earlier weeks"),
        "n": Column("n", "count", help="What the peak rests on"),
        "until": Column("Ended", "time"),
    }
    unused = {"group": not made.rule.by, "usual": not made.rule.weeks}
    table(
        firings_frame(made, page.timezone),
        columns={name: column for name, column in columns.items() if not unused.get(name)},
        key=f"firings_{made.rule.name}",
        alt="When the rule would have fired, newest first",
        download_name="alert_backtest",
    )


def _computed(page: Page, board: Board, rule: Rule) -> None:
    place = st.expander(
        "How is this computed", icon=":material/function:", key=f"computed_{rule.name}", on_change="rerun"
    )
    if not place.open:
        return
    with place:
        if rule.by_wall_clock:
            show_sources({}, notes=how(rule))
            return
        last = _last_look(page, board, rule)
        notes = (*how(rule), "Below is its last look; tracehouse query gives the same number for that window.")
        show_sources({"The last look": last} if last else {}, metrics=(rule.metric_name,), notes=notes, key="rule")


def _last_look(page: Page, board: Board, rule: Rule) -> Result | None:
    """The last look of the gravest group as a query, whose number is the rule's."""
    first = next((state for state in board.states.get(rule.name, ()) if state.last_at and state.last_from), None)
    if first is None or first.last_from is None or first.last_at is None:
        return None
    project = find_project(page.store, rule.project or None)
    filters = Filters(Window(first.last_from, first.last_at), rule.conditions, project)
    return cached(page, run, page.timezone, Query((rule.metric_name,), filters, (rule.by,) if rule.by else ()))

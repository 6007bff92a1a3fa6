"""How good are the answers, and is that changing? For product managers and analysts. Reads scores, traces, sessions."""

from __future__ import annotations

import streamlit as st

from app import ui
from app.analysis import (
    overview,
    quality,
    score_agreement,
    score_causes,
    score_coverage,
    score_rows,
    scores,
)
from app.charts import quality as charts
from app.format import count, rate
from app.metrics.registry import find_dimension

page = ui.start("Quality", "How good are the answers, and is that changing?")
selection = (page.timezone, page.filters)
listed = ui.cached(page, scores.list_scores, page.filters)
if listed.frame.is_empty():
    ui.empty_state(
        "No scores in this selection",
        "Widen the period or remove a filter. If none was ever sent: score a trace from the application (a thumb, a "
        "rating), let a judge score it in Langfuse, or have people annotate it.",
        command="langfuse.score_current_trace(name='user_satisfaction', value=4)",
    )
    ui.how_computed({"Scores": listed})
    st.stop()

with st.container(horizontal=True):
    name = ui.choose_value("Score", scores.names_of(listed), key="score")
    good = st.segmented_control(
        "Good is",
        scores.GOOD,
        default=scores.usual_good(name),
        key="good",
        bind="query-params",
        help="Which direction is good news; guessed from the score's name",
    )
with ui.guarded():
    score = scores.chosen(page.store, listed, name, good)
    shown: dict[str, ui.Provenance] = {"Scores": listed}
    if score.form == "text":
        ui.answer(scores.text_words(score))
        found = ui.cached(page, score_rows.score_rows, *selection, score.name)
        ui.table(
            found.frame,
            columns={
                "scored_at": ui.Column("When", "time", pinned=True),
                "comment": ui.Column("Text"),
                "source": ui.Column("Source"),
                "trace_name": ui.Column("Trace name"),
                "user_id": ui.Column("User"),
                "trace_id": ui.Column("Trace id"),
            },
            key="texts",
            alt=f"What was written as {score.name}, newest first",
            total=score_rows.total_of(found),
            link=ui.OpenPage("trace", {"trace": "trace_id", "project": "project_id"}),
            download_name="score_texts",
        )
        ui.how_computed({"Scores": listed, "Texts": found})
        st.stop()

    grain = overview.grain_for(page.filters.window, page.store)
    asked_course = ui.ask(page, quality.both, *selection, score, grain, page.comparison)
    asked_covered = ui.ask(page, score_coverage.coverage, page.filters, score)
    asked_chosen = ui.ask(page, score_coverage.selection, page.filters, score)
    asked_bins = ui.ask(page, quality.distribution, page.filters, score)
    top = ui.place()
    dimension = ui.choose_dimension("Split by", quality.SPLITS, key="by")
    label = find_dimension(dimension).label
    asked_split = ui.ask(page, quality.by_dimension, *selection, score, dimension)
    middle = ui.place()
    part = ui.choose_part(quality.PAGE_PARTS, key="part")
    if part == "Bad scores":
        worst = st.selectbox("Bad is", score.labels, key="bad", bind="query-params") if score.labels else None
        asked_shared = ui.ask(page, score_causes.shared, page.filters, score, worst)
        asked_rows = ui.ask(page, score_rows.score_rows, *selection, score.name, order=scores.worst_first(score))
    now, before = asked_course()
    moved = quality.changes(score, now, before)
    covered, chosen = asked_covered(), asked_chosen()
    with top:
        ui.answer(quality.summary(score, moved, page.filters.window.label))
        ui.kpi_row(
            [
                *(ui.Card(**vars(each)) for each in quality.figures(score, moved, now)),
                ui.Card(
                    "Coverage",
                    rate(covered.share if covered else None),
                    note=score_coverage.of_what(covered),
                    why="What share of the traffic carries this score",
                ),
            ]
        )
        for sentence in score_coverage.warnings(covered, chosen):
            st.warning(ui.plain(sentence, longest=700), icon=":material/filter_alt:")
        shown |= {"Over time": now.answer}

        chart, words = charts.course_chart(now, score, moved, **page.span)
        ui.show_chart(chart, alt=words)
    with middle:
        left, right = ui.side_by_side()
        with left:
            bins = asked_bins()
            chart, words = charts.distribution_chart(bins.frame, score, now)
            ui.show_chart(chart, alt=words)
            shown |= {"Distribution": bins}
        with right:
            split, split_answer = asked_split()
            chart, words = charts.parts_chart(split, score, now, label)
            ui.show_chart(chart, alt=words)
            shown |= {"By dimension": split_answer}

    if part == "Bad scores":
        found_shared = asked_shared()
        if found_shared is None:
            ui.empty_state("All scores are alike", "There is nothing that bad ones could have in common.")
        else:
            rule, goes_with, correlates = found_shared
            ui.section("What bad scores have in common", score_causes.correlates_words(rule, goes_with))
            if goes_with.is_empty():
                ui.note("All scores share model, release, feature and environment, so nothing can be compared.")
            else:
                ui.show_correlates(
                    goes_with,
                    hit="Bad scores",
                    exposed="Scores",
                    rate="Share of bad",
                    alt="Share of bad scores by model, release, feature, prompt version, failed tool and topic",
                    download_name="score_correlates",
                )
            shown |= {"What bad scores share": correlates}
        worst_first = asked_rows()
        ui.section("The worst scores", "Worst first, then newest; a row opens what was scored.")
        ui.table(
            worst_first.frame,
            columns={
                "scored_at": ui.Column("When", "time", pinned=True),
                "value": ui.Column("Value"),
                "comment": ui.Column("Comment"),
                "trace_name": ui.Column("Trace name"),
                "user_id": ui.Column("User"),
                "source": ui.Column("Source"),
                "session_id": ui.Column("Session id"),
                "trace_id": ui.Column("Trace id"),
            },
            key="worst_scores",
            alt=f"Scores of {score.name}, worst first",
            total=score_rows.total_of(worst_first),
            link=ui.OpenPage(*scores.opens(score)),
            download_name="worst_scores",
        )
        shown |= {"Worst scores": worst_first}
    elif part == "Coverage":
        ui.section("Coverage", score_coverage.coverage_words(covered))
        if covered and covered.total:
            by_part = ui.cached(page, score_coverage.coverage_by, page.filters, score, dimension)
            chart, words = charts.coverage_chart(by_part, label)
            ui.show_chart(chart, alt=words)
            ui.table(
                by_part.frame,
                columns={
                    "part": ui.Column(label, pinned=True),
                    "units": ui.Column(by_part.unit.capitalize(), "count"),
                    "scored": ui.Column("Scored", "count"),
                    "coverage": ui.Column("Coverage", "share"),
                    "low": ui.Column("From", "rate", help="Low end of its 95 % interval (Wilson)"),
                    "high": ui.Column("To", "rate", help="High end"),
                },
                key="coverage",
                alt=f"Coverage by {label}",
                link=ui.FilterBy(dimension, "part"),
                download_name="score_coverage",
            )
            shown |= {"Coverage": by_part.answer}
        if chosen:
            ui.section(
                "How what is scored differs from the rest",
                "Certain: the false discovery rate is at most 5 %. Only what also differs by a quarter is warned of.",
            )
            ui.table(
                score_coverage.selection_rows(chosen),
                columns={
                    "trait": ui.Column("Trait", pinned=True),
                    "value": ui.Column("Value"),
                    "scored": ui.Column("Scored"),
                    "other": ui.Column("Not scored"),
                    "ratio": ui.Column("Ratio", "number"),
                    "low": ui.Column("From", "number", help="Low end of the ratio's 95 % interval"),
                    "high": ui.Column("To", "number", help="High end"),
                    "reading": ui.Column("Reading"),
                },
                key="selection",
                alt="Traits of scored and unscored traffic",
                download_name="score_selection",
            )
            shown |= {"Scored against the rest": chosen.answer}
    elif part == "Agreement":
        names = ui.cached(page, score_agreement.choices, page.filters)
        if score_agreement.partners(names, score.name):
            with st.container(horizontal=True):
                one = ui.choose_value("This score", score_agreement.first(names, score.name), key="one")
                other = ui.choose_value("Against", score_agreement.partners(names, one), key="against")
            pair = ui.cached(page, score_agreement.agreement, page.filters, one, other)
            ui.section("Do they agree?", score_agreement.agreement_words(pair))
            if pair.n:
                left, right = ui.side_by_side()
                with left:
                    chart, words = charts.matrix_chart(pair)
                    ui.show_chart(chart, alt=words)
                with right:
                    ui.table(
                        score_agreement.figure_rows(pair),
                        columns={
                            "name": ui.Column("Measure", pinned=True),
                            "value": ui.Column("Value", "number"),
                            "low": ui.Column("From", "number", help="Low end of its 95 % interval"),
                            "high": ui.Column("To", "number", help="High end"),
                            "meaning": ui.Column("What it says"),
                        },
                        key="agreement",
                        alt=f"Agreement of {one} and {other}",
                    )
                    ui.note(score_agreement.caution(pair))
            shown |= {"Pairs": pair.answer}
        else:
            ui.empty_state(
                "Only one score can be compared",
                "Let a person annotate some of what a judge scores, or the other way round, to see whether they agree.",
            )
    elif part == "Cost and latency":
        worst = st.selectbox("Category", score.labels, key="of", bind="query-params") if score.labels else None
        left, right = ui.side_by_side()
        for place, measure in zip((left, right), score_causes.SHOWN, strict=True):
            with place:
                beside = ui.cached(page, score_causes.driver, page.filters, score, measure, worst)
                chart, words = charts.driver_chart(beside, score, scores.called(score, worst))
                ui.show_chart(chart, alt=words)
                ui.note(score_causes.driver_words(beside, score))
                shown |= {f"Against {score_causes.MEASURES[measure].lower()}": beside.answer}
        ui.note(score_causes.CAUTION)
    elif part == "Comments":
        searched = ui.search_box("Search the comments of all scores", key="find")
        found = ui.cached(page, score_rows.score_rows, *selection, None, search=searched)
        if found.frame.is_empty():
            ui.empty_state("No comment contains this", "Comments and written feedback of all scores are searched.")
        else:
            ui.table(
                found.frame,
                columns={
                    "scored_at": ui.Column("When", "time", pinned=True),
                    "comment": ui.Column("Comment"),
                    "name": ui.Column("Score"),
                    "value": ui.Column("Value"),
                    "trace_name": ui.Column("Trace name"),
                    "user_id": ui.Column("User"),
                    "source": ui.Column("Source"),
                    "session_id": ui.Column("Session id"),
                    "trace_id": ui.Column("Trace id"),
                },
                key="comments",
                alt="Comments, newest first",
                total=score_rows.total_of(found),
                link=ui.OpenPage("trace", {"trace": "trace_id", "project": "project_id"}),
                download_name="score_comments",
            )
        shown |= {"Comments": found}
    else:
        ui.table(
            scores.table_of(listed),
            columns={
                "name": ui.Column("Score", pinned=True),
                "kind": ui.Column("Kind"),
                "scores": ui.Column("Scores", "count"),
                "mean": ui.Column("Mean", "number", help="As given; on 0-1 where its scales differ; a share of yes"),
                "comments": ui.Column("Comments", "count"),
                "subject_kinds": ui.Column("Given to", "list"),
                "sources": ui.Column("Sources", "list"),
                "newest": ui.Column("Newest", "time"),
            },
            key="all_scores",
            alt="All scores of this selection",
            link=ui.OpenPage("quality", {"score": "name"}),
            download_name="scores",
        )
    ui.note(f"{count(score.scores)} scores named {score.name}, {scores.described(score)}.")
    ui.how_computed(
        shown,
        metrics=("score_avg", "score_coverage"),
        notes=quality.NOTES,
    )

"""Can today's numbers be trusted? For whoever runs the sync. Reads meta.*, the marts' counts and state.db."""

from __future__ import annotations

import streamlit as st

from app import ui
from app.analysis import health, health_findings, health_state, overview
from app.charts.health import coverage_chart
from app.charts.metrics import course, course_words
from app.format import count
from app.ui.detail import long_code

page = ui.start("Data health", "Is the data complete and fresh, and can today's numbers be trusted?")
state_path = page.settings.state_path
asked_entities = ui.ask(page, health.entities, page.timezone)
asked_aside = ui.ask(page, health.quarantine, page.timezone)
asked_unknown = ui.ask(page, health.unknown_fields)
asked_coverage = ui.ask(page, health.coverage, page.filters)
asked_doubts = ui.ask(page, health.doubts, page.filters)
asked_head = ui.ask(page, overview.headline, page.timezone, page.filters, page.comparison, health.VOLUME)
entities, aside, unknown = asked_entities(), asked_aside(), asked_unknown()
covered, coverage = asked_coverage()
runs = health_state.runs(state_path, page.timezone)
set_aside = health_findings.total_of(aside.frame)
timing = health_state.schedule(state_path)
compared = health_state.reconciled(state_path, page.timezone)
doubtful = asked_doubts()
room = health_state.disk(page.settings)
found = health_findings.findings(
    page.store,
    last_runs=runs,
    covered=covered,
    set_aside=set_aside,
    unknown=unknown.frame.height,
    timing=timing,
    compared=compared,
    doubtful=doubtful,
    room=room,
)

ui.answer(health_findings.summary(page.store, page.timezone, found))
ui.kpi_row(
    [
        ui.Card(
            "Data ends", *health_findings.age(page.store), why="End of what was read, against the clock of this machine"
        ),
        ui.Card(
            "Last good run",
            health_findings.since_success(timing),
            note=health_findings.ago(timing),
            why=f"By the clock of this machine; the newest run: {health_findings.last_status(runs)}",
        ),
        ui.Card(
            "Days that agree",
            health_findings.agreeing(compared),
            why="Days whose counts and cost equal the server's own, by the last tracehouse reconcile",
        ),
        ui.Card("Set aside", count(set_aside), why="Records that could not be read; they are in no number"),
        ui.Card("Unknown fields", count(unknown.frame.height), why="Sent by the server, not known to this version"),
        ui.Card(
            "Snapshot",
            health_findings.size(page.settings.warehouse),
            note=health_findings.number(page.store),
            why="Size of the published file",
        ),
    ]
)
for each in found:
    if each.severity == "bad":
        st.warning(
            ui.plain(each.remedy, longest=400), title=ui.plain(each.finding, longest=400), icon=":material/warning:"
        )
    else:
        st.info(ui.plain(each.remedy, longest=400), title=ui.plain(each.finding, longest=400), icon=":material/info:")

head = asked_head()
left, right = ui.side_by_side()
with left:
    ui.show_chart(
        course(head.course, "observations", grain=head.grain, **page.span),
        alt=course_words(head.course, "observations", grain=head.grain),
    )
with right:
    if coverage.rows_read:
        chart, words = coverage_chart(covered)
        ui.show_chart(chart, alt=words)
    else:
        ui.empty_state("No traces in this selection", "Widen the period or remove a filter to see what they carry.")

ui.section(
    "Freshness",
    f"How much is stored, and how far each entity was read. {health_findings.usual(timing).capitalize()}",
)
ui.table(
    health.with_checked(entities.frame, state_path, page.timezone, is_demo=page.store.is_demo),
    columns={
        "entity": ui.Column("Entity", pinned=True),
        "stored": ui.Column("Rows", "count"),
        "newest": ui.Column("Newest row", "time"),
        "watermark": ui.Column("Complete up to", "time", help="Everything before has been read without a gap"),
        "checked_until": ui.Column("Looked up to", "time", help="Also by runs that found nothing new"),
        "behind_ms": ui.Column("Behind the clock, s", "seconds", help="Since the moment up to which it was looked at"),
        "family": ui.Column("API family"),
        "project_id": ui.Column("Project"),
    },
    key="health_entities",
    alt="Rows and freshness by entity",
)

ui.section("Sync runs", "Newest first, from state.db beside the warehouse.")
if runs.is_empty():
    ui.empty_state(
        "No runs are recorded here",
        "The sync may run on another machine, or state.db was removed; the next run starts a new one.",
        command="tracehouse status",
    )
else:
    ui.table(
        runs,
        columns={
            "started": ui.Column("Started", "time", pinned=True),
            "status": ui.Column("Status"),
            "duration_s": ui.Column("Took, s", "number"),
            "rows": ui.Column("Rows written", "count", help="Inserted, updated, deleted"),
            "requests": ui.Column("Requests", "count"),
            "retries": ui.Column("Retries", "count"),
            "rate_limit_wait_s": ui.Column("Rate limit, s", "number", help="Time spent waiting for it"),
            "quarantined": ui.Column("Set aside", "count"),
            "snapshot": ui.Column("Snapshot", "count"),
            "error": ui.Column("Error"),
            "run_id": ui.Column("Run id"),
        },
        key="health_runs",
        alt="The last sync runs",
        download_name="sync_runs",
    )

ui.section("Against the server, by day", health_findings.reconciled_words(compared, page.timezone))
if compared.is_empty():
    ui.empty_state(
        "No day was compared yet",
        "This asks the server for its own counts and cost of the last 30 days and names the reason of each difference.",
        command="tracehouse reconcile",
    )
else:
    ui.table(
        compared,
        columns={
            "day": ui.Column("Day (UTC)", pinned=True),
            "state": ui.Column("State", help="explained: it differs for a reason that the next runs settle"),
            "warehouse_count": ui.Column("Rows here", "count"),
            "server_count": ui.Column("Rows there", "count"),
            "warehouse_cost_usd": ui.Column("Cost here, USD", "money"),
            "server_cost_usd": ui.Column("Cost there, USD", "money"),
            "reasons": ui.Column("Why"),
            "project_id": ui.Column("Project"),
        },
        key="health_reconciled",
        alt="Counts and cost by day against the server's own",
        download_name="reconciled",
    )

ui.section(
    "Set aside", "Records that could not be typed, as received. They are in no number until a later version reads them."
)
if aside.frame.is_empty():
    st.success("Every record that was received could be read.", icon=":material/check_circle:")
else:
    ui.table(
        aside.frame,
        columns={
            "quarantined_at": ui.Column("When", "time", pinned=True),
            "entity": ui.Column("Entity"),
            "reason": ui.Column("Reason"),
            "record": ui.Column("Record"),
            "project_id": ui.Column("Project"),
            "run_id": ui.Column("Run id"),
        },
        key="health_quarantine",
        alt="Records that could not be read",
        total=set_aside,
        download_name="quarantine",
    )
    chosen = st.selectbox(
        "Raw record",
        range(aside.frame.height),
        format_func=aside.frame["reason"].to_list().__getitem__,
        index=None,
        placeholder="Choose a record to see it as received",
        key="health_record",
    )
    if chosen is not None:
        long_code(aside.frame["record"][chosen] or "", key="health_record_all", language="json")

if not unknown.frame.is_empty():
    ui.section("Unknown fields", "Sent by the server and not known to this version; kept in the landed pages.")
    ui.table(
        unknown.frame,
        columns={
            "entity": ui.Column("Entity"),
            "field": ui.Column("Field", pinned=True),
            "record_count": ui.Column("Records", "count"),
            "first_run_id": ui.Column("First seen in run"),
            "project_id": ui.Column("Project"),
        },
        key="health_unknown",
        alt="Fields this version does not know",
    )
ui.section("Disk and retention", ui.cached(page, health.retention_words))
ui.table(
    room,
    columns={
        "what": ui.Column("What", pinned=True),
        "size_mb": ui.Column("Size, MB", "number"),
        "limit": ui.Column("Bounds"),
        "remedy": ui.Column("What changes it"),
    },
    key="health_disk",
    alt="Room taken by snapshots and landed pages, and what is free",
)
ui.how_computed(
    {
        "Freshness": entities,
        "Coverage": coverage,
        "Usage and prices": doubtful.answer,
        "Set aside": aside,
        "Volume": head.course,
    },
    notes=[
        "Runs, and what reconcile found, are read in state.db (SQLite) beside the warehouse.",
        "Overdue: the last good run is longer ago than three times the usual gap between runs, at least 15 minutes.",
    ],
)

"""``tracehouse``: the sync's commands and those that read the warehouse, in one program."""

from __future__ import annotations

import sys

from etl.cli import ETL_COMMANDS, ETL_SUMMARIES, make_group, run

COMMANDS = {
    "demo": "app.demo_command:demo",
    **ETL_COMMANDS,
    "sync": "app.sync_command:sync",
    "app": "app.app_command:app",
    "query": "app.query_command:query",
    "sql": "app.sql_command:sql",
    "costs": "app.costs_command:costs",
    "sessions": "app.sessions_command:sessions",
    "session": "app.session_command:session",
    "trace": "app.trace_command:trace",
    "errors": "app.errors_command:errors",
    "error": "app.error_command:error",
    "flows": "app.flows_command:flows",
    "performance": "app.performance_command:performance",
    "scores": "app.scores_command:scores",
    "experiment": "app.experiment_command:experiment",
    "dashboard": "app.dashboard_command:dashboard",
    "report": "app.report_command:report",
    "export": "app.export_command:export",
    "dataset": "app.dataset_command:dataset",
    "alerts": "app.alerts_command:alerts",
}

SUMMARIES = {
    "demo": "Generate traffic, serve it as a Langfuse API, sync it, open the app.",
    **ETL_SUMMARIES,
    "sync": "Read what is new from Langfuse, publish it, look at the alerts.",
    "app": "Open the app in a browser.",
    "query": "Any metric by any dimension, from the layer that the pages use.",
    "sql": "One SELECT of your own on the warehouse, read-only and bounded.",
    "costs": "Where the money goes, why that changed, and what the month will cost.",
    "flows": "Which ways conversations take, where users leave, what precedes escalations.",
    "sessions": "How conversations go, which ones need a look, and groups side by side.",
    "session": "One conversation: turns, cost, satisfaction, outcome.",
    "trace": "One trace: where the time went, where it broke, what was said.",
    "errors": "What breaks, how often, for whom, and what to do about it.",
    "error": "One group of errors: since when, for whom, what it goes with, what to do.",
    "performance": "Which agent is slow, which tool fails, and since when.",
    "scores": "How good the answers are, and whether that changes.",
    "experiment": "An A/B test: whether it can be trusted, and which variant is better.",
    "dashboard": "A dashboard as one HTML file or as JSON; without a name, which ones there are.",
    "report": "What happened in a period, as HTML, Markdown or JSON: for cron, e-mail and print.",
    "export": "Rows as CSV, JSON, JSONL or Parquet; cost rows of FOCUS 1.2.",
    "dataset": "Errors, low scores, a topic or a selection as an evaluation dataset.",
    "alerts": "What fires, what happened, whether channels work, how a rule would have done.",
}


def main() -> None:
    """The console script."""
    group = make_group(
        "tracehouse",
        COMMANDS,
        SUMMARIES,
        "Your LLM traces in a warehouse you own: cost, conversations, errors and A/B results.",
    )
    sys.exit(run(group, sys.argv[1:]))

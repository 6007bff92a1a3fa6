"""What goes with what is counted, shown: a chart of the ratios and a table of every value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.analysis.correlates import rows_with_reading
from app.charts.correlates import correlates_chart
from app.ui.figures import show_chart
from app.ui.tables import Column, table

if TYPE_CHECKING:
    import polars as pl


def show_correlates(compared: pl.DataFrame, *, hit: str, exposed: str, rate: str, alt: str, download_name: str) -> None:
    """Values set against the rest, the surest first.

    Args:
        compared: of ``app.analysis.correlates.set_against_rest``, with at least one row.
        hit: head of the column of units that have it: "Bad scores".
        exposed: head of the column of all units: "Scores".
        rate: head of the column of the share: "Share of bad".
        alt: the table in words.
        download_name: file name of the download without its ending.
    """
    chart, words = correlates_chart(compared)
    show_chart(chart, alt=words)
    table(
        rows_with_reading(compared),
        columns={
            "label": Column("Dimension", pinned=True),
            "value": Column("Value"),
            "reading": Column("Reading", help="Certain: q of at most 5 % (Fisher's test, Benjamini-Hochberg)"),
            "ratio": Column("Times as often", "number", help="Risk ratio"),
            "low": Column("From", "number", help="Low end of its 95 % interval (Katz)"),
            "high": Column("To", "number", help="High end"),
            "rate": Column(rate, "rate"),
            "other_rate": Column("Elsewhere", "rate"),
            "hit": Column(hit, "count"),
            "exposed": Column(exposed, "count"),
            "q": Column("q", "number", help="False discovery rate at which it would be called"),
        },
        key="correlates",
        alt=alt,
        download_name=download_name,
    )

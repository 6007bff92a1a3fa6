"""What pages put on the screen. The names below are all that a page needs."""

from app.cache import ask, cached
from app.ui.cards import Card, kpi_row, metric_cards, missing_fields
from app.ui.correlates import show_correlates
from app.ui.figures import PICK, show_chart
from app.ui.layout import (
    asked_dimension,
    budgets,
    checks,
    choose_dimension,
    choose_part,
    choose_value,
    finding,
    note,
    page_link,
    place,
    search_box,
    section,
    side_by_side,
    step,
    unpriced_note,
)
from app.ui.outcome_rules import try_outcome_rules
from app.ui.page import Page, answer, start
from app.ui.provenance import Provenance, glossary, how_computed
from app.ui.states import empty_state, error_box, guarded, stop_without_rows
from app.ui.tables import Column, FilterBy, OpenHere, OpenPage, open_or_filter, table
from app.ui.text import plain

__all__ = [
    "PICK",
    "Card",
    "Column",
    "FilterBy",
    "OpenHere",
    "OpenPage",
    "Page",
    "Provenance",
    "answer",
    "ask",
    "asked_dimension",
    "budgets",
    "cached",
    "checks",
    "choose_dimension",
    "choose_part",
    "choose_value",
    "empty_state",
    "error_box",
    "finding",
    "glossary",
    "guarded",
    "how_computed",
    "kpi_row",
    "metric_cards",
    "missing_fields",
    "note",
    "open_or_filter",
    "page_link",
    "place",
    "plain",
    "search_box",
    "section",
    "show_chart",
    "show_correlates",
    "side_by_side",
    "start",
    "step",
    "stop_without_rows",
    "table",
    "try_outcome_rules",
    "unpriced_note",
]

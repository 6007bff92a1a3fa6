"""The numbers that somebody chose, side by side. For anyone; reads what each tile names, through the metrics layer."""

from __future__ import annotations

from app import ui
from app.ui.dashboards import show_dashboards

page = ui.start("Dashboards", "The numbers that you chose, side by side.")
show_dashboards(page)

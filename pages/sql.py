"""What the other pages don't answer, in SQL. For analysts; reads the marts through a process of its own."""

from __future__ import annotations

from app import ui
from app.ui.sql_page import show_sql

page = ui.start("SQL", "What the other pages don't answer: read the warehouse in SQL.", has_filters=False)
show_sql(page)

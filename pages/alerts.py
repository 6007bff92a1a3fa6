"""What fires now, since when, and who was told? For people on call. Reads state.db; a rule's detail reads the marts."""

from __future__ import annotations

from app import ui
from app.ui import alert_history, alert_parts
from app.ui.alert_detail import chosen_rule

page = ui.start("Alerts", "What fires now, since when, and who was told?", without_data=alert_parts.sync_alone)
board = alert_parts.read_board(page.settings, page.store)
diary = alert_history.read_period(page)
alert_parts.summary(board)
alert_parts.open_alerts(board)
alert_parts.troubles(board)
alert_parts.rules_table(board)
chosen_rule(page, board, diary)
alert_history.history(board, diary)
alert_history.deliveries(board, diary, page.settings.environ)
alert_parts.configuring(board)
ui.how_computed({}, notes=alert_parts.NOTES)

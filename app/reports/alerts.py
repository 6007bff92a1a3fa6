"""The state of the alert rules for a report, as the last check left it: nothing is looked at anew, nobody is told."""

from __future__ import annotations

from datetime import datetime

from app.alerts.check import last_check
from app.alerts.output import outcome_json
from app.reports.data import Alerts, OpenAlert
from app.store import Store
from etl.settings import Settings


def read_alerts(settings: Settings, store: Store) -> Alerts:
    """What is not in order now, the gravest first.

    Raises:
        ConfigError: two rules have one name.
        WarehouseError: ``state.db`` can't be read.
    """
    outcome = last_check(settings, store)
    if not outcome.states and not outcome.broken:
        return Alerts()
    entries = outcome_json(outcome, settings)["alerts"]
    return Alerts(
        outcome.overall,
        tuple(
            OpenAlert(
                rule=entry["rule"],
                group=entry["group"] or "",
                level=entry["level"],
                since=datetime.fromisoformat(entry["since"].removesuffix("Z")),
                sentence=entry["sentence"],
            )
            for entry in entries
        ),
    )

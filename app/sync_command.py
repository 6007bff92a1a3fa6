"""``tracehouse sync`` as the whole program has it: the sync's own command, and a look of the alerts after each run."""

from __future__ import annotations

from datetime import datetime

from app.query_output import printable
from etl.cli import unexpected
from etl.commands.sync import Afterwards, make_sync
from etl.errors import Locked, TracehouseError
from etl.settings import Settings


def look_at_alerts(settings: Settings, now: datetime) -> Afterwards:
    """Check the alerts. Whatever goes wrong is said and changes nothing about the run."""
    # Imported here so that `--help` costs no engine.
    from app.alerts.check import check  # noqa: PLC0415 - see above
    from app.alerts.output import brief_json, brief_lines  # noqa: PLC0415 - see above

    try:
        outcome = check(settings, now=now)
        lines = [printable(line) for line in brief_lines(outcome, settings)]
        return Afterwards(lines, {"alerts": brief_json(outcome, settings)})
    except Locked as error:
        return _without(str(error.message))
    except TracehouseError as error:
        return _without(str(error))
    # A sync that read everything must not fail for what comes after it; the text could hold values of the data.
    except Exception as error:  # noqa: BLE001 - see above
        return _without(" - ".join(unexpected(error)))


def _without(error: str) -> Afterwards:
    nothing: dict[str, object] = {"overall": None, "firing": 0, "alerts": [], "notices": 0}
    keys = {**nothing, "failed_channels": [], "failed_rules": [], "error": error}
    return Afterwards([f"Alerts were not checked: {error}"], {"alerts": keys})


sync = make_sync(look_at_alerts)

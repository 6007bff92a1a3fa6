"""The checks behind ``tracehouse doctor``. Each looks at one thing, changes nothing and ends in one sentence."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

from etl.budget import PLANS, USUAL_ROW_BYTES, Need, Traffic, need
from etl.errors import ApiError, ConfigError, TracehouseError
from etl.langfuse.capabilities import Capabilities, detect
from etl.langfuse.client import Client
from etl.langfuse.limiter import Limiter
from etl.reread import statement
from etl.settings import Credentials, Settings
from etl.warehouse.snapshots import Warehouse, open_reader

FREE_DISK_WARN_BYTES = 2_000_000_000
FREE_DISK_FAIL_BYTES = 200_000_000
CLOCK_SKEW_WARN_S = 60.0
EXAMPLE = Traffic(observations_per_day=100_000, scores_per_day=5_000)  # before a first sync has told more


@dataclass(frozen=True)
class Check:
    """One line of the report; ``remedy`` is empty when there is nothing to do."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """The line as the JSON shape ``checks[]``."""
        return {"name": self.name, "status": self.status, "detail": self.detail, "remedy": self.remedy}


def run_checks(settings: Settings, *, now: datetime) -> list[Check]:
    """Every check, in the order in which one depends on the one before."""
    checks = [_config(settings), _home(settings), _disk(settings), _warehouse(settings, now)]
    try:
        credentials = settings.credentials()
    except ConfigError as error:
        return [*checks, Check("keys", "fail", error.message, error.hint)]
    for one in credentials:
        checks += _server(one, settings, now)
    return checks


def _config(settings: Settings) -> Check:
    if settings.config_path is None:
        return Check("config", "ok", "no tracehouse.toml; every setting has its default")
    return Check("config", "ok", f"{settings.config_path} is valid")


def _home(settings: Settings) -> Check:
    nearest = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if os.access(nearest, os.W_OK | os.X_OK):
        return Check("home", "ok", str(settings.home))
    return Check("home", "fail", f"{nearest} can't be written", "Give yourself the right, or set TRACEHOUSE_HOME")


def _disk(settings: Settings) -> Check:
    nearest = next(path for path in (settings.warehouse, *settings.warehouse.parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    needed = 2 * _snapshot_bytes(settings.warehouse)
    detail = f"{free / 1e9:.1f} GB free at {nearest}"
    if free < max(FREE_DISK_FAIL_BYTES, needed):
        return Check("disk", "fail", detail, f"A run needs about {max(FREE_DISK_FAIL_BYTES, needed) / 1e9:.1f} GB")
    if free < FREE_DISK_WARN_BYTES:
        return Check("disk", "warn", detail, "Make room before the warehouse grows")
    return Check("disk", "ok", detail)


def _snapshot_bytes(warehouse: Path) -> int:
    current = Warehouse(warehouse).current()
    return current.path.stat().st_size if current else 0


def _warehouse(settings: Settings, now: datetime) -> Check:
    current = Warehouse(settings.warehouse).current()
    if current is None:
        return Check("warehouse", "warn", f"nothing in {settings.warehouse} yet", "Run `tracehouse sync`")
    try:
        with contextlib.closing(open_reader(current.path)) as connection:
            row = connection.execute("select as_of, is_demo from meta.as_of").fetchone()
    except TracehouseError as error:
        return Check("warehouse", "fail", error.message, error.hint)
    if row is None:
        return Check("warehouse", "fail", f"{current.path} has no watermark", "Run `tracehouse sync --full`")
    hours = (now - row[0]).total_seconds() / 3600
    kind = "demo data" if row[1] else "data"
    detail = f"snapshot {current.number}, {kind} until {row[0]:%Y-%m-%d %H:%M} UTC ({hours:.1f} h ago)"
    return Check("warehouse", "ok", detail)


def _server(credentials: Credentials, settings: Settings, now: datetime) -> list[Check]:
    name = f"server {credentials.project_name}"
    timeout_s = min(settings.definitions.sync.timeout_seconds, 15.0)
    with Client(credentials, limiter=Limiter(), timeout_s=timeout_s) as client:
        try:
            found = detect(client, previous=None)
            skew_s = _clock_skew(client, now)
        except ApiError as error:
            return [Check(name, "fail", error.message, error.hint)]
    checks = [Check(name, "ok", f"{credentials.base_url} is {found.version}, project {found.project_name}")]
    checks.append(Check("generation", "ok", _generation_text(found)))
    if found.family == "modern":
        checks.append(_budget(settings, is_cloud=found.is_cloud))
    if skew_s is not None and abs(skew_s) > CLOCK_SKEW_WARN_S:
        remedy = "Set this machine's clock (NTP); rows near now may be read late"
        checks.append(Check("clock", "warn", f"this machine is {skew_s:+.0f} s from the server", remedy))
    elif skew_s is not None:
        checks.append(Check("clock", "ok", f"within {abs(skew_s):.0f} s of the server"))
    return checks


def _budget(settings: Settings, *, is_cloud: bool) -> Check:
    """What a run every ten minutes needs, against each plan of Cloud; the plan itself can't be asked for."""
    traffic = _traffic(settings.warehouse)
    needed = need(traffic or EXAMPLE, settings.definitions.sync)
    rows = f"{(traffic or EXAMPLE).observations_per_day:,.0f} observations a day"
    found = rows if traffic else f"no data yet; at {rows}"
    detail = f"{found}, every 10 min: {needed.average:.0f} requests a run on average, {needed.worst:,} at worst"
    if not is_cloud:
        return Check("request budget", "ok", f"{detail}; a server of your own has no limit")
    detail += "; " + ", ".join(
        f"{plan.name} {plan.general}/min: {_minutes(plan.minutes(needed.worst))}" for plan in PLANS
    )
    return Check("request budget", "ok" if needed.fits(PLANS[0]) else "warn", detail, _budget_remedy(needed))


def _budget_remedy(needed: Need) -> str:
    tight = [plan.name for plan in PLANS if not needed.fits(plan)]
    if not tight:
        return ""
    plans = " and ".join(tight) if len(tight) < len(PLANS) else "every plan"
    return f"On {plans} a run takes longer than 10 min: use --every 30m, or a shorter [sync] lookback_hours"


def _minutes(minutes: float) -> str:
    return f"{max(1, round(60 * minutes))} s" if minutes < 1 else f"{minutes:.0f} min"


def _traffic(warehouse: Path) -> Traffic | None:
    current = Warehouse(warehouse).current()
    if current is None:
        return None
    try:
        with contextlib.closing(open_reader(current.path)) as connection:
            [(observations, scores, row_bytes, models)] = connection.execute(statement("traffic")).fetchall()
    except TracehouseError:
        return None
    return Traffic(observations or 0, scores or 0, row_bytes or USUAL_ROW_BYTES, models) if observations else None


def _generation_text(found: Capabilities) -> str:
    routes = "/v2/observations" if found.family == "modern" else "/traces and /observations"
    return f"{found.family} reads: {routes}, scores from {found.score_route}"


def _clock_skew(client: Client, now: datetime) -> float | None:
    """Seconds by which this machine's clock is ahead of the server's Date header; None when there is none."""
    stamp = client.get("/health", {}).headers.get("date")
    if not stamp:
        return None
    server = parsedate_to_datetime(stamp).replace(tzinfo=None)
    return (now - server).total_seconds()

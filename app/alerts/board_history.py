"""What happened and what was sent, as rows for a page. Times are on the display zone's clock, naive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.alerts.diary import Diary
from app.alerts.ledger import Record
from app.alerts.notice_words import LEVEL_NAMES
from app.alerts.outbox import Tally, Trouble
from app.alerts.output import Happening, plural, told_words, written
from app.alerts.rule import Rule
from app.alerts.rule_words import limit_text
from app.format import number, when
from app.metrics.timezones import to_local
from etl.settings_alerts import ChannelSettings

HAPPENED = {
    "firing": "began to fire",
    "worse": "got worse",
    "better": "got better",
    "recovered": "recovered",
    "repeat": "still so",
    "no_data": "no data",
}
QUIETLY = "not told"
STATUSES = {"sent": "sent", "waiting": "waits", "sending": "being sent", "given_up": "given up"}
NOBODY = "nobody: there was no channel"
SILENT = "nobody: no notice was wanted"


def history_frame(happenings: Sequence[Happening], rules: Mapping[str, Rule], timezone: ZoneInfo) -> pl.DataFrame:
    """One row for each change of level and each repeated notice, newest first.

    Columns: at, level, what, rule, group, value, limit, n, lasted_ms (of what is over), told, snapshot.
    """
    schema: Mapping[str, Any] = {
        "at": pl.Datetime("us"),
        "level": pl.String,
        "what": pl.String,
        "rule": pl.String,
        "group": pl.String,
        "value": pl.String,
        "limit": pl.String,
        "n": pl.Int64,
        "since": pl.Datetime("us"),
        "told": pl.String,
        "snapshot": pl.Int64,
    }
    rows = []
    for each in happenings:
        record = each.record
        rule = rules.get(record.rule)
        rows.append(
            (
                to_local(record.at, timezone),
                LEVEL_NAMES[record.level],
                HAPPENED.get(record.kind or "", QUIETLY),
                record.rule,
                record.group or None,
                written(rule, record.value),
                _limit(rule, record),
                record.n,
                to_local(record.since, timezone),
                told_words(each.deliveries) or (NOBODY if record.notice_id else SILENT),
                record.snapshot,
            )
        )
    return pl.DataFrame(rows, schema=schema, orient="row")


def deliveries_frame(happenings: Sequence[Happening], timezone: ZoneInfo) -> pl.DataFrame:
    """One row for each notice and channel, newest first.

    Columns: began (when the last attempt began), status, channel, level, rule, group, what, at (of the look),
    attempts, duplicate, next_try, error.
    """
    schema: Mapping[str, Any] = {
        "began": pl.Datetime("us"),
        "status": pl.String,
        "channel": pl.String,
        "level": pl.String,
        "rule": pl.String,
        "group": pl.String,
        "what": pl.String,
        "at": pl.Datetime("us"),
        "attempts": pl.Int64,
        "duplicate": pl.Boolean,
        "next_try": pl.Datetime("us"),
        "error": pl.String,
    }
    rows = [
        (
            None if sending.begun_at is None else to_local(sending.begun_at, timezone),
            STATUSES[sending.status],
            sending.channel,
            LEVEL_NAMES[each.record.level],
            each.record.rule,
            each.record.group or None,
            HAPPENED.get(each.record.kind or "", QUIETLY),
            to_local(each.record.at, timezone),
            sending.attempts,
            sending.is_duplicate,
            to_local(sending.next_at, timezone) if sending.status == "waiting" else None,
            sending.error or None,
        )
        for each in happenings
        for sending in each.deliveries
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def channels_frame(
    channels: Sequence[ChannelSettings],
    troubles: Sequence[Trouble],
    diary: Diary,
    environ: Mapping[str, str],
    timezone: ZoneInfo,
) -> pl.DataFrame:
    """Every configured channel.

    Columns: channel, state, waiting, given_up, sent and last_sent (of the period), next_try, error.
    """
    schema: Mapping[str, Any] = {
        "channel": pl.String,
        "state": pl.String,
        "waiting": pl.Int64,
        "given_up": pl.Int64,
        "sent": pl.Int64,
        "last_sent": pl.Datetime("us"),
        "next_try": pl.Datetime("us"),
        "error": pl.String,
    }
    failing = {trouble.channel: trouble for trouble in troubles}
    names = {channel.name: channel for channel in channels}
    rows = []
    for name in [*names, *(name for name in failing if name not in names)]:
        trouble, arrived = failing.get(name), diary.sendings.get((name, "sent"), Tally(0, None))
        state, error = _channel(names.get(name), trouble, environ, arrived=bool(arrived.notices))
        rows.append(
            (
                name,
                state,
                trouble.waiting if trouble else 0,
                trouble.given_up if trouble else 0,
                arrived.notices,
                None if arrived.last is None else to_local(arrived.last, timezone),
                to_local(trouble.next_at, timezone) if trouble and trouble.next_at else None,
                error or None,
            )
        )
    return pl.DataFrame(rows, schema=schema, orient="row")


def trouble_words(trouble: Trouble, timezone: ZoneInfo) -> tuple[str, str]:
    """What a channel owes since when, and what to do about it."""
    waits = f"{plural(trouble.waiting, 'notice')} still to be sent" if trouble.waiting else ""
    lost = f"{plural(trouble.given_up, 'notice')} given up after 3 days" if trouble.given_up else ""
    owed = ", ".join(text for text in (waits, lost) if text)
    again = f" Tried again with the first check from {when(trouble.next_at, timezone)} on." if trouble.next_at else ""
    what = f"Try tracehouse alerts test {trouble.channel}"
    return (
        f"Channel {trouble.channel} fails: {trouble.error}",
        f"{owed}; the oldest is of {when(trouble.since, timezone)}.{again} {what}",
    )


def _channel(
    channel: ChannelSettings | None, trouble: Trouble | None, environ: Mapping[str, str], *, arrived: bool
) -> tuple[str, str]:
    if channel is None:
        return "no longer configured", trouble.error if trouble else ""
    if not channel.enabled:
        return "off", ""
    if trouble is not None:
        return "fails", trouble.error
    if not arrived and not environ.get(channel.url_env, "").strip():
        return "unknown", f"{channel.url_env} is not set where this app runs; the sync may have it"
    return ("works", "") if arrived else ("nothing sent yet", "")


def _limit(rule: Rule | None, record: Record) -> str | None:
    if record.threshold is None:
        return None
    return number(record.threshold) if rule is None else limit_text(rule, record.threshold)

"""Alerts of an installation: its rules over its warehouse, its channels, and what is remembered in its home.

Composes what ``evaluation`` takes from outside. Nothing here decides when anything fires.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.alerts.delivery import Deliver
from app.alerts.diary import Diary
from app.alerts.evaluation import Outcome, WatchedRule, evaluate, last_outcome, preview
from app.alerts.notice import Notice
from app.alerts.output import Happening
from app.alerts.site import Site
from app.store import Store
from etl.errors import WarehouseMissing
from etl.settings import Settings

if TYPE_CHECKING:
    from app.alerts.evaluation import Source


def check(
    settings: Settings, store: Store | None = None, now: datetime | None = None, *, deliver: Deliver | None = None
) -> Outcome:
    """Look at everything since the last check, write it down, tell the channels.

    The same snapshot never makes a second notice; a missed check is caught up with; one that died is gone on with.

    Args:
        settings: places, rules and channels.
        store: the snapshot; by default the current one. Without any, only rules that go by the wall clock look.
        now: wall clock, naive UTC.
        deliver: sends notices to a channel by name; by default through the configured ones.

    Raises:
        ConfigError: two rules have one name.
        Locked: another check is at work.
        WarehouseError: ``state.db`` can't be read or written.
    """
    now = now or datetime.now(UTC).replace(tzinfo=None)
    return evaluate(_source(settings, store), settings.home, now, deliver=deliver or through_channels(settings))


def check_dry(settings: Settings, now: datetime) -> Outcome:
    """How every rule reads now by itself: nothing is remembered, nobody is told."""
    return preview(_source(settings, None), now)


def last_check(settings: Settings, store: Store | None = None, now: datetime | None = None) -> Outcome:
    """How things stand since the last check; nothing is looked at, sent or written.

    Raises:
        ConfigError: two rules have one name.
        WarehouseError: ``state.db`` can't be read.
    """
    now = now or datetime.now(UTC).replace(tzinfo=None)
    return last_outcome(_source(settings, store), settings.home, now)


def happened(settings: Settings, since: datetime, until: datetime, rule: str | None = None) -> list[Happening]:
    """What happened in ``[since, until)`` of event time, newest first, with what became of each notice.

    Raises:
        WarehouseError: ``state.db`` can't be read.
    """
    return Diary(settings, since, until).happenings(rule or "")


def known_rules(settings: Settings) -> Mapping[str, WatchedRule]:
    """The rules that can look, by name."""
    return {rule.name: rule for rule in _source(settings, None).rules()[0]}


def through_channels(settings: Settings) -> Deliver:
    """Sends through the configured channels, each with its own attempts and pauses."""
    # Imported here, because a check that tells nobody needs none of their libraries.
    from app.alerts.channels import find_channel  # noqa: PLC0415 - see above
    from app.alerts.deliver import deliver  # noqa: PLC0415 - see above
    from app.alerts.message import message_for  # noqa: PLC0415 - see above

    def send(channel: str, notices: Sequence[Notice]) -> None:
        deliver(find_channel(settings, channel), message_for(notices, settings))

    return send


def _source(settings: Settings, store: Store | None) -> Source:
    if store is None:
        try:
            store = Store.open(settings)
        except WarehouseMissing:
            return Site(settings, None)
    return Site(settings, store)

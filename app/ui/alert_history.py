"""What alerts did and what was sent, on the Alerts page: whole in numbers, the newest in rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from app.alerts.board_history import STATUSES, channels_frame, deliveries_frame, history_frame
from app.alerts.diary import Diary, read_diary, span_of
from app.alerts.notice_words import LEVEL_NAMES
from app.ui.detail import chosen_in_address, keep_in_address
from app.ui.layout import note, section
from app.ui.states import empty_state
from app.ui.tables import Column, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.alerts.board import Board
    from app.ui.page import Page

MOST = 1000
"""Rows that a table is sent; it says how many there are, and the download has all."""
HISTORY_COLUMNS = {
    "at": Column("When", "time", pinned=True),
    "level": Column("Level"),
    "what": Column("What happened"),
    "rule": Column("Rule"),
    "group": Column("Of", width=140),
    "value": Column("Value"),
    "limit": Column("Limit"),
    "n": Column("n", "count", help="What the value rests on"),
    "told": Column("Told"),
    "since": Column("Since", "time", help="When the level began; of an end, when what is over began"),
    "snapshot": Column("Snapshot", "count"),
}


def read_period(page: Page) -> Diary:
    """What the page's period holds; read anew on every run, since checks write it without a new snapshot.

    Raises:
        WarehouseError: ``state.db`` can't be read.
    """
    since, until = span_of(page.filters.window, datetime.now(UTC).replace(tzinfo=None))
    return read_diary(page.settings, since, until)


def history(board: Board, diary: Diary) -> None:
    """What happened in the period, narrowed by rule and level."""
    section(
        "History", "Every change of level and every repeated notice of the period, newest first. Kept for 400 days."
    )
    if not diary.changed():
        empty_state("Nothing changed in this period", "Choose a longer period in the sidebar, or all of history.")
        return
    rules = {"": "All rules", **{name: name for name in diary.rules}}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rule = _choice("Rule", "history_rule", rules, width=280)
        level = _choice("Level", "history_level", {"": "All levels", **LEVEL_NAMES}, width=180)
    if not diary.changed(rule, level):
        empty_state("Nothing of that in this period", "Choose all rules and all levels, or a longer period.")
        return
    history_table(board, diary, rule, level, key="alert_history", alt="What alerts did, newest first")


def history_table(
    board: Board, diary: Diary, rule: str = "", level: str = "", *, key: str, alt: str, leave_out: Sequence[str] = ()
) -> None:
    """The history as a table: of one rule or level where they are given."""
    table(
        history_frame(diary.happenings(rule, level, MOST), board.rules, board.timezone),
        columns={name: column for name, column in HISTORY_COLUMNS.items() if name not in leave_out},
        key=key,
        alt=alt,
        total=diary.changed(rule, level),
        download_name=key,
        download=lambda: history_frame(diary.happenings(rule, level), board.rules, board.timezone),
    )


def deliveries(board: Board, diary: Diary, environ: Mapping[str, str]) -> None:
    """Where notices go and what became of each."""
    section("Channels and deliveries", "A channel that fails is tried again at each check, for 3 days.")
    if not board.definitions.channel:
        empty_state(
            "Nobody is told: there is no channel",
            "Add a [[channel]] to the configuration, with its address in an environment variable; an example is below.",
        )
    if board.definitions.channel or board.outcome.troubles:
        table(
            channels_frame(board.definitions.channel, board.outcome.troubles, diary, environ, board.timezone),
            columns={
                "channel": Column("Channel", pinned=True),
                "state": Column("State"),
                "waiting": Column("Wait", "count", help="Notices that are still tried"),
                "given_up": Column("Given up", "count", help="In the last 7 days, each after 3 days"),
                "sent": Column("Sent", "count", help="Notices of the period"),
                "last_sent": Column("Last sent", "time"),
                "next_try": Column("Next try", "time", help="With the first check from then on"),
                "error": Column("Why"),
            },
            key="alert_channels",
            alt="Channels and whether they work",
            download_name="alert_channels",
        )
    if not diary.sent():
        if board.definitions.channel:
            note("Nothing was sent in this period.")
        return
    status = _choice("Notices", "status", {"": "All notices", **STATUSES}, width=220)
    if not diary.sent(status):
        empty_state("No notice is in that state", "Choose all notices, or a longer period in the sidebar.")
        return
    table(
        deliveries_frame(diary.deliveries(status, MOST), board.timezone),
        columns={
            "at": Column("About", "time", pinned=True, help="The moment of the look"),
            "channel": Column("Channel"),
            "status": Column("Status"),
            "level": Column("Level"),
            "what": Column("What happened"),
            "rule": Column("Rule"),
            "group": Column("Of", width=140),
            "error": Column("Why not", width=200),
            "began": Column("Tried", "time", help="When the last attempt began"),
            "next_try": Column("Next try", "time", width=140),
            "duplicate": Column("Perhaps twice", "flag", help="An interruption left open whether it had arrived"),
            "attempts": Column("Attempts", "count"),
        },
        key="alert_deliveries",
        alt="Notices by channel, the latest first",
        total=diary.sent(status),
        download_name="alert_deliveries",
        download=lambda: deliveries_frame(diary.deliveries(status), board.timezone),
    )


def _choice(label: str, name: str, options: Mapping[str, str], *, width: int) -> str:
    """One of a few names, kept in the address."""
    chosen_in_address(name, options, "")
    chosen: str = st.selectbox(
        label,
        list(options),
        format_func=options.__getitem__,
        key=name,
        on_change=keep_in_address,
        args=(name, ""),
        width=width,
    )
    return chosen or ""

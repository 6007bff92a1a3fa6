"""Parts of the Alerts page: what is open now, the rules, what happened, what was sent, and what to configure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

from app.alerts.board import (
    Board,
    Standing,
    board_of,
    looked,
    open_states,
    rules_frame,
    stale_words,
    standings,
    standings_frame,
)
from app.alerts.board import answer as answer_of
from app.alerts.board_history import (
    trouble_words,
)
from app.alerts.check import last_check
from app.alerts.examples import CHANNEL, RULE
from app.alerts.notice_words import LEVEL_NAMES
from app.format import count
from app.ui.alert_history import MOST
from app.ui.cards import Card, kpi_row
from app.ui.layout import note, page_link, section
from app.ui.page import answer
from app.ui.states import guarded
from app.ui.tables import Column, OpenHere, table
from app.ui.text import plain
from app.ui.view import view_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.alerts.reading import Level
    from app.store import Store
    from app.ui.page import Page
    from etl.settings import Settings

IN_FULL = 6
"""Open alerts that are shown in full; with more of them a table lists all."""
Colour = Literal["red", "orange", "gray", "green"]
_LEVELS: Mapping[Level, tuple[str, Colour]] = {
    "alert": ("error", "red"),
    "warning": ("warning", "orange"),
    "no_data": ("cloud_off", "gray"),
    "ok": ("check_circle", "green"),
    "unknown": ("help", "gray"),
}
_OVERALL: Mapping[str, tuple[str, Colour]] = {
    "healthy": ("check_circle", "green"),
    "warning": ("warning", "orange"),
    "alert": ("error", "red"),
}
OPEN_COLUMNS = {
    "level": Column("Level", pinned=True),
    "rule": Column("Rule"),
    "group": Column("Of", width=140),
    "value": Column("Value"),
    "limit": Column("Limit"),
    "n": Column("n", "count", help="What the value rests on"),
    "since": Column("Since", "time"),
    "lasted": Column("For"),
    "told": Column("Told"),
}
NOT_LOOKED = "No rule has looked yet"
NOTES = (
    "Shown is what the last check found and wrote into state.db; this page looks at nothing anew and tells nobody.",
    "Rules over the data go by its own time: each moment is looked at once. Rules about the sync go by the clock.",
    "A level holds until a look says otherwise: fewer units than a rule's min_n say nothing.",
    "The period in the sidebar bounds the history, the deliveries and the chart of a rule.",
    "The other filters don't count here: each rule has conditions of its own.",
    "Overall: the gravest level of any group; a rule that can't look or a channel that fails is a warning.",
)


def read_board(settings: Settings, store: Store | None) -> Board:
    """How things stand: read anew on every run, since checks write it without a new snapshot.

    Raises:
        ConfigError: two rules have one name.
        WarehouseError: ``state.db`` can't be read.
    """
    return board_of(last_check(settings, store), settings.definitions, settings.timezone)


def summary(board: Board) -> None:
    """The answer, the overall status, when rules last looked, and the figures."""
    answer(answer_of(board))
    icon, colour = _OVERALL[board.outcome.overall]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if board.looked_at is not None:
            st.badge(f"Overall: {board.outcome.overall}", icon=f":material/{icon}:", color=colour)
        note(looked(board))
    if board.looked_at is None:
        st.code("tracehouse alerts check", language=None)
    elif board.is_stale:
        st.warning(
            "A line of cron with tracehouse sync looks each time it runs.",
            title=plain(stale_words(board)),
            icon=":material/schedule:",
        )
    kpi_row(_cards(board))


def alert_state(page: Page) -> None:
    """One line for another page: what fires, and the way to the Alerts page."""
    with guarded():
        board = read_board(page.settings, page.store)
        icon, colour = _OVERALL[board.outcome.overall] if board.looked_at else _LEVELS["unknown"]
        with st.container(border=True, key="alert_state"):
            text, link = st.columns([6, 1], vertical_alignment="center")
            text.markdown(f":{colour}[:material/{icon}:] **Alerts** · {plain(answer_of(board), longest=400)}")
            with link:
                page_link("alerts", "Open")


def troubles(board: Board) -> None:
    """What keeps rules from looking and channels from telling, a box each."""
    for broken in board.outcome.broken:
        st.warning(
            plain(broken.error, longest=500),
            title=plain(f"Rule {broken.rule} can't look"),
            icon=":material/build:",
        )
    for trouble in board.outcome.troubles:
        what, then = trouble_words(trouble, board.timezone)
        st.warning(plain(then, longest=400), title=plain(what, longest=300), icon=":material/notifications_off:")


def open_alerts(board: Board) -> None:
    """What fires now, each with its numbers and the page that explains it."""
    found = open_states(board)
    if not found:
        return
    section("Now", "The gravest first, then the longest; then what has no data. Each link opens the rule's own window.")
    in_full = found[: IN_FULL if len(found) <= IN_FULL else IN_FULL // 2]
    for number, each in enumerate(standings(board, in_full)):
        _standing(each, f"open_{number}")
    if len(found) > len(in_full):
        table(
            standings_frame(standings(board, found[:MOST])),
            columns=OPEN_COLUMNS,
            key="open_alerts",
            alt="Everything that fires or has no data, the gravest first",
            total=len(found),
            link=OpenHere("rule", "rule", st.query_params.get("rule")),
            download_name="open_alerts",
            download=lambda: standings_frame(standings(board, found)),
        )


def rules_table(board: Board, *, opens: bool = True) -> None:
    """Every rule with what it says and where it stands; where a row ``opens``, it is shown below."""
    section("Rules", "Those that fire first. A rule looks after each sync, by its own window and conditions.")
    table(
        rules_frame(board),
        columns={
            "state": Column("State", pinned=True),
            "rule": Column("Rule", pinned=True),
            "value": Column("Last value", help="Of the gravest group"),
            "condition": Column("Fires when"),
            "metric": Column("Metric", width=260),
            "window": Column("Window", width=130),
            "group": Column("Of", help="The gravest value of its dimension"),
            "n": Column("n", "count", help="What the last value rests on"),
            "firing": Column("Firing", "count", help="Groups in warning or alert"),
            "groups": Column("Groups", "count", help="Values of its dimension that it sees; 1 for a rule without"),
            "looked": Column("Last look", "time", help="The moment that the last look was about"),
            "channels": Column("Told", "list", help="The channels that are told"),
            "origin": Column("Origin"),
            "why": Column("Why it can't look"),
        },
        key="alert_rules",
        alt="Every alert rule, those that fire first",
        link=OpenHere("rule", "rule", st.query_params.get("rule")) if opens else None,
        download_name="alert_rules",
    )


def configuring(board: Board) -> None:
    """How rules and channels are declared; open while there are none."""
    definitions = board.definitions
    is_new = not definitions.alert or not definitions.channel
    with st.expander("Rules and channels of your own", icon=":material/add_alert:", expanded=is_new):
        if not definitions.alert:
            note(
                "No rule is configured: the five that come along are at work. Their limits fit one site and not the "
                "next: select one above and replay it to find yours. A rule of the same name replaces it, and "
                "enabled = false there switches it off."
            )
        note("In tracehouse.toml; the address of a channel is in the environment, since it holds a secret.")
        st.code(RULE, language="toml")
        st.code(CHANNEL, language="toml")


def sync_alone(settings: Settings) -> None:
    """What the page says without a warehouse: the rules that watch the sync are at work all the same."""
    with guarded():
        board = read_board(settings, None)
        summary(board)
        troubles(board)
        open_alerts(board)
        rules_table(board, opens=False)
        configuring(board)


def _cards(board: Board) -> list[Card]:
    outcome = board.outcome
    alerts = {
        "In alert": ("alert", "Groups of rules beyond their alert limit"),
        "In warning": ("warning", "Groups of rules beyond their warning limit only"),
        "No data": ("no_data", "Groups of rules that take a window without units as a state"),
        "Too little to say": (
            "unknown",
            "Groups with fewer units than the rule asks for, or too little history to compare with",
        ),
    }
    has_looked = board.looked_at is not None
    return [
        *(
            Card(label, count(board.groups(level) if has_looked else None), why=why if has_looked else NOT_LOOKED)
            for label, (level, why) in alerts.items()
        ),
        Card("Rules that can't look", count(len(outcome.broken)), why="Each is named on this page with the reason"),
        Card("Channels that fail", count(len(outcome.troubles)), why="They are tried again at each check, for 3 days"),
    ]


def _standing(each: Standing, key: str) -> None:
    """One open alert: level, name, numbers, since when, who was told, and where to look."""
    icon, colour = _LEVELS[each.state.level]
    level = LEVEL_NAMES[each.state.level]
    words = each.words
    facts = [f"since {words.since}", f"seen {words.window}", f"only {words.only}" if words.only else ""]
    facts += [f"told: {each.told}" if each.told else "nobody was told", each.remark]
    with st.container(border=True, key=key):
        text, link = st.columns([6, 1], vertical_alignment="center")
        text.markdown(
            f":{colour}[:material/{icon}:] **{level[:1].upper()}{level[1:]} · {plain(words.name)}**  \n"
            f"{plain(words.sentence, longest=500)}"
        )
        text.caption(plain(" · ".join(fact for fact in facts if fact), longest=800))
        with link:
            lists = {name: [value] if isinstance(value, str) else value for name, value in each.query.items()}
            page_link(each.page, "Explain", view=view_of(lists) if lists else None)

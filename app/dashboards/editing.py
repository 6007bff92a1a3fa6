"""A dashboard while somebody edits it: every change gives a new one, and the ones before are kept to go back to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.dashboards.definitions import check_tile
from etl.errors import ConfigError
from etl.settings_dashboards import DashboardSettings, TileSettings
from etl.settings_funnels import DEFAULT_FUNNEL, FunnelStep

MOST_STEPS_BACK = 50

STARTERS: Mapping[str, TileSettings] = {
    "number": TileSettings("number", metrics=("traces",), width=1),
    "time_series": TileSettings("time_series", metrics=("latency_p95_ms",), width=2),
    "bar": TileSettings("bar", metrics=("tool_calls",), by=("tool_name",), width=2),
    "stacked_bar": TileSettings("stacked_bar", metrics=("cost_usd",), by=("model",), width=2),
    "heat_map": TileSettings("heat_map", metrics=("error_rate",), by=("trace_name",), width=2),
    "table": TileSettings("table", metrics=("traces", "latency_p95_ms", "error_rate", "cost_usd"), by=("trace_name",)),
    "pivot": TileSettings("pivot", metrics=("cost_usd",), by=("trace_name", "model"), width=4),
    "funnel": TileSettings("funnel", width=2),
    "text": TileSettings("text", text="## What this shows", width=4),
    "sql": TileSettings(
        "sql", sql="select name, count(*) as traces\nfrom marts.traces\ngroup by name\norder by traces desc"
    ),
}
"""What a new tile of each type shows, until it is changed."""


@dataclass(frozen=True)
class Draft:
    """A dashboard that is not saved yet.

    Attributes:
        board: as it is now.
        original: the saved one that it takes the place of; empty for one more.
        before: as it was, the latest last.
        saved: as it was when editing began.
    """

    board: DashboardSettings
    original: str = ""
    before: tuple[DashboardSettings, ...] = ()
    saved: DashboardSettings | None = None

    @property
    def is_changed(self) -> bool:
        """Whether there is something to save."""
        return self.board != self.saved

    def changed(self, board: DashboardSettings) -> Draft:
        """With this board; the present one can be gone back to."""
        if board == self.board:
            return self
        return replace(self, board=board, before=(*self.before, self.board)[-MOST_STEPS_BACK:])

    def undone(self) -> Draft:
        """One step back; the same where there is none."""
        if not self.before:
            return self
        return replace(self, board=self.before[-1], before=self.before[:-1])

    def with_tiles(self, tiles: Sequence[TileSettings]) -> Draft:
        """With these tiles."""
        return self.changed(replace(self.board, tiles=tuple(tiles)))

    def added(self, tile: TileSettings) -> Draft:
        """With one more tile at the end."""
        return self.with_tiles([*self.board.tiles, tile])

    def put(self, at: int, tile: TileSettings) -> Draft:
        """With another tile in this place; one past the end is one more."""
        tiles = list(self.board.tiles)
        tiles[at : at + 1] = [tile]
        return self.with_tiles(tiles)

    def duplicated(self, at: int) -> Draft:
        """With this tile twice."""
        tiles = list(self.board.tiles)
        return self.with_tiles([*tiles[: at + 1], *tiles[at:]])

    def deleted(self, at: int) -> Draft:
        """Without this tile."""
        tiles = list(self.board.tiles)
        return self.with_tiles([*tiles[:at], *tiles[at + 1 :]])

    def moved(self, at: int, to: int) -> Draft:
        """With this tile in another place; past an end, it stays there."""
        tiles = list(self.board.tiles)
        tile = tiles.pop(at)
        tiles.insert(max(0, to), tile)
        return self.with_tiles(tiles)


def problem(tile: TileSettings) -> ConfigError | None:
    """Why a tile can't be shown; None where it can."""
    try:
        check_tile(tile)
    except ConfigError as error:
        return error
    return None


def steps_as_text(steps: Sequence[FunnelStep]) -> str:
    """The steps of a funnel, one a line: ``planning: plan*, think*``; the usual ones where there are none."""
    return "\n".join(f"{step.name}: {', '.join(step.match)}" for step in steps or DEFAULT_FUNNEL.steps)


def steps_from_text(text: str) -> tuple[FunnelStep, ...]:
    """What ``steps_as_text`` wrote, or somebody else; a line without a colon is its own pattern."""
    steps = []
    for line in text.splitlines():
        name, colon, patterns = line.partition(":")
        if name.strip():
            match = tuple(each for part in patterns.split(",") if (each := part.strip()))
            steps.append(FunnelStep(name.strip(), match if colon else (name.strip(),)))
    return tuple(steps)

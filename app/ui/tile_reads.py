"""The answers that tiles wait for: all are begun at once, and a slow statement keeps nothing else waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.analysis import costs
from app.cache import ask
from app.dashboards.drawing import COLOURED
from app.dashboards.statements import Statement, StatementRun, begin
from app.dashboards.tiles import Asked, Reply, TileResult, answer, heading, plan
from app.ui.text import plain
from etl.settings_dashboards import TileSettings

if TYPE_CHECKING:
    from app.ui.page import Page

LOOK_EVERY_S = 0.3


@dataclass(frozen=True)
class Read:
    """A tile that is being answered; call it for the answer.

    Attributes:
        asked: the tile with its question, or with what is wrong.
        reply: waits for the answer to the question; None for a text.
        run: of a statement of a person.
    """

    asked: Asked
    reply: Callable[[], Reply] | None = None
    run: StatementRun | None = None

    def __call__(self) -> TileResult:
        """The answer, waited for.

        Raises:
            TracehouseError: the tile means nothing, or its question has no answer.
        """
        if self.asked.error is not None:
            raise self.asked.error
        return TileResult(self.asked.tile, self.reply() if self.reply else None)

    @property
    def is_ready(self) -> bool:
        """Whether it is no statement that still runs."""
        return self.run is None or self.run.wait(0)


def ask_tiles(page: Page, tiles: Sequence[TileSettings]) -> tuple[list[Read], Callable[[], tuple[str, ...]]]:
    """Begin all statements of the tiles at once.

    Returns:
        What each tile waits for; and what gives the models in the order of their colours.
    """
    asked = plan(page.settings, page.store, page.filters, page.comparison, tiles)
    questions = dict.fromkeys(each.question for each in asked if each.question is not None)
    # Statements of people are not among the readers, whom all pages share: they may take long.
    runs = {each: begin(page.store, each) for each in questions if isinstance(each, Statement)}
    replies = {each: ask(page, answer, page.timezone, each) for each in questions if not isinstance(each, Statement)}
    coloured = any(name in COLOURED for tile in tiles for name in tile.by)
    order = ask(page, costs.all_time_order, "model") if coloured else tuple
    reads = []
    for each in asked:
        if isinstance(each.question, Statement):
            run = runs[each.question]
            reads.append(Read(each, run.rows, run))
        else:
            reads.append(Read(each, replies[each.question] if each.question is not None else None))
    return reads, order


def show_as_ready(reads: Sequence[Read], places: Sequence[DeltaGenerator], show: Callable[[int], None]) -> None:
    """Draw every tile in its place; statements of people when they end, and until then for how long they run.

    Args:
        reads: what the tiles wait for.
        places: where each stands.
        show: draws the tile with this number where it is called.
    """
    boxes = [place.empty() if read.run is not None else place for place, read in zip(places, reads, strict=True)]
    waiting = [number for number, read in enumerate(reads) if not read.is_ready]
    _say_how_long(reads, boxes, waiting)
    for number in range(len(reads)):
        if number not in waiting:
            with boxes[number].container(gap="xsmall"):
                show(number)
    # Each look is where Streamlit can end this run, so a click is heard while a statement takes long.
    while waiting:
        for number in [number for number in waiting if reads[number].is_ready]:
            waiting.remove(number)
            with boxes[number].container(gap="xsmall"):
                show(number)
        if waiting:
            _say_how_long(reads, boxes, waiting)
            _wait(reads[waiting[0]])


def _say_how_long(reads: Sequence[Read], boxes: Sequence[DeltaGenerator], waiting: Sequence[int]) -> None:
    for number in waiting:
        run = reads[number].run
        seconds = run.seconds if run is not None else 0
        with boxes[number].container(gap="xsmall"):
            st.markdown(f"**{plain(heading(reads[number].asked.tile))}**")
            st.caption(f"Running for {seconds:.0f} s")


def _wait(read: Read) -> None:
    if read.run is not None:
        read.run.wait(LOOK_EVERY_S)

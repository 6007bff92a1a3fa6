"""The users' words that topics are made of are those that the transcript shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from app.analysis.messages import user_message
from tests.app.test_messages import LOOSE_CASES, USER_CASES

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

# Shapes in which the models take more than the reader: words all the same, for topics.
ONLY_READ_BY_THE_PAGE = {"a thread as text in a key", "broken JSON", "a printed thread", "a thread that was cut off"}


def test_the_models_find_what_the_reader_finds(warehouse: Warehouse) -> None:
    payloads = {case: value if case == "plain text" else json.dumps(value) for case, (value, _) in USER_CASES.items()}
    payloads |= {case: payload for case, (payload, _) in LOOSE_CASES.items()}
    for case, payload in payloads.items():
        warehouse.observe("o", case, session_id=case, input=payload)
    warehouse.model()
    found = {row["trace_id"]: row["words"] for row in warehouse.rows("select trace_id, words from int_user_messages")}
    wanted = {case: message.text for case, payload in payloads.items() if (message := user_message(payload))}
    differing = {case for case in wanted if found[case] != wanted[case]}
    assert differing <= ONLY_READ_BY_THE_PAGE
    assert all(found[case] for case in payloads)


def test_where_the_root_says_nothing_the_first_generation_does(warehouse: Warehouse) -> None:
    call = {"type": "GENERATION", "parent_observation_id": "root", "trace_id": "t"}
    warehouse.observe("root", "t", session_id="s", input=None)
    warehouse.observe("second", **call, start_time=warehouse.at(5), input='[{"role": "user", "content": "later"}]')
    warehouse.observe(
        "first", **call, start_time=warehouse.at(1), input='[{"role": "user", "content": "Where is it?"}]'
    )
    warehouse.model()
    assert warehouse.row("select words, is_new from int_user_messages") == {"words": "Where is it?", "is_new": True}

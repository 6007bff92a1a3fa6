"""Topics: what users write about, the same for the same data, and nearly the same for more of it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import comb
from typing import TYPE_CHECKING, Any

import pytest

from etl.checks import run_checks
from etl.sandbox.agents.words import corpus, customer_facts
from etl.settings import RedactSettings

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

SUBJECTS = tuple((subject, language) for subject in corpus("support")["topics"] for language in ("en", "pt"))
PER_SUBJECT = 40
INSERT = """
    insert into raw.observations by name
    select unnest($1::varchar[]) as trace_id, unnest($2::varchar[]) as session_id, unnest($4::varchar[]) as input,
        unnest($3::timestamp[]) as start_time, unnest($3::timestamp[]) as updated_at,
        'p' as project_id, 'o' as observation_id, 'modern' as family, 'SPAN' as type, 'r1' as run_id,
        true as is_root_observation, false as is_synthetic
"""


def _said(draw: random.Random, subject: str, language: str) -> tuple[str, list[str]]:
    """What a customer of the demo came for on a subject, and what they write, in two messages."""
    facts = customer_facts(draw, language)
    words, general = corpus("support")["topics"][subject][language], corpus("support")["general"][language]
    opener, need, closer = (draw.choice(each) for each in (general["openers"], words["opening"], general["closers"]))
    return need, [f"{opener} {need} {closer}".format_map(facts), draw.choice(words["detail"]).format_map(facts)]


def _world(first: int = 0, last: int = PER_SUBJECT) -> list[tuple[str, str, list[str]]]:
    """Session id, what its user came for, and the user's messages."""
    return [
        (f"{subject}-{language}-{number:02}", *_said(random.Random(number), subject, language))
        for subject, language in SUBJECTS
        for number in range(first, last)
    ]


def _subject(session: str) -> str:
    return session.rpartition("-")[0]


def _write(warehouse: Warehouse, world: Sequence[tuple[str, str, list[str]]]) -> list[str]:
    """Put the sessions in, each message a trace; the traces' ids."""
    rows = []
    for session, _, texts in world:
        for turn, text in enumerate(texts):
            shapes = ([{"role": "user", "content": text}], {"args": [text], "kwargs": {}}, {"query": text}, text)
            shape = shapes[len(text) % len(shapes)]
            given = shape if isinstance(shape, str) else json.dumps(shape)
            rows.append((f"{session}-{turn}", session, warehouse.at(turn), given))
    columns = [list(column) for column in zip(*rows, strict=True)]
    warehouse.connection.execute(INSERT, columns)
    return columns[0]


def _topics(warehouse: Warehouse) -> dict[str, str | None]:
    return {row["session_id"]: row["topic_id"] for row in warehouse.rows("from marts.sessions")}


def _stored(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    names = ("fit", "vocabulary", "centroids", "labels")
    return {name: warehouse.connection.execute(f"from meta.topic_{name} order by all").fetchall() for name in names}


def _purity(found: Sequence[str | None], truth: Sequence[str]) -> float:
    pairs = Counter(zip(found, truth, strict=True))
    return sum(max(n for (topic, _), n in pairs.items() if topic == each) for each in set(found)) / len(truth)


def _adjusted_rand(found: Sequence[str | None], truth: Sequence[str]) -> float:
    """Hubert and Arabie (1985): 1 for the same partition, 0 for one by chance."""
    together = sum(comb(n, 2) for n in Counter(zip(found, truth, strict=True)).values())
    mine, theirs = (sum(comb(n, 2) for n in Counter(each).values()) for each in (found, truth))
    expected = mine * theirs / comb(len(truth), 2)
    return (together - expected) / ((mine + theirs) / 2 - expected)


@pytest.fixture(scope="module")
def planted(open_warehouse: type[Warehouse]) -> Warehouse:
    """The planted subjects, modelled once."""
    warehouse = open_warehouse()
    _write(warehouse, _world())
    warehouse.model()
    return warehouse


def test_topics_follow_the_planted_subjects(planted: Warehouse) -> None:
    found = _topics(planted)
    needs = {session: need for session, need, _ in _world()}
    sessions = sorted(needs)
    named = [found[session] for session in sessions]
    assert _purity(named, [_subject(session) for session in sessions]) >= 0.8
    # within a subject they tell apart what users came for: 4 each
    assert _adjusted_rand(named, [needs[session] for session in sessions]) >= 0.65
    assert len(SUBJECTS) <= len(set(named)) <= 4 * len(SUBJECTS)
    assert run_checks(planted.connection) == []


def test_labels_are_words_of_the_subject(planted: Warehouse) -> None:
    topics = planted.rows("from marts.topics where topic_id <> 'other'")
    labels = [row["label"] for row in topics]
    assert len(set(labels)) == len(labels)
    stop_words = {row["word"] for row in planted.rows("from int_stop_words")}
    words = {word for label in labels for phrase in label.split(" · ") for word in phrase.split() if len(word) > 3}
    assert not words & stop_words
    # as users write them: Portuguese keeps its accents, in labels and not in ids
    assert {"reembolso", "devolução", "fatura"} & words
    assert {"refund", "invoice", "password"} & words
    assert all(row["topic_id"].isascii() and row["terms"] for row in topics)
    assert any(not label.isascii() for label in (term for row in topics for term in row["terms"]))


def test_what_is_said_later_makes_no_topic(warehouse: Warehouse) -> None:
    """How a session ended is in its later words; a topic made of those would explain the ending by itself."""
    ending = ["I want to speak to a person, please", "Get me an agent, a human agent"]
    greeted = ["Olá, bom dia!", "Hello"]
    world = [
        (session, need, [*greeted[: number % 2], *texts[:1], *ending[: number % 3]])
        for number, (session, need, texts) in enumerate(_world())
    ]
    _write(warehouse, world)
    warehouse.model()
    found, stored = _topics(warehouse), _stored(warehouse)
    assert not {"person", "agent", "human"} & {term for term, _ in stored["vocabulary"]}
    only = type(warehouse)()
    _write(only, [(session, need, texts[:1]) for session, need, texts in _world()])
    only.model()
    assert {**_stored(only), "fit": []} == {**stored, "fit": []}
    assert _topics(only) == found


def test_weights_of_a_session_add_up(planted: Warehouse) -> None:
    sums = planted.rows("select session_id, sum(weight) as total from marts.session_topics group by all")
    assert len(sums) == len(_world())
    assert all(row["total"] == pytest.approx(1, abs=1e-5) for row in sums)
    main = "select session_id, arg_max(topic_id, (weight, topic_id)) as topic_id from marts.session_topics group by all"
    assert {row["session_id"]: row["topic_id"] for row in planted.rows(main)} == _topics(planted)


def test_neither_order_nor_threads_nor_parts_matter(
    planted: Warehouse, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.transform.SESSIONS_AT_ONCE", 100)
    world = _world()
    random.Random(5).shuffle(world)
    warehouse.connection.execute("set threads = 4")
    _write(warehouse, world)
    warehouse.model()
    assert _stored(warehouse) == _stored(planted)
    names = ("topics", "session_topics")
    assert [warehouse.digest()[name] for name in names] == [planted.digest()[name] for name in names]


def test_more_data_moves_no_session_and_a_rebuild_changes_nothing(warehouse: Warehouse) -> None:
    _write(warehouse, _world())
    warehouse.model()
    before, stored = _topics(warehouse), _stored(warehouse)
    warehouse.touch(*_write(warehouse, _world(PER_SUBJECT, PER_SUBJECT + 2)))
    warehouse.model()
    after = _topics(warehouse)
    assert {session: after[session] for session in before} == before
    assert None not in after.values()
    assert _stored(warehouse) == stored
    incremental = warehouse.digest()
    warehouse.model(full=True)
    assert warehouse.digest() == incremental


def test_topics_are_fitted_anew_when_sessions_doubled_and_keep_their_ids(warehouse: Warehouse) -> None:
    _write(warehouse, _world(last=PER_SUBJECT // 2))
    warehouse.model()
    before, labels = (
        _topics(warehouse),
        dict(warehouse.connection.execute("select topic_id, label from marts.topics").fetchall()),
    )
    warehouse.touch(*_write(warehouse, _world(PER_SUBJECT // 2, PER_SUBJECT)))
    warehouse.model()
    [fit] = warehouse.rows("from meta.topic_fit")
    assert fit["sessions"] == len(_world())
    after, fresh = (
        _topics(warehouse),
        dict(warehouse.connection.execute("select topic_id, label from marts.topics").fetchall()),
    )
    assert set(labels) & set(fresh) - {"other"}
    assert all(fresh[topic] == label for topic, label in labels.items() if topic in fresh)
    # the world was small, so the second fit tells more apart; what it didn't keeps its place
    moved = sum(after[session] != topic for session, topic in before.items() if topic in fresh)
    assert moved <= 0.25 * len(before)
    incremental = warehouse.digest()
    warehouse.touch()
    warehouse.model()
    assert warehouse.digest() == incremental
    warehouse.model(full=True)
    assert warehouse.digest() == incremental
    assert run_checks(warehouse.connection) == []


def test_topics_come_with_the_thirtieth_session(warehouse: Warehouse) -> None:
    world = _world()[:29]
    _write(warehouse, world)
    warehouse.model()
    assert set(_topics(warehouse).values()) == {None}
    assert warehouse.rows("from marts.topics") == []
    warehouse.touch(*_write(warehouse, _world()[29:31]))
    warehouse.model()
    assert None not in _topics(warehouse).values()
    assert {"other"} < {row["topic_id"] for row in warehouse.rows("from marts.topics")}


def test_what_fits_no_topic_is_other_and_what_says_nothing_has_none(planted: Warehouse, warehouse: Warehouse) -> None:
    strange = [
        ("strange", "", ["Ouvi uma sonata de Beethoven ontem"]),
        ("greeting", "", ["Bom dia, obrigado!"]),
        ("codes", "", ["A-123 x@y.pt https://a.b/c"]),
    ]
    _write(warehouse, [*_world(), *strange])
    warehouse.observe("silent", "silent", session_id="silent", input=None)
    warehouse.observe("again", "again", session_id="again", input='{"resume": true}')
    warehouse.model()
    found = _topics(warehouse)
    assert [found[session] for session in ("strange", "greeting", "codes")] == ["other"] * 3
    assert [found[session] for session in ("silent", "again")] == [None, None]


def test_the_share_of_others_brings_a_new_fit(warehouse: Warehouse) -> None:
    _write(warehouse, _world(last=20))
    warehouse.model()
    labels = {row["topic_id"] for row in warehouse.rows("from marts.topics")}
    wines = ("Douro", "Alentejo", "Bairrada", "Madeira")
    strange = [
        (f"wine-{n}", "", [f"Which {wines[n % 4]} vintage pairs well with grilled octopus dinner"]) for n in range(60)
    ]
    warehouse.touch(*_write(warehouse, strange))
    warehouse.model()
    topics = {row["topic_id"]: row["terms"] for row in warehouse.rows("from marts.topics")}
    assert len(labels & set(topics)) >= 0.7 * len(labels)
    new = {topic for session, topic in _topics(warehouse).items() if session.startswith("wine")}
    assert new.isdisjoint(labels)
    assert any("vintage" in " ".join(topics[str(topic)]) for topic in new)
    incremental = warehouse.digest()
    warehouse.model(full=True)
    assert warehouse.digest() == incremental


def test_other_rules_of_redaction_make_a_new_fit(warehouse: Warehouse) -> None:
    _write(warehouse, _world())
    warehouse.model()
    [before] = warehouse.rows("from meta.topic_fit")
    warehouse.definitions = replace(warehouse.definitions, redact=RedactSettings(patterns=("email",)))
    assert warehouse.model().reason == "changed: [redact], topics"
    [after] = warehouse.rows("from meta.topic_fit")
    assert before["rules"] != after["rules"]


def test_rare_words_are_not_stored(planted: Warehouse) -> None:
    counts = planted.rows("""
        select vocabulary.term, count(distinct session_id) as sessions
        from meta.topic_vocabulary as vocabulary
        inner join int_session_terms as used using (term)
        group by all
    """)
    assert min(row["sessions"] for row in counts) >= 3
    names = {row["term"] for row in planted.rows("from meta.topic_vocabulary")}
    assert not names & {"silva", "santos", "exampl"}


def test_sessions_without_any_shared_word_have_no_topics(warehouse: Warehouse) -> None:
    letters = "bcdfghjklmnpqrstvwxz"
    words = ["".join(pair) * 3 for pair in pairwise(letters * 3)]
    _write(warehouse, [(f"s{n}", "", [f"{words[n]}{n * 'a'}"]) for n in range(40)])
    warehouse.model()
    assert set(_topics(warehouse).values()) == {None}
    assert warehouse.rows("from marts.topics") == []
    incremental = warehouse.digest()
    warehouse.model(full=True)
    assert warehouse.digest() == incremental

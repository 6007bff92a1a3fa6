"""Topics of conversations, without a call to any model: which there are, their names, when they are fitted anew.

What a conversation is about is what its user came for: ``int_session_texts`` holds the opening message. Later words
would make topics of how conversations end, and "escalations by topic" would find themselves.

The fit is stored state (``meta.topic_*``): terms, directions of the topics, labels. The models place every session by
it in SQL, so the same rows get the same topics, run by run and in a full rebuild. It is made

* first when there are 30 sessions,
* again when the sessions have doubled, as long as there were fewer of them than a sample holds (5,000),
* again when the share of recent sessions that fit no topic has risen by 15 points,
* again when the rules of words or of redaction change,

from a sample of 5,000 sessions drawn by a hash of their ids. Topics of an earlier fit that are still there keep id and
label. Every session is placed anew then, in the same run, so nothing is left for a rebuild to change.

An empty warehouse that loads the same rows at once is fitted on that data: each time with the same topics, which may
differ from those of a warehouse that grew, as it keeps the names it got used to.

Terms are words that at least 3 sessions and 2 in 1,000 use; other words are not stored here. Words of different
languages are different terms: a subject that users write about in two languages is two topics, each labelled in its
own.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime
from importlib import resources

import duckdb
import numpy as np

from etl.topic_clusters import Floats, Integers, Uses, alike, clusters, inverse_frequency, telling

VERSION = 2
"""Goes up when the fit gives other topics for the same sample."""

SAMPLE = 5_000
FEWEST_SESSIONS = 30
MOST_TERMS = 2_000
FEWEST_USES, SMALLEST_SHARE, LARGEST_SHARE = 3, 0.002, 0.4
DRIFT = 0.15
STRONGEST = 80
"""Terms kept of each direction; the rest weigh next to nothing."""

SAME = 0.5
"""A topic with at least this cosine to one of the fit before is that one."""

OTHER = "other"
_DOTTED = " · "


def rules_digest(*rules: str) -> str:
    """A fingerprint of what a fit depends on beside the rows."""
    texts = [_statement(name) for name in ("sample_words", "terms", "phrases")]
    return hashlib.sha256("\0".join((str(VERSION), *texts, *rules)).encode()).hexdigest()


def is_outgrown(connection: duckdb.DuckDBPyConnection, rules: str) -> bool:
    """Whether a fit is due by the number of sessions now being modelled, all of them, or by other rules."""
    count = "select count(*) from (select distinct project_id, session_id from int_session_traces)"
    [(sessions,)] = connection.execute(count).fetchall()
    return _is_due(connection, rules, sessions, other_share=None)


def is_outdated(connection: duckdb.DuckDBPyConnection, rules: str, as_of: datetime) -> bool:
    """Whether a fit is due by the sessions as they are modelled."""
    sessions, other_share = _standing(connection, as_of)
    return _is_due(connection, rules, sessions, other_share)


def _is_due(connection: duckdb.DuckDBPyConnection, rules: str, sessions: int, other_share: float | None) -> bool:
    known = connection.execute("select rules, sessions, other_share from meta.topic_fit").fetchall()
    if not known:
        return sessions >= FEWEST_SESSIONS
    [(known_rules, known_sessions, known_share)] = known
    has_grown = known_sessions < SAMPLE and sessions >= 2 * known_sessions
    has_drifted = other_share is not None and known_share is not None and other_share > known_share + DRIFT
    return bool(known_rules != rules or has_grown or has_drifted)


def note_standing(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Keep beside a new fit how much it leaves out, so that a rise shows."""
    _, other_share = _standing(connection, as_of)
    connection.execute("update meta.topic_fit set other_share = $1", [other_share])


def _standing(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> tuple[int, float | None]:
    [row] = connection.execute(_statement("standing"), {"as_of": as_of}).fetchall()
    return row[0], row[1]


def fit(connection: duckdb.DuckDBPyConnection, rules: str, as_of: datetime) -> None:
    """Fit topics on a sample of ``int_session_texts`` and store them in place of those there were.

    With too few texts, or none that share words, there are no topics; that is kept too, until there are more.
    """
    run = connection.execute
    run(f"create or replace temp table sample_words as {_statement('sample_words')}", {"sample": SAMPLE})
    [(sampled,)] = run("select count(distinct number) from sample_words").fetchall()
    [(texts,)] = run("select coalesce(max(number), -1) + 1 from sample_words").fetchall()
    bounds = {"fewest": max(FEWEST_USES, int(SMALLEST_SHARE * sampled)), "terms": MOST_TERMS}
    most = {"most": max(FEWEST_USES, int(LARGEST_SHARE * sampled))}
    run(f"create or replace temp table sample_terms as {_statement('terms')}", {**bounds, **most})
    run(f"create or replace temp table sample_phrases as {_statement('phrases')}", bounds)
    terms = run("select term, shown from sample_terms order by index").fetchall()
    phrases = [phrase for (phrase,) in run("select phrase from sample_phrases order by index").fetchall()]
    uses = _uses(connection, "term_uses", texts, len(terms))
    idf = inverse_frequency(uses)
    labels, directions = clusters(uses, idf)
    count = directions.shape[0]
    names = _named(
        [shown for _, shown in terms],
        telling(uses, labels, count),
        phrases,
        telling(_uses(connection, "phrase_uses", texts, len(phrases)), labels, count),
    )
    _store(connection, [term for term, _ in terms], idf, directions, names)
    [(sessions,)] = run(
        "select count(*) from (select distinct project_id, session_id from int_session_traces)"
    ).fetchall()
    run("delete from meta.topic_fit")
    run("insert into meta.topic_fit values ($1, $2, $3, $4, null)", [rules, as_of, sessions, sampled])
    for table in ("sample_words", "sample_terms", "sample_phrases"):
        run(f"drop table {table}")


def _uses(connection: duckdb.DuckDBPyConnection, name: str, texts: int, terms: int) -> Uses:
    found = connection.execute(_statement(name)).fetchnumpy()
    columns = [np.asarray(found[column], dtype=np.int64) for column in ("number", "index")]
    return Uses(text=columns[0], term=columns[1], texts=texts, terms=terms)


def _named(
    words: list[str], of_words: tuple[Floats, Floats], phrases: list[str], of_phrases: tuple[Floats, Floats]
) -> list[tuple[str, list[str]]]:
    """The label and the most telling terms of each topic; labels are distinct."""
    named: list[tuple[str, list[str]]] = []
    taken: set[str] = set()
    for topic in range(of_words[0].shape[0]):
        ranked = _ranked(words, of_words[0][topic], phrases, of_phrases[0][topic], of_phrases[1][topic])
        terms = _distinct([term for term, _ in ranked], most=8)
        strongest = dict(ranked)
        length = 2 if len(terms) > 2 and strongest[terms[2]] < 0.7 * strongest[terms[0]] else 3  # noqa: PLR2004 - two words, or three of one weight
        while length < len(terms) and _DOTTED.join(terms[:length]) in taken:
            length += 1
        label = _DOTTED.join(terms[:length])
        while label in taken:
            label += "'"
        taken.add(label)
        named.append((label, terms))
    return named


def _ranked(
    words: list[str], of_words: Floats, phrases: list[str], of_phrases: Floats, shares: Floats
) -> list[tuple[str, float]]:
    """Words and phrases of one topic, the most telling first. A phrase that many use says more than its words."""
    best = np.argsort(-of_words, kind="stable")[:16]
    together = [(words[index], float(of_words[index])) for index in best]
    telling_phrases = np.argsort(-of_phrases, kind="stable")[:8]
    together += [(phrases[index], 1.3 * float(of_phrases[index])) for index in telling_phrases if shares[index] >= 0.25]  # noqa: PLR2004 - a quarter of its texts
    return sorted((each for each in together if each[1] > 0), key=lambda each: (-each[1], each[0]))


def _distinct(ranked: list[str], most: int) -> list[str]:
    """The first of them that share no word family."""
    chosen: list[str] = []
    families: set[str] = set()
    for term in ranked:
        own = {_folded(word)[:5] for word in term.split() if len(word) > 2}  # noqa: PLR2004 - 'de' is no word of its own
        if len(chosen) < most and not own & families:
            chosen.append(term)
            families |= own
    return chosen


def _store(
    connection: duckdb.DuckDBPyConnection,
    terms: list[str],
    idf: Floats,
    directions: Floats,
    names: list[tuple[str, list[str]]],
) -> None:
    """Replace the stored topics; those that are there already keep id and label."""
    run = connection.execute
    rounded = [_strongest(direction) for direction in directions]
    fresh = [{terms[index]: weight for index, weight in direction.items()} for direction in rounded]
    kept = _matched(connection, fresh)
    known: dict[str, str] = dict(run("select topic_id, label from meta.topic_labels").fetchall())
    for table in ("topic_vocabulary", "topic_centroids", "topic_labels"):
        run(f"delete from meta.{table}")  # noqa: S608 - constants
    ids: set[str] = set(kept.values()) | {OTHER}
    for topic, (label, telling_terms) in enumerate(names):
        topic_id = kept.get(topic) or _free(_slug(label), ids)
        ids.add(topic_id)
        shown = known[topic_id] if topic in kept else label
        run("insert into meta.topic_labels values ($1, $2, $3)", [topic_id, shown, telling_terms])
        run(
            "insert into meta.topic_centroids select $1, unnest($2::varchar[]), unnest($3::double[])",
            [topic_id, list(fresh[topic]), list(fresh[topic].values())],
        )
    weights = [round(float(weight), 9) for weight in idf]
    if names:
        run("insert into meta.topic_vocabulary select unnest($1::varchar[]), unnest($2::double[])", [terms, weights])


def _strongest(direction: Floats) -> dict[int, float]:
    order: Integers = np.argsort(-direction, kind="stable")[:STRONGEST]
    return {int(index): round(float(direction[index]), 9) for index in order if direction[index] > 0}


def _matched(connection: duckdb.DuckDBPyConnection, fresh: list[dict[str, float]]) -> dict[int, str]:
    """Which new topic is which old one: index to id, the most alike first, each once."""
    rows = connection.execute("select topic_id, term, weight from meta.topic_centroids order by all").fetchall()
    before: dict[str, dict[str, float]] = {}
    for topic_id, term, weight in rows:
        before.setdefault(topic_id, {})[term] = weight
    old = list(before)
    likeness = alike([before[topic_id] for topic_id in old], fresh)
    matched: dict[int, str] = {}
    for place in np.argsort(-likeness, axis=None, kind="stable"):
        row, column = divmod(int(place), max(1, len(fresh)))
        if likeness[row, column] < SAME:
            break
        if column not in matched and old[row] not in matched.values():
            matched[column] = old[row]
    return matched


def _free(wanted: str, taken: set[str]) -> str:
    number, topic_id = 1, wanted
    while topic_id in taken:
        number += 1
        topic_id = f"{wanted}-{number}"
    return topic_id


def _slug(label: str) -> str:
    return re.sub(r"\W+", "-", _folded(label)).strip("-") or "topic"


def _folded(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _statement(name: str) -> str:
    return (resources.files("etl.topics_sql") / f"{name}.sql").read_text(encoding="utf-8")

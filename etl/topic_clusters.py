"""Clusters short texts by their words: spherical k-means over TF-IDF, and labels from the most telling words.

Pure: arrays in, arrays out, the same for the same input. The matrices are sparse and the products run on one thread, so
no library's number of threads changes a digit. scipy is imported when a fit is made, not before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SEED = 20_260_101
RESTARTS = 3
ROUNDS = 40
MOST_CLUSTERS = 60
ALIKE = 0.45
"""Clusters whose directions have at least this cosine are one."""

SMALLEST_SHARE = 0.008
FEWEST_TEXTS = 5
"""A cluster with less is no topic; its texts go to the nearest other one, or to none."""


@dataclass(frozen=True)
class Uses:
    """Which text uses which term: pairs of indices, each once.

    Attributes:
        text: index of the text.
        term: index of the term.
        texts: how many texts there are.
        terms: how many terms there are.
    """

    text: Integers
    term: Integers
    texts: int
    terms: int

    def matrix(self, weights: Floats) -> Any:
        """Texts by terms as a sparse matrix, each use with its term's weight."""
        from scipy.sparse import csr_array  # noqa: PLC0415 - 0.2 s that only a fit pays

        return csr_array((weights[self.term], (self.text, self.term)), shape=(self.texts, self.terms))


def inverse_frequency(uses: Uses) -> Floats:
    """How telling each term is: the logarithm of texts per text that uses it."""
    frequency = np.bincount(uses.term, minlength=uses.terms)
    return np.log(uses.texts / np.maximum(frequency, 1))


def clusters(uses: Uses, idf: Floats) -> tuple[Integers, Floats]:
    """The cluster of each text (-1: uses no term), and the direction of each cluster; larger clusters first.

    Deterministic: the first centres are drawn with a fixed seed, and ties go to the lower index.
    """
    vectors = _directions(uses.matrix(idf))
    is_worded = np.diff(vectors.indptr) > 0
    worded = vectors[np.flatnonzero(is_worded)]
    found = np.full(uses.texts, -1, dtype=np.int64)
    if worded.shape[0] < 2 * FEWEST_TEXTS:
        return found, np.zeros((0, uses.terms))
    wanted = _wanted(worded.shape[0])
    random = np.random.Generator(np.random.PCG64(SEED))
    tries = [_k_means(worded, _first_centres(worded, wanted, random)) for _ in range(RESTARTS)]
    labels, centres, _ = max(tries, key=lambda each: each[2])
    labels, centres = _merged(worded, labels, centres)
    labels, centres = _without_small(worded, labels, centres)
    found[is_worded] = labels
    return found, centres


def _wanted(texts: int) -> int:
    """How many clusters to begin with: rather too many, as those that are alike become one later."""
    return min(MOST_CLUSTERS, max(2, texts // 7), round(1.7 * math.sqrt(texts)))


def _directions(matrix: Any) -> Any:
    """Rows of length 1; empty rows stay empty."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scaled = matrix.tocsr(copy=True)
    scaled.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(scaled.indptr))
    return scaled


def _first_centres(vectors: Any, wanted: int, random: np.random.Generator) -> Floats:
    """k-means++: each further centre is drawn with a chance that grows with its distance from those there are."""
    chosen = [int(random.integers(vectors.shape[0]))]
    nearest = np.zeros(vectors.shape[0])
    while len(chosen) < wanted:
        closeness = np.asarray((vectors @ vectors[[chosen[-1]]].T).todense()).ravel()
        nearest = np.maximum(nearest, closeness)
        distance = np.maximum(0, 1 - nearest) ** 2
        total = distance.sum()
        if total <= 0:
            break
        chosen.append(int(np.searchsorted(np.cumsum(distance), random.random() * total)))
    centres: Floats = np.asarray(vectors[chosen].todense())
    return centres


def _k_means(vectors: Any, centres: Floats) -> tuple[Integers, Floats, float]:
    """The cluster of each row, the directions, and the sum of closenesses that they reach."""
    labels = np.full(vectors.shape[0], -1)
    closeness = vectors @ centres.T
    for _ in range(ROUNDS):
        fresh = closeness.argmax(axis=1)
        if (fresh == labels).all():
            break
        labels = fresh
        centres = _centres(vectors, labels, centres.shape[0])
        closeness = vectors @ centres.T
    return labels, centres, float(closeness.max(axis=1).sum())


def _centres(vectors: Any, labels: Integers, count: int) -> Floats:
    from scipy.sparse import csr_array  # noqa: PLC0415 - as above

    rows = np.arange(labels.size)
    members = csr_array((np.ones(labels.size), (labels, rows)), shape=(count, labels.size))
    sums = np.asarray((members @ vectors).todense())
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    centres: Floats = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
    return centres


def _merged(vectors: Any, labels: Integers, centres: Floats) -> tuple[Integers, Floats]:
    """Two clusters at a time, the most alike first, until no two are alike."""
    while centres.shape[0] > 1:
        alike = np.tril(centres @ centres.T, k=-1)
        second, first = np.unravel_index(int(alike.argmax()), alike.shape)
        if alike[second, first] < ALIKE:
            break
        labels = np.where(labels == second, first, labels)
        labels = np.where(labels > second, labels - 1, labels)
        centres = _centres(vectors, labels, centres.shape[0] - 1)
    return labels, centres


def _without_small(vectors: Any, labels: Integers, centres: Floats) -> tuple[Integers, Floats]:
    """Only clusters of some size, the largest first; texts of the others are placed anew."""
    sizes = np.bincount(labels, minlength=centres.shape[0])
    fewest = max(FEWEST_TEXTS, SMALLEST_SHARE * labels.size)
    order = np.lexsort((np.arange(sizes.size), -sizes))
    kept = centres[[index for index in order if sizes[index] >= fewest]]
    if not kept.shape[0]:
        return np.full(labels.size, -1), kept
    labels, kept, _ = _k_means(vectors, kept)
    return labels, kept


def telling(uses: Uses, labels: Integers, count: int) -> tuple[Floats, Floats]:
    """How telling each term is of each cluster, and which share of the cluster's texts uses it; clusters by terms.

    Telling is the share inside times the logarithm of how much larger it is than over all.
    """
    from scipy.sparse import csr_array  # noqa: PLC0415 - as above

    placed = np.flatnonzero(labels >= 0)
    members = csr_array((np.ones(placed.size), (labels[placed], placed)), shape=(count, uses.texts))
    inside = np.asarray((members @ uses.matrix(np.ones(uses.terms))).todense())
    sizes = np.maximum(np.bincount(labels[placed], minlength=count), 1)[:, None]
    share = inside / sizes
    overall = np.maximum(np.bincount(uses.term, minlength=uses.terms), 1)[None, :] / uses.texts
    with np.errstate(divide="ignore"):
        lift = np.where(share > 0, np.log(np.maximum(share, 1e-12) / overall), 0)
    return share * np.maximum(lift, 0), share


def alike(before: Sequence[dict[str, float]], after: Sequence[dict[str, float]]) -> Floats:
    """The cosine of every earlier direction with every later one; directions as term to weight."""
    return np.array(
        [[sum(weight * new.get(term, 0.0) for term, weight in old.items()) for new in after] for old in before]
    ).reshape(len(before), len(after))

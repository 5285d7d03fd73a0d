"""Rankings: for each record, which of its neighbours are like it, nearest first.

Labels are (n,) int64, one class per record, or (n, K) bool, which labels each record carries. Two
two records match if they have the same class or, with many labels each, share one or both have
none. With many labels the match is graded: shared labels over all labels of the two.

A function whose name ends in _each answers for each query, (q,) float64, from hits (q, c) bool:
column by column the query's c candidates, nearest first. NaN where nothing is like the query.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.ml.vectors import Vectors

Labels = NDArray[np.int64] | NDArray[np.bool_]
Floats = NDArray[np.float64]
Hits = NDArray[np.bool_]
Rows = NDArray[np.int64]

T = TypeVar("T", bound=np.generic)

BLOCK_ROWS = 500
SMALL_BLOCK_ROWS = 50


def rank_hits(vectors: Vectors, labels: Labels, *, groups: Rows | None = None) -> Hits:
    """(n, n - 1) bool: is the neighbour at this rank like the record? Nearest first; equal ones by
    row.

    groups  (n,) int64: others of a record's own group come last and count as not like it

    Raises ValueError for fewer than 2 records.
    """
    hits = np.empty((len(vectors), len(vectors) - 1), bool)
    for rows, order, own in _rank_blocks(vectors, groups):
        hits[rows] = np.take_along_axis(match_labels(labels, rows) & ~own, order, axis=1)
    return hits


def rank_nearest_hits(
    vectors: Vectors, labels: Labels, queries: Rows, depth: int, *, groups: Rows | None = None
) -> Hits:
    """(len(queries), depth) bool: as `ranked_hits`, of these rows alone and no deeper.

    Raises ValueError unless 1 <= depth < n.
    """
    n = len(vectors)
    if not 1 <= depth < n:
        raise ValueError(f"A ranking of {n} records has no depth {depth}.")
    hits = np.empty((len(queries), depth), bool)
    for start in range(0, len(queries), SMALL_BLOCK_ROWS):
        rows = queries[start : start + SMALL_BLOCK_ROWS]
        own = _mark_own_group(groups, rows, n)
        similarities = np.where(own, -np.inf, vectors[rows] @ vectors.T)
        # Below its own group, which counts as not like it: the record itself.
        similarities[np.arange(len(rows)), rows] = np.nan
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :depth]
        is_hit = match_labels(labels, rows) & ~own
        hits[start : start + SMALL_BLOCK_ROWS] = np.take_along_axis(is_hit, order, axis=1)
    return hits


def rank_rows(vectors: Vectors, *, groups: Rows | None = None) -> NDArray[np.int32]:
    """(n, n - 1) int32: the row at this rank; groups and errors as for `ranked_hits`."""
    ranked = np.empty((len(vectors), len(vectors) - 1), np.int32)
    for rows, order, _ in _rank_blocks(vectors, groups):
        ranked[rows] = order
    return ranked


def mark_hits(ranked: NDArray[np.int32], labels: Labels, *, groups: Rows | None = None) -> Hits:
    """Return the hits of rankings that `ranked_rows` made: as `ranked_hits`, without ranking
    again."""
    return _take_ranked(
        ranked,
        lambda rows: match_labels(labels, rows) & ~_mark_own_group(groups, rows, len(ranked)),
    )


def grade_hits(
    ranked: NDArray[np.int32], labels: NDArray[np.bool_], *, groups: Rows | None = None
) -> NDArray[np.float32]:
    """(n, n - 1) float32 in [0, 1]: graded match of each ranked neighbour.

    Source: the Jaccard index of the two sets of labels; two empty sets match.
    """
    return _take_ranked(
        ranked,
        lambda rows: jaccard_index(labels, rows) * ~_mark_own_group(groups, rows, len(ranked)),
    )


def match_labels(labels: Labels, rows: Rows) -> Hits:
    """(len(rows), n) bool: which records are like each of these, themselves included."""
    if labels.ndim == 1:
        return np.asarray(labels[rows][:, None] == labels[None, :])
    return np.asarray(jaccard_index(labels.astype(bool), rows) > 0)


def jaccard_index(labels: NDArray[np.bool_], rows: Rows) -> NDArray[np.float32]:
    """(len(rows), n) float32 in [0, 1]: labels both carry, of the labels that either carries."""
    wide = labels.astype(np.float32)
    carried = wide.sum(axis=1)
    both = wide[rows] @ wide.T
    either = carried[rows][:, None] + carried[None, :] - both
    return np.where(either > 0, both / np.maximum(either, 1), 1.0).astype(np.float32)


def top_k_each(hits: Hits, k: int) -> Floats:
    """Share of the k nearest that are like the query; 0, not NaN, where nothing is.

    A class of no more than k records cannot reach 1 (capped_top_k can): compare encoders at the
    same k, on the same records.
    Source: get_top1k in quaterion.ipynb, which samples 250 queries; here every record is a query.
    """
    return np.asarray(hits[:, :k].mean(axis=1), dtype=np.float64)


def capped_top_k_each(hits: Hits, k: int) -> Floats:
    """Share of the k nearest that are like the query, or of as many as are like it, if fewer."""
    n_reachable = np.minimum(hits.sum(axis=1), k)
    near_enough = np.arange(hits.shape[1])[None, :] < n_reachable[:, None]
    return divide_or_nan((hits & near_enough).sum(axis=1), n_reachable)


def r_precision_each(hits: Hits) -> Floats:
    """Share of the R nearest that are like the query, R being how many there are.

    Source: Manning, Raghavan and Schütze 2008, chapter 8.4.
    """
    return capped_top_k_each(hits, hits.shape[1])


def recall_each(hits: Hits, k: int) -> Floats:
    """Share of all that are like the query that are among its k nearest."""
    return divide_or_nan(hits[:, :k].sum(axis=1), hits.sum(axis=1))


def reciprocal_rank_each(hits: Hits) -> Floats:
    """1 / rank of the first hit."""
    return np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), np.nan)


def average_precision_each(hits: Hits) -> Floats:
    """Share of hits down to the rank of a hit, averaged over the query's hits.

    Source: Manning, Raghavan and Schütze 2008, chapter 8.4.
    """
    ranks = np.arange(1, hits.shape[1] + 1)
    found = np.empty(len(hits))
    for start in range(0, len(hits), BLOCK_ROWS):
        some = hits[start : start + BLOCK_ROWS]
        found[start : start + BLOCK_ROWS] = (some * np.cumsum(some, axis=1) / ranks).sum(axis=1)
    return divide_or_nan(found, hits.sum(axis=1))


def ndcg_each(hits: Hits, k: int) -> Floats:
    """Gain of the k nearest, discounted by log2(rank + 1), over the best possible.

    Source: Järvelin and Kekäläinen 2002.
    """
    discount = _discount(hits.shape[1])
    best = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(hits.sum(axis=1), k)]
    return divide_or_nan(hits[:, :k] @ discount[:k], best)


def graded_ndcg_each(gains: NDArray[np.float32], k: int) -> Floats:
    """As `ndcg_each`, where a neighbour's gain (q, c) is any number in [0, 1]."""
    discount = _discount(gains.shape[1])
    k = min(k, gains.shape[1])
    best = -np.sort(np.partition(-gains, k - 1, axis=1)[:, :k], axis=1) @ discount[:k]
    return divide_or_nan(gains[:, :k] @ discount[:k], best)


def chance_each(hits: Hits) -> Floats:
    """Compute the expected top_k and r_precision of a random ranking: the share that is like it."""
    found = hits.sum(axis=1)
    return np.where(found > 0, found / hits.shape[1], np.nan)


def divide_or_nan(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """part / whole, element by element; NaN where the whole is nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1e-12), np.nan)


def _rank_blocks(vectors: Vectors, groups: Rows | None) -> Iterator[tuple[Rows, Rows, Hits]]:
    """Block by block: these rows, their ranked candidates, and which are of their own group."""
    n = len(vectors)
    if n < 2:
        raise ValueError(f"Ranking needs at least 2 records, not {n}.")
    for start in range(0, n, BLOCK_ROWS):
        rows = np.arange(start, min(start + BLOCK_ROWS, n))
        own = _mark_own_group(groups, rows, n)
        similarities = np.where(own, -np.inf, vectors[rows] @ vectors.T)
        # The record itself goes after everything else, so that cutting the last column removes it.
        similarities[np.arange(len(rows)), rows] = np.nan
        yield rows, np.argsort(-similarities, axis=1, kind="stable")[:, :-1], own


def _mark_own_group(groups: Rows | None, rows: Rows, n: int) -> Hits:
    names = np.arange(n) if groups is None else groups
    return np.asarray(names[rows][:, None] == names[None, :])


def _take_ranked(
    ranked: NDArray[np.int32], compute_rows: Callable[[Rows], NDArray[T]]
) -> NDArray[T]:
    starts = range(0, len(ranked), BLOCK_ROWS)
    blocks = [np.arange(start, min(start + BLOCK_ROWS, len(ranked))) for start in starts]
    found = [np.take_along_axis(compute_rows(rows), ranked[rows], axis=1) for rows in blocks]
    return np.concatenate(found)


def _discount(n: int) -> Floats:
    return np.asarray(1 / np.log2(np.arange(2, n + 2)))

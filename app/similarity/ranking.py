"""Rankings: for each record, which of its neighbours are like it, nearest first.

Labels are (n,) int64, one class per record, or (n, K) bool, which labels each record carries. Two
records are alike if they have the same class; or, with many labels each, if they share one or
neither has any.
"""

import numpy as np
from numpy.typing import NDArray

from app.similarity.vectors import Vectors

Labels = NDArray[np.int64] | NDArray[np.bool_]
Floats = NDArray[np.float64]

AT_ONCE = 500


def ranked_hits(
    vectors: Vectors, labels: Labels, *, groups: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """(n, n - 1) bool: is the neighbour at this rank like the record? Nearest first; equal ones by
    row.

    groups  (n,) int64: others of a record's own group come last and count as not like it

    Raises ValueError for fewer than 2 records.
    """
    n = len(vectors)
    if n < 2:
        raise ValueError(f"Ranking needs at least 2 records, not {n}.")
    names = np.arange(n) if groups is None else groups
    hits = np.empty((n, n - 1), bool)
    for start in range(0, n, AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, n))
        own = names[rows][:, None] == names[None, :]
        similarities = np.where(own, -np.inf, vectors[rows] @ vectors.T)
        # The record itself goes after everything else, so that cutting the last column removes it.
        similarities[np.arange(len(rows)), rows] = np.nan
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :-1]
        hits[rows] = np.take_along_axis(alike(labels, rows) & ~own, order, axis=1)
    return hits


def alike(labels: Labels, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(len(rows), n) bool: which records are like each of these, themselves included."""
    if labels.ndim == 1:
        return np.asarray(labels[rows][:, None] == labels[None, :])
    wide = labels.astype(np.float32)
    none = wide.sum(axis=1) == 0
    return np.asarray((wide[rows] @ wide.T > 0) | (none[rows][:, None] & none[None, :]))


def top_k_each(hits: NDArray[np.bool_], k: int) -> Floats:
    """top_k of each query, (q,)."""
    return np.asarray(hits[:, :k].mean(axis=1), dtype=np.float64)


def r_precision_each(hits: NDArray[np.bool_]) -> Floats:
    """r_precision of each query, (q,); NaN where nothing is like it."""
    total = hits.sum(axis=1)
    near_enough = np.arange(hits.shape[1])[None, :] < total[:, None]
    found = (hits & near_enough).sum(axis=1)
    return np.where(total > 0, found / np.maximum(total, 1), np.nan)


def reciprocal_rank_each(hits: NDArray[np.bool_]) -> Floats:
    """1 / rank of the first hit of each query, (q,); NaN where nothing is like it."""
    return np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), np.nan)


def ndcg_each(hits: NDArray[np.bool_], k: int) -> Floats:
    """ndcg of each query, (q,); NaN where nothing is like it."""
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    gained = hits[:, :k] @ discount[:k]
    best = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(hits.sum(axis=1), k)]
    return np.where(best > 0, gained / np.maximum(best, 1e-12), np.nan)

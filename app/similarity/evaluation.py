"""What a number means: each metric is written here once, and nothing else in the house computes
one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.similarity.ranking import (
    Floats,
    Labels,
    ndcg_each,
    r_precision_each,
    ranked_hits,
    reciprocal_rank_each,
    top_k_each,
)
from app.similarity.vectors import Vectors

N_RESAMPLES = 2000


@dataclass(frozen=True)
class Score:
    """One number with what it was measured on: the mean over n queries, and its 95 % interval."""

    metric: str
    k: int | None
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Raw against tuned, on the same queries with the same k. No scores: it could not be
    measured."""

    raw: tuple[Score, ...]
    tuned: tuple[Score, ...]
    is_better: bool
    sentence: str


def top_k(vectors: Vectors, labels: Labels, k: int) -> float:
    """Share of each record's k nearest neighbours that are like it, on average over all n records.

    vectors  (n, d) float32, rows of length 1, so that a dot product is the cosine
    returns  in [0, 1]; a record is never its own neighbour

    A class with fewer than k + 1 records cannot reach 1.0: compare encoders at the same k, on the
    same records.

    Raises ValueError unless 1 <= k < n.
    Source: get_top1k in quaterion.ipynb, which samples 250 queries; here every record asks.
    """
    if not 1 <= k < len(vectors):
        raise ValueError(f"top_k needs 1 <= k < n, not k = {k} with n = {len(vectors)}.")
    return float(top_k_each(ranked_hits(vectors, labels), k).mean())


def r_precision(vectors: Vectors, labels: Labels) -> float:
    """Share of a record's R nearest neighbours that are like it, R being how many others are; the
    mean.

    Records that nothing else is like are left out. Raises ValueError if that leaves none.
    """
    return _mean(r_precision_each(ranked_hits(vectors, labels)))


def mrr(vectors: Vectors, labels: Labels) -> float:
    """Mean of 1 / rank of the first neighbour that is like the record; left out as in
    r_precision."""
    return _mean(reciprocal_rank_each(ranked_hits(vectors, labels)))


def ndcg(vectors: Vectors, labels: Labels, k: int) -> float:
    """Gain of the k nearest, discounted by log2(rank + 1), over the best possible; left out as in
    r_precision."""
    if not 1 <= k < len(vectors):
        raise ValueError(f"ndcg needs 1 <= k < n, not k = {k} with n = {len(vectors)}.")
    return _mean(ndcg_each(ranked_hits(vectors, labels), k))


def agreement(suggested: NDArray[np.bool_], true: NDArray[np.bool_]) -> Floats:
    """How well suggested labels fit the true ones, row by row, (n,) in [0, 1]; both (n, K) bool.

    2 * shared / (suggested + true), which is 1 or 0 where there is one label each; no labels on
    either side agree.
    """
    total = suggested.sum(axis=1) + true.sum(axis=1)
    shared = 2.0 * (suggested & true).sum(axis=1)
    return np.where(total > 0, shared / np.maximum(total, 1), 1.0)


@dataclass(frozen=True)
class Classification:
    """Suggested against true classes: how often right, and how well the classes fare, each
    counting the same."""

    n: int
    accuracy: float
    macro_f1: float


def classification(true: NDArray[np.int64], suggested: NDArray[np.int64]) -> Classification:
    """Accuracy and macro F1 over all classes that occur on either side. Both (n,) int64.

    Raises ValueError for no records or different lengths.
    """
    if len(true) == 0 or len(true) != len(suggested):
        raise ValueError(
            "Classification needs a suggested class for each true one, and at least one."
        )
    right = true == suggested
    each = []
    for name in np.union1d(true, suggested):
        hits = float((right & (true == name)).sum())
        each.append(2 * hits / float((true == name).sum() + (suggested == name).sum()))
    return Classification(len(true), float(right.mean()), float(np.mean(each)))


def rank_biased_overlap(
    first: NDArray[np.int64], second: NDArray[np.int64], p: float = 0.9
) -> float:
    """How alike two rankings are, in [0, 1]; the top counts most. p is the chance of reading on.

    Extrapolated to unseen ranks from the overlap at the common depth, so that equal lists have 1.0.

    Raises ValueError for an id that a ranking names twice, an empty ranking, or p outside (0, 1).
    Source: Webber, Moffat and Zobel 2010, equation 30 (RBO ext) for lists of the same length.
    """
    depth = min(len(first), len(second))
    if depth == 0 or not 0 < p < 1:
        raise ValueError("Rankings have at least one place, and 0 < p < 1.")
    if len(np.unique(first)) < len(first) or len(np.unique(second)) < len(second):
        raise ValueError("A ranking names an id twice.")
    agreement = [len(np.intersect1d(first[:d], second[:d])) / d for d in range(1, depth + 1)]
    weights = p ** np.arange(1, depth + 1)
    return float((1 - p) / p * (agreement @ weights) + agreement[-1] * p**depth)


def interval(values: Floats, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean, percentile method, 2,000 resamples by seed.

    Raises ValueError for no values.
    """
    if len(values) == 0:
        raise ValueError("An interval needs at least one value.")
    rng = np.random.default_rng(seed)
    means = [float(rng.choice(values, len(values)).mean()) for _ in range(N_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def scored(metric: str, values: Floats, k: int | None = None, seed: int = 0) -> Score:
    """The mean of these per-query values as a Score; NaN values are left out and not counted in
    n."""
    kept = values[~np.isnan(values)]
    low, high = interval(kept, seed)
    return Score(metric, k, len(kept), float(kept.mean()), low, high)


def _mean(values: Floats) -> float:
    if np.isnan(values).all():
        raise ValueError("No record has another that is like it.")
    return float(np.nanmean(values))

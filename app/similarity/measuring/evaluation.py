"""What a number means: each metric is written once, here and in the modules named below, and
nothing else in the house computes one. docs/evaluation.md says it in words, with sources.

    ranking         what one query's neighbours are worth
    overlap         two rankings against each other
    classification  suggested labels against true ones, chances against what came true
    intervals       how far a figure is to be trusted
"""

from dataclasses import dataclass, field

import numpy as np

from app.similarity.measuring.classification import Classification, agreement, classification
from app.similarity.measuring.overlap import rank_biased_overlap
from app.similarity.measuring.queries import KS, Queries
from app.similarity.measuring.ranking import (
    Floats,
    Hits,
    Labels,
    average_precision_each,
    capped_top_k_each,
    ndcg_each,
    r_precision_each,
    ranked_hits,
    recall_each,
    reciprocal_rank_each,
    top_k_each,
)
from app.similarity.vectors import Vectors

# What callers measure with, in one place.
__all__ = [
    "KS", "Classification", "Comparison", "Difference", "Score", "agreement", "capped_top_k",
    "classification", "mean_average_precision", "mrr", "ndcg", "r_precision",
    "rank_biased_overlap", "recall", "top_k",
]  # fmt: skip


@dataclass(frozen=True)
class Score:
    """One number with what it was measured on: the figure over n queries, and its 95 % interval.

    label_id      of that label alone
    suggested_id  of a confusion: the label that was suggested for records of label_id
    chance        what random neighbours would score
    """

    metric: str
    k: int | None
    n: int
    value: float
    low: float
    high: float
    label_id: int | None = None
    suggested_id: int | None = None
    chance: float | None = None


@dataclass(frozen=True)
class Difference:
    """Tuned minus another on the same n queries, pair by pair, with its 95 % interval.

    chance_worse  share of the draws in which tuned was below the other
    """

    metric: str
    against: str
    n: int
    value: float
    low: float
    high: float
    chance_worse: float


@dataclass(frozen=True)
class Comparison:
    """Raw against tuned, on the same queries with the same k. No scores: it could not be
    measured.

    active       scores of the version in use, where it is a tuned one
    differences  tuned against raw, and against the version in use
    queries      what each of them got, where anything was measured
    """

    raw: tuple[Score, ...]
    tuned: tuple[Score, ...]
    is_better: bool
    sentence: str
    active: tuple[Score, ...] = ()
    differences: tuple[Difference, ...] = ()
    queries: Queries | None = field(default=None, compare=False, repr=False)


def top_k(vectors: Vectors, labels: Labels, k: int) -> float:
    """Share of each record's k nearest neighbours that are like it, on average over all n records.

    vectors  (n, d) float32, rows of length 1, so that a dot product is the cosine
    returns  in [0, 1]; a record is never its own neighbour

    A class with fewer than k + 1 records cannot reach 1.0 (`capped_top_k` can): compare encoders at
    the same k, on the same records.

    Raises ValueError unless 1 <= k < n.
    Source: get_top1k in quaterion.ipynb, which samples 250 queries; here every record asks.
    """
    return float(top_k_each(_hits(vectors, labels, k, "top_k"), k).mean())


def capped_top_k(vectors: Vectors, labels: Labels, k: int) -> float:
    """As `top_k`, each record asking for no more neighbours than there are others like it.

    1.0 can be reached by every class; left out as in r_precision, which it is from the k on that
    no class exceeds. Raises ValueError unless 1 <= k < n.
    """
    return _mean(capped_top_k_each(_hits(vectors, labels, k, "capped_top_k"), k))


def r_precision(vectors: Vectors, labels: Labels) -> float:
    """Share of a record's R nearest neighbours that are like it, R being how many others are; the
    mean.

    Records that nothing else is like are left out. Raises ValueError if that leaves none.
    Source: Manning, Raghavan and Schütze 2008, chapter 8.4.
    """
    return _mean(r_precision_each(ranked_hits(vectors, labels)))


def recall(vectors: Vectors, labels: Labels, k: int) -> float:
    """Share of the others like a record that are among its k nearest; left out as in
    r_precision."""
    return _mean(recall_each(_hits(vectors, labels, k, "recall"), k))


def mrr(vectors: Vectors, labels: Labels) -> float:
    """Mean of 1 / rank of the first neighbour that is like the record; left out as in
    r_precision."""
    return _mean(reciprocal_rank_each(ranked_hits(vectors, labels)))


def mean_average_precision(vectors: Vectors, labels: Labels) -> float:
    """Precision at the rank of each neighbour that is like the record, averaged over them, and over
    records; left out as in r_precision. Source: Manning, Raghavan and Schütze 2008, chapter 8.4."""
    return _mean(average_precision_each(ranked_hits(vectors, labels)))


def ndcg(vectors: Vectors, labels: Labels, k: int) -> float:
    """Gain of the k nearest, discounted by log2(rank + 1), over the best possible; left out as in
    r_precision. Source: Järvelin and Kekäläinen 2002."""
    return _mean(ndcg_each(_hits(vectors, labels, k, "ndcg"), k))


def _hits(vectors: Vectors, labels: Labels, k: int, name: str) -> Hits:
    if not 1 <= k < len(vectors):
        raise ValueError(f"{name} needs 1 <= k < n, not k = {k} with n = {len(vectors)}.")
    return ranked_hits(vectors, labels)


def _mean(values: Floats) -> float:
    if np.isnan(values).all():
        raise ValueError("No record has another that is like it.")
    return float(np.nanmean(values))

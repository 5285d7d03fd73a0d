"""Answers: what each example got when it was hidden from training, by one contender.

Decision: an example that several draws hid has the mean of what it got, and counts once; its
suggestions count in parts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.similarity.examples import Examples
from app.similarity.measuring.classification import (
    N_BINS,
    Counts,
    agreement,
    chances_told,
    loss_each,
    misjudged,
)
from app.similarity.measuring.intervals import Resamples
from app.similarity.measuring.queries import KS
from app.similarity.measuring.ranking import (
    Hits,
    average_precision_each,
    capped_top_k_each,
    chance_each,
    gains_in,
    graded_ndcg_each,
    hits_in,
    ndcg_each,
    r_precision_each,
    recall_each,
    reciprocal_rank_each,
    top_k_each,
)

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Key = tuple[str, int | None]
"""A metric and its k."""


@dataclass(frozen=True)
class Reply:
    """What a contender says of q hidden examples.

    ranked     (q, q - 1) int32, each one's neighbours among them, nearest first
    suggested  (q, K) bool
    chances    (q, K) float32, the chance of each label; None if it knows none
    """

    ranked: NDArray[np.int32]
    suggested: NDArray[np.bool_]
    chances: NDArray[np.float32] | None


class Answers:
    """Replies, example by example: each metric (m,), NaN where an example was not asked.

    Read by `app.similarity.measuring.scoring`.
    """

    def __init__(self, examples: Examples, ks: tuple[int, ...]) -> None:
        self.examples, self.ks = examples, ks
        m, n_labels = len(examples), len(examples.label_ids)
        self.suggested = np.zeros((m, n_labels))
        self.right = np.zeros((m, n_labels))
        self.n_asked = np.zeros(m)
        self.missed, self.n_judged = np.zeros((m, N_BINS)), np.zeros((m, N_BINS))
        self.told = np.zeros((m, N_BINS))
        self._sums: dict[Key, Floats] = {}
        self._counts: dict[Key, Floats] = {}

    def add(self, hidden: Rows, reply: Reply) -> None:
        """Take down what these examples, by position, got."""
        known = self.examples.taken(hidden)
        true = known.answers()
        for key, values in self._of_ranking(known, reply).items():
            self.keep(key, hidden, values)
        self.keep(("accuracy", None), hidden, agreement(reply.suggested, true))
        self.suggested[hidden] += reply.suggested
        self.right[hidden] += reply.suggested & true
        self.n_asked[hidden] += 1
        if reply.chances is not None:
            self._judge(hidden, reply.chances, true)

    def keep(self, key: Key, hidden: Rows, values: Floats) -> None:
        """Take down one metric of these examples; NaN values say nothing."""
        asked = ~np.isnan(values)
        self._of(self._sums, key)[hidden[asked]] += values[asked]
        self._of(self._counts, key)[hidden[asked]] += 1

    def measured(self) -> list[Key]:
        """The metrics taken down, in the order in which they came."""
        return [key for key, n in self._counts.items() if n.any()]

    def values(self, key: Key) -> Floats:
        """(m,) the mean of what each example got, NaN where it was not asked."""
        n = self._counts[key]
        return np.where(n > 0, self._sums[key] / np.maximum(n, 1), np.nan)

    def counted(self, draws: Resamples) -> Counts:
        """What precision and recall are made of in each draw: each (1 + draws, K)."""
        true = self.examples.answers() * self.n_asked[:, None]
        return Counts(draws.sums(self.right), draws.sums(self.suggested), draws.sums(true))

    def _of(self, kept: dict[Key, Floats], key: Key) -> Floats:
        return kept.setdefault(key, np.zeros(len(self.examples)))

    def _of_ranking(self, known: Examples, reply: Reply) -> dict[Key, Floats]:
        hits = hits_in(reply.ranked, known.answers_or_classes(), groups=known.groups)
        found = of_hits(hits, tuple(k for k in self.ks if k <= hits.shape[1]))
        if known.targets is not None:
            gains = gains_in(reply.ranked, known.targets, groups=known.groups)
            found["graded_ndcg", None] = graded_ndcg_each(gains, gains.shape[1])
        return found

    def _judge(self, hidden: Rows, chances: NDArray[np.float32], true: NDArray[np.bool_]) -> None:
        is_multi = self.examples.is_multi_label
        self.keep(("loss", None), hidden, loss_each(chances, true, is_multi_label=is_multi))
        missed, n_judged = misjudged(chances, true, is_multi_label=is_multi)
        self.missed[hidden] += missed
        self.n_judged[hidden] += n_judged
        self.told[hidden] += chances_told(chances, true, is_multi_label=is_multi)


def of_hits(hits: Hits, ks: tuple[int, ...]) -> dict[Key, Floats]:
    """Every metric of rankings, for each query (q,).

    A query without a like neighbour says nothing about an encoder, so it is asked no question.
    """
    lonely = ~hits.any(axis=1)
    found: dict[Key, Floats] = {("r_precision", None): r_precision_each(hits)}
    for k in ks:
        found["top_k", k] = np.where(lonely, np.nan, top_k_each(hits, k))
    found["mrr", None] = reciprocal_rank_each(hits)
    found["map", None] = average_precision_each(hits)
    for k in ks:
        found["capped_top_k", k] = capped_top_k_each(hits, k)
        found["ndcg", k] = ndcg_each(hits, k)
        found["recall", k] = recall_each(hits, k)
    found["chance", None] = chance_each(hits)
    return found


def sensible_ks(n_hidden: int, n_alike: int, n_labels: int) -> tuple[int, ...]:
    """At which depths to look, where the smallest part hides n_hidden examples.

    About as many as an example has others like it, 10 at most; then those of KS that some example,
    with n_alike others like it, still has something to find at.
    """
    usual = max(1, min(10, n_hidden // n_labels))
    return tuple(sorted({usual, *(k for k in KS if k <= n_alike and k < n_hidden)}))

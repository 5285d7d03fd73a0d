"""Answers: what each example got when it was hidden from training, by one contender.

Decision: an example that several draws hid has the mean of what it got, and counts once; its
suggestions count in parts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.ml.evaluation.classification import (
    N_BINS,
    MatchCounts,
    bin_calibration_gaps,
    bin_confidences,
    log_loss_each,
    score_agreement,
)
from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.evaluation.per_query import KS
from app.ml.evaluation.ranking import (
    Hits,
    average_precision_each,
    capped_top_k_each,
    chance_each,
    grade_hits,
    graded_ndcg_each,
    mark_hits,
    ndcg_each,
    r_precision_each,
    recall_each,
    reciprocal_rank_each,
    top_k_each,
)
from app.ml.examples import Examples

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
MetricKey = tuple[str, int | None]
"""A metric and its k."""


@dataclass(frozen=True)
class FoldPredictions:
    """Predictions of one version for q held-out examples.

    ranked     (q, q - 1) int32, each one's neighbours among them, nearest first
    suggested  (q, K) bool
    chances    (q, K) float32, the probability of each label; None if unavailable
    """

    ranked: NDArray[np.int32]
    suggested: NDArray[np.bool_]
    probabilities: NDArray[np.float32] | None


class ExampleScores:
    """Replies, example by example: each metric (m,), NaN where an example was not evaluated.

    Read by `app.ml.evaluation.scores`.
    """

    def __init__(self, examples: Examples, ks: tuple[int, ...]) -> None:
        self.examples, self.ks = examples, ks
        m, n_labels = len(examples), len(examples.label_ids)
        self.suggested = np.zeros((m, n_labels))
        self.right = np.zeros((m, n_labels))
        self.n_predictions = np.zeros(m)
        self.calibration_gaps, self.n_judged = np.zeros((m, N_BINS)), np.zeros((m, N_BINS))
        self.confidence_sums = np.zeros((m, N_BINS))
        self._sums: dict[MetricKey, Floats] = {}
        self._counts: dict[MetricKey, Floats] = {}

    def add(self, held_out: Rows, predictions: FoldPredictions) -> None:
        """Take down what these examples, by position, got."""
        known = self.examples.take(held_out)
        true = known.label_matrix()
        for key, values in self._of_ranking(known, predictions).items():
            self.record(key, held_out, values)
        self.record(("accuracy", None), held_out, score_agreement(predictions.suggested, true))
        self.suggested[held_out] += predictions.suggested
        self.right[held_out] += predictions.suggested & true
        self.n_predictions[held_out] += 1
        if predictions.probabilities is not None:
            self._record_probabilities(held_out, predictions.probabilities, true)

    def record(self, key: MetricKey, held_out: Rows, values: Floats) -> None:
        """Add one metric of these examples; NaN values are ignored."""
        is_known = ~np.isnan(values)
        self._of(self._sums, key)[held_out[is_known]] += values[is_known]
        self._of(self._counts, key)[held_out[is_known]] += 1

    def list_metrics(self) -> list[MetricKey]:
        """List the metrics taken down, in the order in which they came."""
        return [key for key, n in self._counts.items() if n.any()]

    def values(self, key: MetricKey) -> Floats:
        """(m,) the mean value of each example, NaN where not evaluated."""
        n = self._counts[key]
        return np.where(n > 0, self._sums[key] / np.maximum(n, 1), np.nan)

    def sum_matches(self, bootstrap: BootstrapSamples) -> MatchCounts:
        """Return what precision and recall are made of in each draw: each (1 + draws, K)."""
        true = self.examples.label_matrix() * self.n_predictions[:, None]
        return MatchCounts(
            bootstrap.sums(self.right), bootstrap.sums(self.suggested), bootstrap.sums(true)
        )

    def _of(self, kept: dict[MetricKey, Floats], key: MetricKey) -> Floats:
        return kept.setdefault(key, np.zeros(len(self.examples)))

    def _of_ranking(self, known: Examples, predictions: FoldPredictions) -> dict[MetricKey, Floats]:
        hits = mark_hits(predictions.ranked, known.metric_labels(), groups=known.groups)
        scores = score_rankings(hits, tuple(k for k in self.ks if k <= hits.shape[1]))
        if known.targets is not None:
            gains = grade_hits(predictions.ranked, known.targets, groups=known.groups)
            scores["graded_ndcg", None] = graded_ndcg_each(gains, gains.shape[1])
        return scores

    def _record_probabilities(
        self, held_out: Rows, probabilities: NDArray[np.float32], true: NDArray[np.bool_]
    ) -> None:
        is_multi = self.examples.is_multi_label
        self.record(
            ("loss", None), held_out, log_loss_each(probabilities, true, is_multi_label=is_multi)
        )
        calibration_gaps, n_judged = bin_calibration_gaps(
            probabilities, true, is_multi_label=is_multi
        )
        self.calibration_gaps[held_out] += calibration_gaps
        self.n_judged[held_out] += n_judged
        self.confidence_sums[held_out] += bin_confidences(
            probabilities, true, is_multi_label=is_multi
        )


def score_rankings(hits: Hits, ks: tuple[int, ...]) -> dict[MetricKey, Floats]:
    """Every metric of rankings, for each query (q,).

    A query without a same-label candidate cannot rank an encoder, so it is left out.
    """
    has_no_match = ~hits.any(axis=1)
    scores: dict[MetricKey, Floats] = {("r_precision", None): r_precision_each(hits)}
    for k in ks:
        scores["top_k", k] = np.where(has_no_match, np.nan, top_k_each(hits, k))
    scores["mrr", None] = reciprocal_rank_each(hits)
    scores["map", None] = average_precision_each(hits)
    for k in ks:
        scores["capped_top_k", k] = capped_top_k_each(hits, k)
        scores["ndcg", k] = ndcg_each(hits, k)
        scores["recall", k] = recall_each(hits, k)
    scores["chance", None] = chance_each(hits)
    return scores


def choose_ks(n_held_out: int, n_alike: int, n_labels: int) -> tuple[int, ...]:
    """At which depths to look, where the smallest part hides n_hidden examples.

    About as many as an example has others like it, 10 at most; then those of KS that some example,
    with n_alike others like it, still has something to find at.
    """
    usual = max(1, min(10, n_held_out // n_labels))
    return tuple(sorted({usual, *(k for k in KS if k <= n_alike and k < n_held_out)}))

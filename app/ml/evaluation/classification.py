"""Classification: suggested labels against true ones, and calibration of the probabilities.

Answers are (q, K) bool, which of K labels each query carries: one each, or any number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.ml.evaluation.ranking import divide_or_nan

LabelMatrix = NDArray[np.bool_]
Floats = NDArray[np.float64]

MIN_PROBABILITY = 1e-3
"""Minimum probability: 0 for a true label would give an infinite loss."""

N_BINS = 10


def score_agreement(suggested: LabelMatrix, true: LabelMatrix) -> Floats:
    """How well suggested labels fit the true ones, row by row, (q,) in [0, 1].

    2 * shared / (suggested + true), which is 1 or 0 where there is one label each; no labels on
    either side agree.
    """
    total = suggested.sum(axis=1) + true.sum(axis=1)
    shared = 2.0 * (suggested & true).sum(axis=1)
    return np.where(total > 0, shared / np.maximum(total, 1), 1.0)


@dataclass(frozen=True)
class MatchCounts:
    """What precision, recall and F1 are made of; each (..., K), of any number of samples at once.

    right      suggested and true
    suggested  suggested at all
    true       true at all
    """

    right: Floats
    suggested: Floats
    true: Floats

    @property
    def precision(self) -> Floats:
        """Of the suggestions of each label, the share that is right; NaN where there are none."""
        return divide_or_nan(self.right, self.suggested)

    @property
    def recall(self) -> Floats:
        """Of the records of each label, the share that got it suggested; NaN without any."""
        return divide_or_nan(self.right, self.true)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of the two: 2 right / (suggested + true); NaN where neither occurs."""
        return divide_or_nan(2 * self.right, self.suggested + self.true)

    def macro(self, each: Floats) -> Floats:
        """(...,): mean over the labels that occur on either side, undefined ones counting 0."""
        occurs = self.suggested + self.true > 0
        total = np.where(occurs, np.nan_to_num(each), 0.0).sum(axis=-1)
        return divide_or_nan(total, occurs.sum(axis=-1))

    def average_by_support(self, each: Floats) -> Floats:
        """Average over the labels, weighted by how many records carry each: (...,)."""
        total = (np.nan_to_num(each) * self.true).sum(axis=-1)
        return divide_or_nan(total, self.true.sum(axis=-1))


def count_matches(suggested: LabelMatrix, true: LabelMatrix) -> MatchCounts:
    """Of one sample: each count (K,)."""
    right = suggested & true
    parts = (right, suggested, true)
    return MatchCounts(*(part.sum(axis=0).astype(np.float64) for part in parts))


def log_loss_each(
    probabilities: NDArray[np.float32], true: LabelMatrix, *, is_multi_label: bool
) -> Floats:
    """Cross-entropy of each query's probabilities (q, K), in nats; with many labels, their mean."""
    clipped = np.clip(probabilities.astype(np.float64), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    if is_multi_label:
        return np.asarray(-np.where(true, np.log(clipped), np.log(1 - clipped)).mean(axis=1))
    return np.asarray(-np.log(np.where(true, clipped, 1.0)).sum(axis=1))


def bin_calibration_gaps(
    probabilities: NDArray[np.float32], true: LabelMatrix, *, is_multi_label: bool
) -> tuple[Floats, Floats]:
    """Contribution of each query to each bin: correct minus probability, and counts; (q, 10).

    Uses the probability of the best label or, with many labels, of every label.
    """
    confidence, is_right = _select_confidences(probabilities, true, is_multi_label)
    return _sum_by_bin(confidence, is_right - confidence), _sum_by_bin(
        confidence, np.ones_like(confidence)
    )


def bin_confidences(
    probabilities: NDArray[np.float32], true: LabelMatrix, *, is_multi_label: bool
) -> Floats:
    """Sum of the probabilities that each query adds to each bin, (q, 10); see `misjudged`."""
    confidence, _ = _select_confidences(probabilities, true, is_multi_label)
    return _sum_by_bin(confidence, confidence)


def _select_confidences(
    probabilities: NDArray[np.float32], true: LabelMatrix, is_multi_label: bool
) -> tuple[Floats, LabelMatrix]:
    """Select the evaluated probabilities, (q, 1) or (q, K), and whether they were correct."""
    if is_multi_label:
        return probabilities.astype(np.float64), true
    best = probabilities.argmax(axis=1)[:, None]
    confidence = np.take_along_axis(probabilities, best, axis=1).astype(np.float64)
    return confidence, np.take_along_axis(true, best, axis=1)


def _sum_by_bin(confidence: Floats, values: Floats) -> Floats:
    bins = np.minimum((confidence * N_BINS).astype(np.int64), N_BINS - 1)
    summed = np.zeros((len(confidence), N_BINS))
    np.add.at(summed, (np.arange(len(confidence))[:, None], bins), values)
    return summed


def expected_calibration_error(calibration_gaps: Floats, n_judged: Floats) -> Floats:
    """Compute the expected calibration error (ECE), in [0, 1].

    missed, n_judged  (..., 10): sums over queries of what `misjudged` gives
    Small samples have a larger error than large ones at random.
    Source: Naeini et al. 2015; Guo et al. 2017: ten bins of equal width.
    """
    return divide_or_nan(np.abs(calibration_gaps).sum(axis=-1), n_judged.sum(axis=-1))

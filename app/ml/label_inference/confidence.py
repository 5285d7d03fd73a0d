"""Say how probable it is that a suggestion is right.

The probabilities that a head learns from are made to tell records apart; with few labels they are
far surer than they are right. What is shown to people is estimated here, from what is known without
a single extra label:

- how many held-out examples are predicted rightly, in all and by predicted label, each shrunk
  towards what is usual while there are few of them;
- how many labeled records the label has: with one or two, little is known about its borders;
- how far the label leads, by the ensemble and by the linear classifier alone.

On average the probabilities are what held-out examples say; the differences between records are
small at first and grow with the number of labels.

Labels that do not exclude each other are only limited by their number of labeled records.

Source: shrinkage of proportions, Efron and Morris 1975; logistic calibration, Platt 1999; Laplace's
rule of succession. The constants were chosen on six data sets and tried on those left out;
benchmarks/calibration.py has the figures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.ml.examples import Examples
from app.ml.heads.numpy_nn import sigmoid

Floats = NDArray[np.float32]

UNLIMITED_BELOW = 0.5
"""Probabilities up to here stay as they are, so that no limit changes which label is suggested."""

MIN_PROBABILITY = 1e-6

PRIOR_EXAMPLES = 25.0
"""As many held-out examples as the limited probabilities count for in the average."""

PRIOR_PREDICTIONS = 7.0
"""As many held-out predictions of a label as the average counts for in its own share."""

LABEL_SHARE_POWER = 1.2
FEW_LABELS_PENALTY = 3.0
LINEAR_MARGIN_WEIGHT = 1.8
LOG_ODDS_WEIGHTS = (0.2, 0.2)
"""How much the ensemble's log-odds count at first, and how much more with many labels."""

MANY_LABELS, SEVERAL_LABELS = 100.0, 5.0
LOG_ODDS_RANGE = (-5.0, 6.0)
CENTRING_STEPS = 12

CAP_POWER = 8.0
"""How sharply probabilities bend below the limit of a label without labeled records; more sharply
with more. At infinity they would be equal there, and the surest of a label in no order."""


@dataclass(frozen=True)
class HeldOutClasses:
    """What was predicted for q held-out examples, and their true classes, (q,) int64 each.

    n_unpredictable counts further examples, whose class no other example carries.
    """

    predicted: NDArray[np.int64]
    true: NDArray[np.int64]
    n_unpredictable: int = 0


def estimate_confidence(
    probabilities: Floats, margins: Floats, held_out: HeldOutClasses, examples: Examples
) -> Floats:
    """Estimate for each record the probability that its likeliest class is right, (n,) float32.

    probabilities  (n, K) float32, summing to 1 by row
    margins        (n,) float32: by how much the linear classifier prefers that class to all others
    """
    suggested = probabilities.argmax(axis=1)
    limits = compute_confidence_limits(examples)
    limited = limit_confidence(probabilities, limits, is_binary=False)
    n_correct = int((held_out.predicted == held_out.true).sum())
    # Of a class with one example, holding it out says nothing about how others of it are predicted.
    n_prior = PRIOR_EXAMPLES + held_out.n_unpredictable
    expected = (n_correct + n_prior * float(limited.max(axis=1).mean())) / (
        len(held_out.true) + n_prior
    )
    expected = float(np.clip(expected, 0.02, 0.99))
    n_labeled = count_labeled(examples)
    by_label = _score_labels(held_out, n_labeled, expected)
    log_odds = np.clip(to_log_odds(probabilities.max(axis=1)), *LOG_ODDS_RANGE)
    first, more = LOG_ODDS_WEIGHTS
    slope = first + more * len(examples) / (len(examples) + MANY_LABELS)
    slopes = slope * n_labeled / (n_labeled + SEVERAL_LABELS)
    scores = by_label[suggested] + slopes[suggested] * (log_odds - log_odds.mean())
    scores = scores + LINEAR_MARGIN_WEIGHT * np.clip(margins, -1, 1)
    return cap_smoothly(_centre(scores, expected), limits[suggested])


def _score_labels(
    held_out: HeldOutClasses, n_labeled: NDArray[np.float64], expected: float
) -> NDArray[np.float64]:
    """Score a suggestion of each label apart from the record itself, in log-odds."""
    n = len(n_labeled)
    is_right = held_out.predicted == held_out.true
    n_predicted = np.bincount(held_out.predicted, minlength=n)
    n_right = np.bincount(held_out.predicted[is_right], minlength=n)
    share = (n_right + PRIOR_PREDICTIONS * expected) / (n_predicted + PRIOR_PREDICTIONS)
    usual = to_log_odds(np.array([expected]))
    return np.asarray(
        LABEL_SHARE_POWER * (to_log_odds(share) - usual) - FEW_LABELS_PENALTY / (n_labeled + 1)
    )


def _centre(scores: NDArray[np.float64], mean: float) -> Floats:
    """Return the probabilities with these log-odds, all shifted so that their mean is this."""
    shift = np.log(mean / (1 - mean)) - scores.mean()
    for _ in range(CENTRING_STEPS):  # Newton's method
        found = 1 / (1 + np.exp(-(scores + shift)))
        shift += (mean - found.mean()) / max(float((found * (1 - found)).mean()), 0.02)
    return sigmoid((scores + shift).astype(np.float32))


def predict_confidence(
    probabilities: Floats, coefficients: Floats, limits: Floats | None
) -> Floats:
    """Return a head's probabilities, (n, K), as sure as they are right.

    coefficients  (K, 2), slope and intercept of each class in the log-odds of the likeliest one
    limits        (K,), see `compute_confidence_limits`; None in heads of older releases
    """
    suggested = probabilities.argmax(axis=1)
    slope, intercept = coefficients[suggested].T
    log_odds = slope * to_log_odds(probabilities.max(axis=1)) + intercept
    confidence = sigmoid(log_odds.astype(np.float32))
    if limits is not None:
        confidence = cap_smoothly(confidence, limits[suggested])
    return replace_confidence(probabilities, confidence)


def replace_confidence(probabilities: Floats, confidence: Floats) -> Floats:
    """Return probabilities, (n, K), in which the likeliest class has this probability, (n,).

    It stays the likeliest, so none falls below an equal share of the classes that have examples;
    the others share the rest as they did, or more evenly where one would get ahead.
    """
    n_classes = int((probabilities > 0).any(axis=0).sum())
    if len(probabilities) == 0 or n_classes < 2:
        shown = probabilities * confidence[:, None]
        n_unknown = max(1, probabilities.shape[1] - n_classes)
        rest = (1 - shown.sum(axis=1, keepdims=True)) / n_unknown
        return np.asarray(np.where(probabilities > 0, shown, rest), dtype=np.float32)
    rows, suggested = np.arange(len(probabilities)), probabilities.argmax(axis=1)
    lead = np.maximum(confidence, 1.001 / n_classes).astype(np.float64)
    others = np.where(probabilities > 0, probabilities.astype(np.float64) + MIN_PROBABILITY, 0)
    others[rows, suggested] = 0
    others /= np.maximum(others.sum(axis=1, keepdims=True), MIN_PROBABILITY)
    even = (probabilities > 0).astype(np.float64)
    even[rows, suggested] = 0
    even /= np.maximum(even.sum(axis=1, keepdims=True), 1)
    most = 0.999 * lead / (1 - lead)
    highest = others.max(axis=1)
    flat = even.max(axis=1)
    mix = np.where(highest > most, (highest - most) / np.maximum(highest - flat, 1e-9), 0)
    mix = np.clip(mix, 0, 1)[:, None]
    shown = (1 - lead)[:, None] * ((1 - mix) * others + mix * even)
    shown[rows, suggested] = lead
    return np.asarray(shown / shown.sum(axis=1, keepdims=True), dtype=np.float32)


def cap_smoothly(confidence: Floats, limits: Floats) -> Floats:
    """Return the probabilities below these limits, (n,) each, in the same order for one limit:
    nearly the same where they are far below, nearly the limit where they are above."""
    within = np.maximum(confidence.astype(np.float64), MIN_PROBABILITY)
    n_labeled = (2 * limits.astype(np.float64) - 1) / np.maximum(1 - limits, MIN_PROBABILITY)
    power = CAP_POWER + 2 * n_labeled
    return np.asarray(within * (1 + (within / limits) ** power) ** (-1 / power), dtype=np.float32)


def count_labeled(examples: Examples) -> NDArray[np.float64]:
    """Count the labeled records of each label by weight, (K,)."""
    return np.asarray(
        (examples.label_matrix() * examples.weights[:, None]).sum(axis=0), dtype=np.float64
    )


def compute_confidence_limits(examples: Examples) -> Floats:
    """Return the highest probability that may be shown for each label, (K,) float32.

    With n labeled records it is (n + 1) / (n + 2), Laplace's rule of succession: the
    probability that the next record has the label if n records in a row had it. So one labeled
    record never leads to "99 %".
    """
    n = count_labeled(examples)
    return np.asarray((n + 1) / (n + 2), dtype=np.float32)


def limit_confidence(probabilities: Floats, limits: Floats, *, is_binary: bool) -> Floats:
    """Return probabilities, (n, K), squeezed below each label's limit, in the same order.

    What lies above one half is squeezed in proportion, so that 1 becomes the limit; of classes that
    exclude each other, the others share what is left as they did.
    """
    room = np.maximum(limits - UNLIMITED_BELOW, 0) / (1 - UNLIMITED_BELOW)
    squeezed = np.where(
        probabilities > UNLIMITED_BELOW,
        UNLIMITED_BELOW + room * (probabilities - UNLIMITED_BELOW),
        probabilities,
    )
    if is_binary or probabilities.shape[1] < 2:
        return np.asarray(squeezed, dtype=np.float32)
    freed = (probabilities - squeezed).sum(axis=1, keepdims=True)
    others = np.where(
        probabilities > UNLIMITED_BELOW, 0, probabilities + np.float32(MIN_PROBABILITY)
    )
    others /= np.maximum(others.sum(axis=1, keepdims=True), MIN_PROBABILITY)
    return np.asarray(squeezed + freed * others, dtype=np.float32)


def to_log_odds(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log(p / (1 - p)), finite for 0 and 1 too."""
    within = np.clip(probabilities.astype(np.float64), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(within / (1 - within)))

"""The head that repeats soft labels: learned, then calibrated. Cheap to import."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.ml.examples import Examples, Report
from app.ml.heads.head import EvidenceHead, Floats
from app.ml.label_inference.calibration import fit_temperature
from app.ml.label_inference.confidence import to_log_odds
from app.ml.label_inference.infer import InferredLabels
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors

LEAST_REACH = 0.25

MAX_CALIBRATION_ROWS = 5_000

PULL_TO_OVERALL = 5.0
"""As much as about this many records of a label count for."""

NEWTON_STEPS = 25


def learn_evidence_head(
    rows: Vectors,
    soft: NDArray[np.float32],
    examples: Examples,
    recipe: Recipe,
    report: Report,
) -> EvidenceHead:
    """Train a head on these soft labels, (n, K), not yet calibrated. Loads torch."""
    # Loaded here: pages import Recipe from this module and must not pay for torch.
    from app.ml.heads.evidence_mlp import learn_evidence

    return learn_evidence(rows, soft, examples, recipe, report)


def calibrate(head: EvidenceHead, rows: Vectors, labels: InferredLabels) -> EvidenceHead:
    """Return the head as confident on average as the probabilities it learned from, with
    suggestions as sure as the inferred ones."""
    sampled = np.linspace(0, len(rows) - 1, min(len(rows), MAX_CALIBRATION_ROWS)).astype(np.int64)
    logits = head.logits(rows[sampled])
    temperature = fit_temperature(
        logits, labels.probabilities[sampled], is_binary=head.is_multi_label
    )
    calibrated = replace(head, temperature=temperature)
    probabilities = calibrated.probabilities(logits)
    centre = probabilities.mean(axis=0)
    return replace(
        calibrated,
        centre=centre,
        reach=compute_reach(probabilities - centre),
        confidence=None
        if head.is_multi_label
        else fit_confidence(probabilities, labels.suggestions[sampled]),
    )


def fit_confidence(probabilities: Floats, suggestions: Floats) -> Floats:
    """Fit how sure suggestions of each label are, by how probable the head finds it.

    probabilities  (n, K), the head's own
    suggestions    (n, K), as sure as they are right, of the same records

    Returns slope and intercept of the log-odds of each label, (K, 2): logistic regression of the
    suggestions of each label, drawn towards the one fit for all of them.
    """
    suggested = probabilities.argmax(axis=1)
    rows = np.arange(len(suggested))
    log_odds = to_log_odds(probabilities.max(axis=1))
    targets = suggestions[rows, suggested].astype(np.float64)
    overall = _fit_logistic(log_odds, targets, np.array([1.0, 0.0]), 1.0)
    fits = [
        _fit_logistic(
            log_odds[suggested == label], targets[suggested == label], overall, PULL_TO_OVERALL
        )
        for label in range(probabilities.shape[1])
    ]
    return np.asarray(fits, dtype=np.float32)


def _fit_logistic(
    log_odds: NDArray[np.float64],
    targets: NDArray[np.float64],
    prior: NDArray[np.float64],
    pull: float,
) -> NDArray[np.float64]:
    """Fit slope and intercept by Newton's method, drawn towards a prior; the slope is at least 0,
    so that a surer head never makes a suggestion less sure."""
    inputs = np.stack([log_odds, np.ones_like(log_odds)], axis=1)
    fit = prior.copy()
    for _ in range(NEWTON_STEPS):
        found = 1 / (1 + np.exp(-(inputs @ fit)))
        gradient = inputs.T @ (targets - found) - pull * (fit - prior)
        curvature = (inputs.T * (found * (1 - found))) @ inputs + pull * np.eye(2)
        fit = fit + np.clip(np.linalg.solve(curvature, gradient), -1, 1)
        fit[0] = max(fit[0], 0.0)
    return fit


def compute_reach(evidence: Floats) -> float:
    """|e|^2 of the surest rows of (n, K); not less than LEAST_REACH, so that where nothing is
    sure, nothing passes for it."""
    return max(LEAST_REACH, float((evidence**2).sum(axis=1).max(initial=0)))

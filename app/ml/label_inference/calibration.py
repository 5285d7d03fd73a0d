"""Calibration of label probabilities for unlabeled records."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.examples import Examples
from app.ml.folds import make_folds
from app.ml.heads.numpy_nn import sigmoid, softmax
from app.ml.label_inference.soft_labels import Targets, infer_soft_labels
from app.ml.recipe import Recipe

TEMPERATURES = np.geomspace(0.25, 32.0, 57).astype(np.float32)
USUAL_TEMPERATURE = 4.0
"""Default with few examples: soft labels are sharpened to be learned, and more confident than they
are right."""

N_FOLDS = 5
MIN_PROBABILITY = 1e-3


def calibrate_soft_labels(
    soft: NDArray[np.float32],
    graph: sp.csr_matrix,
    examples: Examples,
    targets: Targets,
    recipe: Recipe,
) -> NDArray[np.float32]:
    """Compute calibrated soft labels from multi-label examples, (n, K).

    Each fold of the examples is held out in turn and predicted from the others. The logits are
    divided by the temperature that fits the true labels best, or by the default with too few
    groups.
    """
    logits, answers = _predict_held_out(graph, examples, targets, recipe)
    temperature = fit_temperature(logits, answers, is_binary=True, usual=USUAL_TEMPERATURE)
    return sigmoid(_to_logits(soft) / np.float32(temperature))


def fit_temperature(
    logits: NDArray[np.float32],
    targets: NDArray[np.float32],
    *,
    is_binary: bool,
    usual: float | None = None,
) -> float:
    """Return the temperature at which softmax(logits / t), or sigmoid, fits the targets best, by
    cross-entropy.

    logits, targets  (n, K) float32
    usual            pulls the choice towards itself, as strongly as about ten rows would

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks.
    """
    losses = [_loss(logits / t, targets, is_binary) for t in TEMPERATURES]
    if usual is not None:
        losses = [
            loss + 2.0 * float(np.log(t / usual)) ** 2
            for loss, t in zip(losses, TEMPERATURES, strict=True)
        ]
    return float(TEMPERATURES[int(np.argmin(losses))])


def _loss(logits: NDArray[np.float32], targets: NDArray[np.float32], is_binary: bool) -> float:
    probabilities = sigmoid(logits) if is_binary else softmax(logits)
    # A probability of 0 for a true label would dominate the loss, so nothing is held to be
    # impossible.
    probabilities = np.clip(probabilities, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    loss = -(targets * np.log(probabilities)).sum()
    if is_binary:
        loss -= ((1 - targets) * np.log(1 - probabilities)).sum()
    return float(loss)


def _predict_held_out(
    graph: sp.csr_matrix, examples: Examples, targets: Targets, recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the logits of each held-out example from the other folds, and its true labels: both
    (m', K)."""
    n_labels = len(examples.label_ids)
    logits, answers = [np.empty((0, n_labels), np.float32)], [np.empty((0, n_labels), np.float32)]
    for train, held_out in make_folds(examples, N_FOLDS, recipe.seed):
        soft = infer_soft_labels(graph, examples.take(train), targets[train], recipe)
        logits.append(_to_logits(soft[examples.rows[held_out]]))
        answers.append(targets[held_out].astype(np.float32))
    return np.concatenate(logits), np.concatenate(answers)


def _to_logits(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    within = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(within) - np.log(1 - within), dtype=np.float32)

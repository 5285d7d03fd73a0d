"""Calibration: how far to trust what labels say about records that nobody has labeled."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.activations import sigmoid, softmax
from app.similarity.examples import Examples
from app.similarity.folds import folds
from app.similarity.recipe import Recipe
from app.similarity.soft_labels import Targets, soft_labels

TEMPERATURES = np.geomspace(0.25, 32.0, 57).astype(np.float32)
USUAL_TEMPERATURE = 4.0
"""Where few examples leave it open: soft labels are sharpened to be learned, and surer than they
are right."""

N_FOLDS = 5
LEAST_CHANCE = 1e-3


def trusted(
    soft: NDArray[np.float32],
    graph: sp.csr_matrix,
    examples: Examples,
    targets: Targets,
    recipe: Recipe,
) -> NDArray[np.float32]:
    """Soft labels of examples that may carry several, only as sure as they are right: (n, K).

    Each fold of the examples is hidden in turn, and asked what the others say about it. The
    temperature that fits their true labels best divides the logits. With too few groups to hide
    any, it is the usual one.
    """
    logits, answers = _said_of_hidden(graph, examples, targets, recipe)
    temperature = best_temperature(logits, answers, is_binary=True, usual=USUAL_TEMPERATURE)
    return sigmoid(_logits(soft) / np.float32(temperature))


def best_temperature(
    logits: NDArray[np.float32],
    targets: NDArray[np.float32],
    *,
    is_binary: bool,
    usual: float | None = None,
) -> float:
    """The temperature at which softmax(logits / t), or sigmoid, fits the targets best, by
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
    chances = sigmoid(logits) if is_binary else softmax(logits)
    # A chance of 0 for what is true would count for everything, so nothing is held to be
    # impossible.
    chances = np.clip(chances, LEAST_CHANCE, 1 - LEAST_CHANCE)
    loss = -(targets * np.log(chances)).sum()
    if is_binary:
        loss -= ((1 - targets) * np.log(1 - chances)).sum()
    return float(loss)


def _said_of_hidden(
    graph: sp.csr_matrix, examples: Examples, targets: Targets, recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the other folds say about each hidden example, as logits, and what it is: both (m',
    K)."""
    n_labels = len(examples.label_ids)
    logits, answers = [np.empty((0, n_labels), np.float32)], [np.empty((0, n_labels), np.float32)]
    for shown, hidden in folds(examples, N_FOLDS, recipe.seed):
        soft = soft_labels(graph, examples.taken(shown), targets[shown], recipe)
        logits.append(_logits(soft[examples.rows[hidden]]))
        answers.append(targets[hidden].astype(np.float32))
    return np.concatenate(logits), np.concatenate(answers)


def _logits(chances: NDArray[np.float32]) -> NDArray[np.float32]:
    within = np.clip(chances, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(within) - np.log(1 - within), dtype=np.float32)

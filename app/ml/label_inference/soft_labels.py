"""Soft labels: label probabilities of every record from a few examples."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.examples import Examples
from app.ml.heads.numpy_nn import sigmoid
from app.ml.label_inference.propagation import propagate, propagate_binary
from app.ml.recipe import Recipe

Targets = NDArray[np.bool_]

MIN_EVIDENCE_SPREAD = 0.5
"""The least standard deviation of the log-odds of all evidence, before they are sharpened."""

MIN_PROBABILITY = 1e-6

MIN_EXCESS = 1e-3
"""A share that exceeds an equal one by less than this part of it is equal, but for rounding."""


def infer_soft_labels(
    graph: sp.csr_matrix, examples: Examples, targets: Targets, recipe: Recipe
) -> NDArray[np.float32]:
    """Compute the probability of each label for every record, (n, K) float32, sharpened, from
    multi-label examples.

    targets  (m, K) bool, the examples' own
    """
    probabilities = propagate_binary(
        graph,
        examples.rows,
        targets,
        weights=examples.weights,
        alpha=recipe.alpha,
        steps=recipe.steps,
    )
    return _sharpen_binary(probabilities, _label_frequencies(examples), recipe.softness)


def propagate_labels(
    graph: sp.csr_matrix, examples: Examples, recipe: Recipe
) -> NDArray[np.float32]:
    """Compute class shares for every record, (n, K) float32, all classes equally common."""
    shares = _propagate_once(graph, examples, recipe)
    if recipe.second_look > 0:
        shares = _propagate_once(
            graph, add_most_certain(examples, shares, recipe.second_look), recipe
        )
    return shares


def add_most_certain(examples: Examples, shares: NDArray[np.float32], part: float) -> Examples:
    """Add to the examples the most probable records of each class in use: in all at most this share
    of the records.

    Only records that labels reach, and whose likeliest class it is, are added: a class whose labels
    reach few gets few. They weigh as much together as the class's own examples do, each by its
    share.
    """
    named = np.unique(examples.classes[examples.weights > 0])
    if len(named) < 2:
        return examples
    most = max(1, int(part * len(shares) / len(named)))
    own = np.bincount(examples.classes, examples.weights, len(examples.label_ids))
    added = [_find_most_certain(shares, int(c), 1 / len(named), most) for c in named]
    weights = [
        shares[rows, c] * own[c] / max(1, len(rows)) for rows, c in zip(added, named, strict=True)
    ]
    n_added = [len(rows) for rows in added]
    return Examples(
        rows=np.concatenate([examples.rows, *added]),
        classes=np.concatenate([examples.classes, np.repeat(named, n_added)]),
        label_ids=examples.label_ids,
        groups=np.zeros(len(examples) + sum(n_added), np.int64),
        weights=np.concatenate([examples.weights, *weights]).astype(np.float32),
    )


def _find_most_certain(
    shares: NDArray[np.float32], column: int, equal_share: float, most: int
) -> NDArray[np.int64]:
    """Return the rows most probably of this class, in order. A row that no label reaches has an
    equal share of every class, so it is none of them."""
    own = shares[:, column]
    likeliest = (own > equal_share * (1 + MIN_EXCESS)) & (own >= shares.max(axis=1))
    rows = np.flatnonzero(likeliest)
    return rows[np.argsort(-own[rows], kind="stable")[:most]]


def _propagate_once(
    graph: sp.csr_matrix, examples: Examples, recipe: Recipe
) -> NDArray[np.float32]:
    return propagate(
        graph,
        examples.rows,
        examples.classes,
        len(examples.label_ids),
        weights=examples.weights,
        alpha=recipe.alpha,
        steps=recipe.steps,
    )


def _sharpen_binary(
    probabilities: NDArray[np.float32], prior: NDArray[np.float32], softness: float
) -> NDArray[np.float32]:
    """Sharpen independent probabilities, yes against no.

    What speaks for a label is sharpened, and how common it is left alone: else a label that fewer
    than half of the records carry would hardly ever be suggested. Among few records labels blend
    until little difference is left, though its order holds; so it is stretched before.
    """
    evidence = _to_log_odds(probabilities) - _to_log_odds(prior)
    stretch = max(1.0, MIN_EVIDENCE_SPREAD / max(float(evidence.std()), MIN_PROBABILITY))
    sharpened = evidence * stretch / softness + _to_log_odds(prior)
    return sigmoid(np.asarray(sharpened, dtype=np.float32))


def _label_frequencies(examples: Examples) -> NDArray[np.float32]:
    """Return the share of the examples that carries each label, (K,)."""
    answers = examples.label_matrix().astype(np.float32)
    return np.asarray(np.average(answers, axis=0, weights=examples.weights), dtype=np.float32)


def _to_log_odds(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    within = np.clip(probabilities, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(np.log(within) - np.log(1 - within), dtype=np.float32)

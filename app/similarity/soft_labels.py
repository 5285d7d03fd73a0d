"""Soft labels: what a few examples say about every record."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.examples import Examples
from app.similarity.graph import propagate, propagate_binary
from app.similarity.recipe import Recipe


def soft_labels(graph: sp.csr_matrix, examples: Examples, recipe: Recipe) -> NDArray[np.float32]:
    """What the examples say about every record, (n, K) float32, sharpened as the recipe asks."""
    travel = {"weights": examples.weights, "alpha": recipe.alpha, "steps": recipe.steps}
    if examples.targets is not None:
        return sharpened_binary(
            propagate_binary(graph, examples.rows, examples.targets, **travel), recipe.softness
        )
    shares = propagate(
        graph,
        examples.rows,
        examples.classes,
        len(examples.label_ids),
        prior_power=recipe.prior_power,
        **travel,
    )
    return sharpened(shares, recipe.softness)


def sharpened(shares: NDArray[np.float32], softness: float) -> NDArray[np.float32]:
    """p^(1/softness), summing to 1 by row again. (n, K) float32."""
    powered = (shares / shares.max(axis=1, keepdims=True)) ** np.float32(1 / softness)
    return np.asarray(powered / powered.sum(axis=1, keepdims=True), dtype=np.float32)


def sharpened_binary(chances: NDArray[np.float32], softness: float) -> NDArray[np.float32]:
    """The same for independent chances, yes against no. (n, K) float32."""
    yes, no = chances ** np.float32(1 / softness), (1 - chances) ** np.float32(1 / softness)
    return np.asarray(yes / np.maximum(yes + no, 1e-20), dtype=np.float32)

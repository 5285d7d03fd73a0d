"""The prior: whether how often a class was labeled tells how common it is.

In a random sample it does, and where one class is nine in ten, ignoring it misplaces most records.
Among 25 records chosen to be different from each other, or labeled by somebody hunting for one
class, it does not. So hidden examples decide, and only clear cases move the prior away from "all
classes equally common".
"""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.examples import Examples
from app.similarity.folds import folds
from app.similarity.propagation import propagate
from app.similarity.recipe import Recipe

POWERS = (0.0, 0.25, 0.5, 0.75)
N_FOLDS = 4


def settled(recipe: Recipe, graph: sp.csr_matrix, examples: Examples) -> Recipe:
    """The recipe with its prior_power settled, by hidden examples if the recipe leaves it open.

    The smallest power within one standard error of the most accurate one. With no group to hide it
    is 0.
    Source: the one-standard-error rule of Breiman et al. 1984.
    """
    if recipe.prior_power is not None or examples.is_multi_label:
        return recipe
    shares, classes = _said_of_hidden(graph, examples, recipe)
    if len(classes) == 0:
        return replace(recipe, prior_power=POWERS[0])
    common = _commonness(examples)
    right = [float(((shares * common**power).argmax(axis=1) == classes).mean()) for power in POWERS]
    best = max(right)
    enough = best - np.sqrt(best * (1 - best) / len(classes))
    chosen = next(power for power, share in zip(POWERS, right, strict=True) if share >= enough)
    return replace(recipe, prior_power=chosen)


def _commonness(examples: Examples) -> NDArray[np.float64]:
    counted = np.bincount(examples.classes, examples.weights, len(examples.label_ids))
    return np.asarray(counted / max(counted.sum(), 1e-12), dtype=np.float64)


def _said_of_hidden(
    graph: sp.csr_matrix, examples: Examples, recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    n_labels = len(examples.label_ids)
    shares, classes = [np.empty((0, n_labels), np.float32)], [np.empty(0, np.int64)]
    for shown, hidden in folds(examples, N_FOLDS, recipe.seed):
        known = examples.taken(shown)
        soft = propagate(
            graph,
            known.rows,
            known.classes,
            n_labels,
            weights=known.weights,
            alpha=recipe.alpha,
            steps=recipe.steps,
        )
        shares.append(soft[examples.rows[hidden]])
        classes.append(examples.classes[hidden])
    return np.concatenate(shares), np.concatenate(classes)

"""Folds: hold out some examples from training for evaluation."""

import numpy as np
from numpy.typing import NDArray

from app.ml.examples import Examples

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Positions of the examples that are shown, and of those that are hidden."""


def make_folds(examples: Examples, n_folds: int, seed: int) -> list[Fold]:
    """Up to n_folds ways to hide a part: each example is hidden once, and no group is ever split.

    Groups are dealt class by class, so that every part holds about the same mixture. No folds with
    fewer than two groups: then nothing can be hidden.
    """
    names, first, group = np.unique(examples.groups, return_index=True, return_inverse=True)
    n_folds = min(n_folds, len(names))
    if n_folds < 2:
        return []
    part = np.empty(len(names), np.int64)
    part[_assignment_order(examples, first, seed)] = np.arange(len(names)) % n_folds
    of_example = part[group.reshape(-1)]
    return [
        (np.flatnonzero(of_example != i), np.flatnonzero(of_example == i)) for i in range(n_folds)
    ]


def _assignment_order(examples: Examples, first: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Order groups at random within each class, classes one after the other."""
    shuffled = np.random.default_rng(seed).permutation(len(first))
    _, answers = np.unique(examples.label_matrix()[first], axis=0, return_inverse=True)
    order = np.argsort(answers.reshape(-1)[shuffled], kind="stable")
    return np.asarray(shuffled[order], dtype=np.int64)

"""Predictions of a head for held-out examples.

Decision: a hidden example is ranked among hidden examples alone, and never its own group. Ranked
among those that training saw, a tuned vector would look better than the next session will be, for
their evidence is their own label.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.ml.evaluation.predictions import FoldPredictions
from app.ml.evaluation.ranking import rank_rows
from app.ml.examples import Examples
from app.ml.folds import Fold
from app.ml.heads.head import Head
from app.ml.vectors import Vectors

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Baseline:
    """The version in use, which a new one has to match.

    name      as people know it, such as "v3"
    head      what it learned
    vectors   (n, d) float32: the vectors that its head reads, of the same records
    is_fresh  (m,) bool: the examples it was not trained on; only those are evaluated
    """

    name: str
    head: Head
    vectors: Vectors
    is_fresh: NDArray[np.bool_]


def predict_fold(head: Head, rows: Vectors, examples: Examples, fold: Fold) -> FoldPredictions:
    """Predict the held-out part of a fold with a head trained on the other part."""
    train, held_out = fold
    known = examples.take(held_out)
    vectors = head.tune(rows[known.rows])
    ranked = rank_rows(vectors, groups=known.groups)
    probabilities = head.suggest(rows[known.rows])
    if probabilities is not None:
        return FoldPredictions(ranked, *align_predictions(probabilities, head.classes, examples))
    nearest = (vectors @ head.tune(rows[examples.rows[train]]).T).argmax(axis=1)
    return FoldPredictions(ranked, examples.label_matrix()[train][nearest], None)


def align_predictions(
    probabilities: Probabilities, classes: tuple[int, ...], examples: Examples
) -> tuple[NDArray[np.bool_], Probabilities]:
    """Map suggestions and probabilities to the examples' columns; missing labels are wrong."""
    if examples.is_multi_label:
        suggested = probabilities > 0.5
    else:
        suggested = np.eye(probabilities.shape[1], dtype=bool)[probabilities.argmax(axis=1)]
    columns = [classes.index(i) if i in classes else -1 for i in examples.label_ids]
    # One more column, that of nobody: index -1 finds it.
    wider = np.zeros((len(probabilities), 1))
    return (
        np.concatenate([suggested, wider > 0], axis=1)[:, columns],
        np.concatenate([probabilities, wider.astype(np.float32)], axis=1)[:, columns],
    )

"""Combine two views of every record: vectors and words.

The first is the prediction from vectors (app.ml.label_inference.ensemble), the second that from
words, trained on the first (app.ml.label_inference.naive_bayes).

Their log-odds are added. The weight of the words and the calibration are chosen on held-out
examples, as for the weights of the first view; the default weight is kept unless another is clearly
better, since few examples carry little information.

Source: as in the two files named above.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.examples import Examples
from app.ml.folds import make_folds
from app.ml.heads.numpy_nn import softmax
from app.ml.label_inference.confidence import HeldOutClasses
from app.ml.label_inference.ensemble import (
    MAX_HELD_OUT,
    N_FOLDS,
    NEVER,
    ViewWeights,
    compute_log_losses,
    compute_views,
    pick_least_bold,
    run_ensemble,
)
from app.ml.label_inference.naive_bayes import WordFeatures, predict_from_words
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors

Floats = NDArray[np.float32]

WORD_WEIGHTS = (0.0, 0.5, 1.0, 2.0)
"""How much words may count, in parts of what is usual."""

SHARPNESS = (0.35, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4)
USUAL_SHARPNESS = 0.6
"""The words learned from the first view, so where both agree they are not as sure as two."""

FEW_EXAMPLES, N_SELECTION_FOLDS = 250, 3
"""With more examples, so many folds decide on it: each costs as much as the first view itself."""

MIN_STANDARD_ERRORS = 0.5
"""Standard errors by which another weight must be better than the usual one."""


@dataclass(frozen=True)
class CoTrainingResult:
    """The combined prediction of both views.

    probabilities  (n, K) float32, the probability of each class, summing to 1 by row
    linear         (n, K) float32, the scores of the linear classifier alone
    held_out       what was predicted for examples that were held out
    """

    probabilities: Floats
    linear: Floats
    held_out: HeldOutClasses


def co_train(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: WordFeatures | None,
) -> CoTrainingResult:
    """Predict the class of each record from single-class examples.

    graph  neighbour_graph of rows, (n, d) float32 of length 1
    words  of the same n records; without them, only the vectors are used
    """
    if recipe.words == 0:
        words = None
    first = run_ensemble(graph, rows, examples, recipe)
    held_out = _predict_held_out(graph, rows, examples, recipe, words, first.weights)
    if words is None:
        return CoTrainingResult(
            first.probabilities, first.linear, held_out.classes(softmax(held_out.first))
        )
    second = _predict_by_words(words, first.probabilities, examples)
    weight, sharpness = _choose_weight(held_out.select_predictable(), recipe)
    return CoTrainingResult(
        _combine_views(first.log_odds, second, weight, sharpness),
        first.linear,
        held_out.classes(_combine_views(held_out.first, held_out.second, weight, sharpness)),
    )


def _combine_views(first: Floats, second: Floats, weight: float, sharpness: float) -> Floats:
    both = first + np.float32(weight) * second
    return softmax(np.asarray(np.float32(sharpness) * both, dtype=np.float32))


def _predict_by_words(words: WordFeatures, first: Floats, examples: Examples) -> Floats:
    """Log-probabilities of the classes by words, (n, K); NEVER for one without examples."""
    named = np.unique(examples.classes)
    answers = examples.label_matrix()[:, named].astype(np.float32)
    log_odds = np.full(first.shape, NEVER, np.float32)
    log_odds[:, named] = predict_from_words(words, first[:, named], examples.rows, answers)
    return log_odds


@dataclass(frozen=True)
class _HeldOutViews:
    """The predictions of both views for held-out examples, (q, K) each, these examples, and whether
    another example carries the class of each, (q,) bool."""

    first: Floats
    second: Floats
    queries: Examples
    is_predictable: NDArray[np.bool_]

    def select_predictable(self) -> "_HeldOutViews":
        """Leave out examples whose class could not be predicted, however the views are combined."""
        chosen = np.flatnonzero(self.is_predictable)
        return _HeldOutViews(
            self.first[chosen],
            self.second[chosen],
            self.queries.take(chosen),
            self.is_predictable[chosen],
        )

    def classes(self, probabilities: Floats) -> HeldOutClasses:
        """Return what these probabilities, (q, K), predict beside the true classes."""
        chosen = np.flatnonzero(self.is_predictable)
        return HeldOutClasses(
            probabilities[chosen].argmax(axis=1).astype(np.int64),
            self.queries.classes[chosen].astype(np.int64),
            len(probabilities) - len(chosen),
        )


def _predict_held_out(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: WordFeatures | None,
    weights: ViewWeights,
) -> _HeldOutViews:
    """Predict each fold from the others; with many examples only some folds: each takes a while."""
    plain = replace(recipe, second_look=0.0)
    none = np.empty((0, len(examples.label_ids)), np.float32)
    first, second, queries = [none], [none], [np.empty(0, np.int64)]
    is_predictable = [np.empty(0, bool)]
    n_folds = N_FOLDS if len(examples) <= FEW_EXAMPLES else N_SELECTION_FOLDS
    for train, held_out in make_folds(examples, N_FOLDS, recipe.seed)[:n_folds]:
        known = examples.take(train)
        selected = held_out[: MAX_HELD_OUT // N_FOLDS]
        places = slice(None) if words is not None else examples.rows[selected]
        log_odds = compute_views(graph, rows, known, plain, places).combine(weights)
        log_odds *= np.float32(weights.sharpness)
        queries.append(selected)
        is_predictable.append(np.isin(examples.classes[selected], known.classes))
        if words is None:
            first.append(log_odds)
            second.append(np.zeros_like(log_odds))
            continue
        first.append(log_odds[examples.rows[selected]])
        second.append(_predict_by_words(words, softmax(log_odds), known)[examples.rows[selected]])
    return _HeldOutViews(
        np.concatenate(first),
        np.concatenate(second),
        examples.take(np.concatenate(queries)),
        np.concatenate(is_predictable),
    )


def _choose_weight(held_out: _HeldOutViews, recipe: Recipe) -> tuple[float, float]:
    """Choose the weight of the words and the calibration."""
    if len(held_out.queries) == 0:
        return recipe.words, USUAL_SHARPNESS
    tried = list(product(WORD_WEIGHTS, SHARPNESS))
    losses = np.stack([_loss_each(held_out, part * recipe.words, sharp) for part, sharp in tried])
    stretch = np.array([sharp for _, sharp in tried]) / USUAL_SHARPNESS
    boldness = [abs(part - 1) for part, _ in tried]
    part, sharpness = tried[
        pick_least_bold(losses, held_out.queries.weights, stretch, boldness, MIN_STANDARD_ERRORS)
    ]
    return part * recipe.words, sharpness


def _loss_each(held_out: _HeldOutViews, weight: float, sharpness: float) -> NDArray[np.float64]:
    probabilities = _combine_views(held_out.first, held_out.second, weight, sharpness)
    return compute_log_losses(probabilities, held_out.queries.classes)

"""Combine three classifiers with weights chosen on held-out examples.

    wide    labels propagated far through the neighbour graph: best with few labels
    near    the same with only a few steps: the labels of the nearest neighbours
    linear  a linear model of the labels: best where neighbours have mixed labels

Their log-odds are added up, with a weight for each and one for how common the classes are. The
weights are those that predict held-out examples best; but only the wide classifier is used, with
all classes equally common, until held-out examples clearly prefer more. Labeled records are rarely
a random sample: among 25 records chosen to be diverse, or found by searching for one class, class
frequencies carry no information.

Source: log-linear opinion pools, Genest and Zidek 1986; weights by held-out examples, stacking,
Wolpert 1992; the least change within one standard error of the best, Breiman et al. 1984.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.examples import Examples
from app.ml.folds import make_folds
from app.ml.heads.numpy_nn import softmax
from app.ml.label_inference.calibration import MIN_PROBABILITY
from app.ml.label_inference.ridge import score_linearly
from app.ml.label_inference.soft_labels import propagate_labels
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors

Floats = NDArray[np.float32]

USUAL_SHARPNESS = 1.4
LEAST_SHARE = 1e-4
NEVER = -1e4
"""The log-odds of a class that no example is of."""

NEAR_ALPHA, NEAR_STEPS = 0.6, 6

N_FOLDS = 5
MAX_HELD_OUT = 1_000
"""Hidden examples that decide on the weights: more change nothing but the time it takes."""

SHARPNESS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
NEAR_WEIGHTS = (0.0, 0.5, 1.0, 2.0)
LINEAR_WEIGHTS = (0.0, 0.5, 1.0, 2.0, 3.0)
PRIOR_POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)

PULL = 2.0
"""Prior for the sharpness: counts as much as ten held-out examples."""


@dataclass(frozen=True)
class ViewWeights:
    """Weights of the other classifiers relative to wide, and of the class frequencies; the sum is
    finally scaled by sharpness (an inverse temperature) for calibration."""

    near: float = 0.0
    linear: float = 0.0
    commonness: float = 0.0
    sharpness: float = USUAL_SHARPNESS

    @property
    def boldness(self) -> float:
        """Distance of these weights from wide alone."""
        return 4 * self.commonness + float(np.log2(1 + self.linear)) + self.near


@dataclass(frozen=True)
class Views:
    """The prediction of each source for q records, (q, K) float32 each; log_counts (K,): class
    frequencies among the examples."""

    wide: Floats
    near: Floats
    linear: Floats
    log_counts: NDArray[np.float64]

    def combine(self, weights: ViewWeights) -> Floats:
        """Log-odds up to a constant by row, (q, K), before calibration."""
        log_odds = self.wide + weights.near * self.near + weights.linear * self.linear
        return np.asarray(log_odds + self._prior(weights), dtype=np.float32)

    def _prior(self, weights: ViewWeights) -> NDArray[np.float64]:
        power = weights.commonness / weights.sharpness
        return np.where(self.log_counts > NEVER, power * self.log_counts, NEVER)


def compute_views(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
    queries: NDArray[np.int64] | slice,
) -> Views:
    """Compute the prediction of each source for these rows from single-class examples."""
    near = replace(recipe, alpha=NEAR_ALPHA, steps=NEAR_STEPS, second_look=0.0)
    linear = score_linearly(
        rows[examples.rows],
        rows[queries],
        examples.classes,
        len(examples.label_ids),
        examples.weights,
    )
    return Views(
        _clip_log(propagate_labels(graph, examples, recipe)[queries]),
        _clip_log(propagate_labels(graph, examples, near)[queries]),
        linear,
        log_counts(examples),
    )


def _clip_log(shares: Floats) -> Floats:
    return np.log(np.maximum(shares, np.float32(LEAST_SHARE)))


def log_counts(examples: Examples) -> NDArray[np.float64]:
    """Return the logarithm of each class's share of the examples, (K,); NEVER for a class without
    any."""
    counts = np.bincount(examples.classes, examples.weights, len(examples.label_ids))
    logs = np.full(len(counts), NEVER)
    np.log(counts / counts.sum(), where=counts > 0, out=logs)
    return logs


@dataclass(frozen=True)
class EnsembleResult:
    """The combined prediction of all sources.

    log_odds  (n, K) float32, up to a constant by row, calibrated
    weights   the weights of the sources
    linear    (n, K) float32, the scores of the linear classifier alone
    """

    log_odds: Floats
    weights: ViewWeights
    linear: Floats

    @property
    def probabilities(self) -> Floats:
        """The probability of each class, (n, K) float32, summing to 1 by row."""
        return softmax(self.log_odds)


def run_ensemble(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
) -> EnsembleResult:
    """Predict every record from all sources. For single-class examples.

    graph  neighbour_graph of rows, (n, d) float32 of length 1
    """
    weights = choose_weights(graph, rows, examples, recipe)
    second_look = recipe.second_look if weights.commonness == 0 else 0.0
    adjusted = replace(recipe, second_look=second_look)
    views = compute_views(graph, rows, examples, adjusted, slice(None))
    log_odds = views.combine(weights) * np.float32(weights.sharpness)
    return EnsembleResult(log_odds, weights, views.linear)


def choose_weights(
    graph: sp.csr_matrix, rows: Vectors, examples: Examples, recipe: Recipe
) -> ViewWeights:
    """Choose the weights on held-out examples: the simplest within one standard error of the best.

    With fewer than two groups nothing can be held out, and only wide is used.
    """
    views, queries = _predict_held_out(graph, rows, examples, recipe)
    if views is None or len(queries) == 0:
        return ViewWeights(commonness=recipe.prior_power or 0.0)
    tried = _list_candidates(recipe, is_dense=len(examples) * recipe.neighbours >= len(rows))
    losses = np.stack([_loss_each(views, weights, queries.classes) for weights in tried])
    stretch = np.array([weights.sharpness for weights in tried]) / USUAL_SHARPNESS
    return tried[
        pick_least_bold(losses, queries.weights, stretch, [each.boldness for each in tried])
    ]


def pick_least_bold(
    losses: NDArray[np.float64],
    weights: Floats,
    stretch: NDArray[np.float64],
    boldness: Sequence[float],
    within: float = 1.0,
) -> int:
    """Which of t ways to take: the least bold one that is as good as the best, or nearly.

    losses    (t, q) of each way for each hidden example; weights (q,) how much each example counts
    stretch   (t,) how sure each way is beside the usual one
    boldness  of each way; among equals the better one
    within    how many standard errors of the best are near enough
    """
    counted = weights / weights.sum()
    mean = losses @ counted + PULL * np.log(stretch) ** 2 / len(counted)
    best = int(mean.argmin())
    spread = np.sqrt((losses - losses[best]) ** 2 @ counted**2)
    enough = np.flatnonzero(mean <= mean[best] + within * spread).tolist()
    return min(enough, key=lambda i: (boldness[i], mean[i]))


def _list_candidates(recipe: Recipe, *, is_dense: bool) -> list[ViewWeights]:
    """Use near only if records have a labeled neighbour on average: otherwise it is noise."""
    near = NEAR_WEIGHTS if is_dense else NEAR_WEIGHTS[:1]
    powers = PRIOR_POWERS if recipe.prior_power is None else (recipe.prior_power,)
    return [ViewWeights(*each) for each in product(near, LINEAR_WEIGHTS, powers, SHARPNESS)]


def _loss_each(
    views: Views, weights: ViewWeights, classes: NDArray[np.int64]
) -> NDArray[np.float64]:
    return compute_log_losses(
        softmax(views.combine(weights) * np.float32(weights.sharpness)), classes
    )


def compute_log_losses(probabilities: Floats, classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Negative log-likelihood of the class of each of q records, (q,)."""
    true = probabilities[np.arange(len(classes)), classes]
    return np.asarray(-np.log(np.maximum(true, MIN_PROBABILITY)), dtype=np.float64)


def _predict_held_out(
    graph: sp.csr_matrix, rows: Vectors, examples: Examples, recipe: Recipe
) -> tuple[Views | None, Examples]:
    """Predictions for held-out examples, and these examples."""
    plain = replace(recipe, second_look=0.0)
    views, queries = [], [np.empty(0, np.int64)]
    for train, held_out in make_folds(examples, N_FOLDS, recipe.seed):
        known = examples.take(train)
        # What is of a class that nobody shows cannot be said, however the opinions are pooled.
        predictable = held_out[np.isin(examples.classes[held_out], known.classes)]
        selected = predictable[: MAX_HELD_OUT // N_FOLDS]
        views.append(compute_views(graph, rows, known, plain, examples.rows[selected]))
        queries.append(selected)
    return _concatenate_views(views, examples), examples.take(np.concatenate(queries))


def _concatenate_views(views: list[Views], examples: Examples) -> Views | None:
    if not views:
        return None
    return Views(
        np.concatenate([part.wide for part in views]),
        np.concatenate([part.near for part in views]),
        np.concatenate([part.linear for part in views]),
        log_counts(examples),
    )

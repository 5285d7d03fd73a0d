"""Three opinions on every record, pooled: what hidden examples prefer is what counts.

    wide    labels that travelled far through the neighbour graph: best where labels are few
    near    the same, but only a few steps: what the labeled neighbours are
    linear  a linear model of the labels: best where neighbours carry mixed labels

Their log-odds are added up, with a weight for each and one for how common the classes are. The
weights are those that predict hidden examples best; but the wide opinion alone stands, with all
classes equally common, until hidden examples clearly speak for more. For a sample is seldom drawn
by chance: among 25 records picked to be different from each other, or labeled by somebody hunting
for one class, how often a class was labeled tells nothing.

Source: log-linear opinion pools, Genest and Zidek 1986; weights by hidden examples, stacking,
Wolpert 1992; the least change within one standard error of the best, Breiman et al. 1984.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.activations import softmax
from app.similarity.calibration import LEAST_CHANCE
from app.similarity.examples import Examples
from app.similarity.folds import folds
from app.similarity.opinions import USUAL_SHARPNESS, Opinions, Weights, log_counts, opinions
from app.similarity.recipe import Recipe
from app.similarity.vectors import Vectors

Floats = NDArray[np.float32]

N_FOLDS = 5
MOST_ASKED = 1_000
"""Hidden examples that decide on the weights: more change nothing but the time it takes."""

SHARPNESS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
NEAR = (0.0, 0.5, 1.0, 2.0)
LINEAR = (0.0, 0.5, 1.0, 2.0, 3.0)
COMMONNESS = (0.0, 0.25, 0.5, 0.75, 1.0)

PULL = 2.0
"""Few hidden examples say little about how sure to be: the usual counts as much as ten of them."""


@dataclass(frozen=True)
class Pooled:
    """What all opinions together say.

    log_odds  (n, K) float32, up to a constant by row, as sure as they are right
    weights   the weights they were pooled with
    """

    log_odds: Floats
    weights: Weights

    @property
    def chances(self) -> Floats:
        """The chance of each class, (n, K) float32, summing to 1 by row."""
        return softmax(self.log_odds)


def pooled(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
) -> Pooled:
    """The opinions on every record, pooled. For examples of one class each.

    graph  neighbour_graph of rows, (n, d) float32 of length 1
    """
    weights = settled_weights(graph, rows, examples, recipe)
    looks = recipe.second_look if weights.commonness == 0 else 0.0
    looking = replace(recipe, second_look=looks)
    said = opinions(graph, rows, examples, looking, slice(None))
    return Pooled(said.pooled(weights) * np.float32(weights.sharpness), weights)


def settled_weights(
    graph: sp.csr_matrix, rows: Vectors, examples: Examples, recipe: Recipe
) -> Weights:
    """The weights that predict hidden examples: the least bold ones within one standard error of
    the best.

    With fewer than two groups nothing can be hidden, and the wide opinion stands alone.
    """
    said, asked = _said_of_hidden(graph, rows, examples, recipe)
    if said is None or len(asked) == 0:
        return Weights(commonness=recipe.prior_power or 0.0)
    tried = _tried(recipe, is_dense=len(examples) * recipe.neighbours >= len(rows))
    losses = np.stack([_loss_each(said, weights, asked.classes) for weights in tried])
    stretch = np.array([weights.sharpness for weights in tried]) / USUAL_SHARPNESS
    return tried[least_bold(losses, asked.weights, stretch, [each.boldness for each in tried])]


def least_bold(
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


def _tried(recipe: Recipe, *, is_dense: bool) -> list[Weights]:
    """Near is asked only where records have a labeled neighbour, on average: else it is noise."""
    near = NEAR if is_dense else NEAR[:1]
    powers = COMMONNESS if recipe.prior_power is None else (recipe.prior_power,)
    return [Weights(*each) for each in product(near, LINEAR, powers, SHARPNESS)]


def _loss_each(said: Opinions, weights: Weights, classes: NDArray[np.int64]) -> NDArray[np.float64]:
    return losses_of(softmax(said.pooled(weights) * np.float32(weights.sharpness)), classes)


def losses_of(chances: Floats, classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """-ln of the chance that each of q records was given for its class, (q,)."""
    true = chances[np.arange(len(classes)), classes]
    return np.asarray(-np.log(np.maximum(true, LEAST_CHANCE)), dtype=np.float64)


def _said_of_hidden(
    graph: sp.csr_matrix, rows: Vectors, examples: Examples, recipe: Recipe
) -> tuple[Opinions | None, Examples]:
    """What is said about examples while they are hidden, and those examples."""
    plain = replace(recipe, second_look=0.0)
    said, asked = [], [np.empty(0, np.int64)]
    for shown, hidden in folds(examples, N_FOLDS, recipe.seed):
        known = examples.taken(shown)
        # What is of a class that nobody shows cannot be said, however the opinions are pooled.
        sayable = hidden[np.isin(examples.classes[hidden], known.classes)]
        about = sayable[: MOST_ASKED // N_FOLDS]
        said.append(opinions(graph, rows, known, plain, examples.rows[about]))
        asked.append(about)
    return _together(said, examples), examples.taken(np.concatenate(asked))


def _together(said: list[Opinions], examples: Examples) -> Opinions | None:
    if not said:
        return None
    return Opinions(
        np.concatenate([part.wide for part in said]),
        np.concatenate([part.near for part in said]),
        np.concatenate([part.linear for part in said]),
        log_counts(examples),
    )

"""Two views of every record made one: what the vectors say (app.similarity.pooling), and what the
words say that learned from it (app.similarity.words).

Their log-odds are added up. How much the words count, and how sure both together may be, is what
hidden examples prefer, asked as they are for the weights of the first view; the usual weight stands
unless another is clearly better, for few examples say little about it.

Source: as in the two files named above.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.activations import softmax
from app.similarity.examples import Examples
from app.similarity.folds import folds
from app.similarity.opinions import NEVER, Weights, opinions
from app.similarity.pooling import MOST_ASKED, N_FOLDS, least_bold, losses_of, pooled
from app.similarity.recipe import Recipe
from app.similarity.vectors import Vectors
from app.similarity.words import Words, second_opinion

Floats = NDArray[np.float32]

PARTS = (0.0, 0.5, 1.0, 2.0)
"""How much words may count, in parts of what is usual."""

SHARPNESS = (0.35, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4)
USUAL_SHARPNESS = 0.6
"""The words learned from the first view, so where both agree they are not as sure as two."""

N_HEARD = 3
"""Folds that decide on it: each costs as much as the first view itself."""

CLEARLY = 0.5
"""Standard errors by which another weight must be better than the usual one."""


def chances_of_both(
    graph: sp.csr_matrix, rows: Vectors, examples: Examples, recipe: Recipe, words: Words | None
) -> Floats:
    """The chance of each class on each record, (n, K) float32, summing to 1 by row. For examples of
    one class each.

    graph  neighbour_graph of rows, (n, d) float32 of length 1
    words  of the same n records; without them, what the vectors say stands alone
    """
    first = pooled(graph, rows, examples, recipe)
    if words is None or recipe.words == 0:
        return first.chances
    second = _by_words(words, first.chances, examples)
    hidden = _said_of_hidden(graph, rows, examples, recipe, words, first.weights)
    weight, sharpness = _settled(hidden, recipe)
    return _together(first.log_odds, second, weight, sharpness)


def _together(first: Floats, second: Floats, weight: float, sharpness: float) -> Floats:
    both = first + np.float32(weight) * second
    return softmax(np.asarray(np.float32(sharpness) * both, dtype=np.float32))


def _by_words(words: Words, first: Floats, examples: Examples) -> Floats:
    """Logarithms of the classes' chances by the words, (n, K); NEVER for one without examples."""
    named = np.unique(examples.classes)
    answers = examples.answers()[:, named].astype(np.float32)
    said = np.full(first.shape, NEVER, np.float32)
    said[:, named] = second_opinion(words, first[:, named], examples.rows, answers)
    return said


@dataclass(frozen=True)
class _Hidden:
    """What both views say of hidden examples, (q, K) each, and these examples."""

    first: Floats
    second: Floats
    asked: Examples


def _said_of_hidden(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: Words,
    weights: Weights,
) -> _Hidden:
    """Some of the folds that the first view's weights were settled by: each takes a while."""
    plain = replace(recipe, second_look=0.0)
    none = np.empty((0, len(examples.label_ids)), np.float32)
    first, second, asked = [none], [none], [np.empty(0, np.int64)]
    for shown, hidden in folds(examples, N_FOLDS, recipe.seed)[:N_HEARD]:
        known = examples.taken(shown)
        about = hidden[np.isin(examples.classes[hidden], known.classes)][: MOST_ASKED // N_FOLDS]
        said = opinions(graph, rows, known, plain, slice(None)).pooled(weights)
        said *= np.float32(weights.sharpness)
        asked.append(about)
        first.append(said[examples.rows[about]])
        second.append(_by_words(words, softmax(said), known)[examples.rows[about]])
    return _Hidden(
        np.concatenate(first), np.concatenate(second), examples.taken(np.concatenate(asked))
    )


def _settled(hidden: _Hidden, recipe: Recipe) -> tuple[float, float]:
    """The weight of the words, and how sure both together may be."""
    if len(hidden.asked) == 0:
        return recipe.words, USUAL_SHARPNESS
    tried = list(product(PARTS, SHARPNESS))
    losses = np.stack([_loss_each(hidden, part * recipe.words, sharp) for part, sharp in tried])
    stretch = np.array([sharp for _, sharp in tried]) / USUAL_SHARPNESS
    boldness = [abs(part - 1) for part, _ in tried]
    part, sharpness = tried[least_bold(losses, hidden.asked.weights, stretch, boldness, CLEARLY)]
    return part * recipe.words, sharpness


def _loss_each(hidden: _Hidden, weight: float, sharpness: float) -> NDArray[np.float64]:
    chances = _together(hidden.first, hidden.second, weight, sharpness)
    return losses_of(chances, hidden.asked.classes)

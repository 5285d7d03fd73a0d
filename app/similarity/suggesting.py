"""What every record probably is, from all labels that are known: what heads are taught, and what
is suggested between two versions, in a second, for no network learns."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.activations import softmax
from app.similarity.calibration import trusted
from app.similarity.co_training import chances_of_both
from app.similarity.confidence import confidence_limits, limit_confidence
from app.similarity.examples import Examples, n_answers
from app.similarity.graph import parted
from app.similarity.recipe import Recipe
from app.similarity.soft_labels import soft_labels
from app.similarity.vectors import Vectors, unit_rows
from app.similarity.words import Words

LEAST_CHANCE = 1e-12
STILL_UNLIKE = 0.8
"""How often two records that somebody found unlike are indeed of different classes, where nothing
else is known of them: "not similar" is also said of another shade of the same."""


def resuggest(
    graph: sp.csr_matrix,
    vectors: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: Words | None = None,
) -> NDArray[np.float32]:
    """Suggestions renewed as labels arrive, without a new version: as chances_of_all, no surer than
    the number of labels allows.

    vectors  (n, d) float32, raw, of all records, labeled or not
    """
    chances = chances_of_all(graph, unit_rows(vectors), examples, recipe, words)
    limits = confidence_limits(examples)
    return limit_confidence(chances, limits, is_binary=examples.is_multi_label)


def chances_of_all(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: Words | None = None,
) -> NDArray[np.float32]:
    """The chance of each class, or of each label, on each record, (n, K) float32: as sure as they
    are right about hidden examples.

    graph  `neighbour_graph(rows, recipe.neighbours)`
    rows   (n, d) float32 of length 1, of all records, labeled or not
    words  of the same records, where their texts are known; not read where a record may carry
           several labels

    Raises ValueError for no examples, or examples outside the graph.
    """
    graph = parted(graph, examples.apart)
    if examples.targets is None:
        return _unlike(chances_of_both(graph, rows, examples, recipe, words), examples)
    soft = soft_labels(graph, examples, examples.targets, recipe)
    if n_answers(examples) < 2:
        return soft
    return trusted(soft, graph, examples, examples.targets, recipe)


def lessons_of_all(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: Words | None = None,
) -> NDArray[np.float32]:
    """What a deep run teaches: the examples' own labels, and elsewhere chances_of_all; (n, K)."""
    taught = chances_of_all(graph, rows, examples, recipe, words).copy()
    taught[examples.rows] = examples.answers()
    return taught


def _unlike(chances: NDArray[np.float32], examples: Examples) -> NDArray[np.float32]:
    """The chances, knowing who was said to be unlike whom: hardly ever are they of one class.

    A labeled record is of its class for sure here, and stays as it is.
    """
    if len(examples.apart) == 0:
        return chances
    known = chances.copy()
    known[examples.rows] = examples.answers()
    first, second = np.concatenate([examples.apart, examples.apart[:, ::-1]]).T
    logs = np.zeros_like(chances)
    np.add.at(logs, first, np.log1p(-STILL_UNLIKE * known[second]))
    logs[examples.rows] = 0
    return softmax(np.log(np.maximum(chances, LEAST_CHANCE)) + logs)

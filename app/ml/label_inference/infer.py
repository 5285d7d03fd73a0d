"""Label probabilities of every record from all current labels: the training targets of heads, and
the suggestions between two versions, in about a second, since no network is trained."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.examples import Examples, count_label_sets
from app.ml.heads.numpy_nn import softmax
from app.ml.label_inference.calibration import calibrate_soft_labels
from app.ml.label_inference.co_training import co_train
from app.ml.label_inference.confidence import (
    compute_confidence_limits,
    estimate_confidence,
    limit_confidence,
    replace_confidence,
)
from app.ml.label_inference.naive_bayes import WordFeatures
from app.ml.label_inference.soft_labels import infer_soft_labels
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors, unit_rows

MIN_PROBABILITY = 1e-12
CANNOT_LINK_RELIABILITY = 0.8
"""The probability that two records marked as not similar are of different classes, without other
evidence: people also mark variants of one class as "not similar"."""


@dataclass(frozen=True)
class InferredLabels:
    """What all current labels say about every record.

    probabilities  (n, K) float32, made to tell records apart: the training targets of a head
    suggestions    (n, K) float32, in the same order by row, as sure as they are right
    """

    probabilities: NDArray[np.float32]
    suggestions: NDArray[np.float32]


def infer_from_raw_vectors(
    graph: sp.csr_matrix,
    vectors: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: WordFeatures | None = None,
) -> NDArray[np.float32]:
    """Compute suggestions from current labels without a new version: those of `infer_labels`.

    vectors  (n, d) float32, raw, of all records, labeled or not
    """
    return infer_labels(graph, unit_rows(vectors), examples, recipe, words).suggestions


def infer_labels(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: WordFeatures | None = None,
) -> InferredLabels:
    """Compute the probability of each class or label for each record.

    graph  `neighbour_graph(rows, recipe.neighbours)`
    rows   (n, d) float32 of length 1, of all records, labeled or not
    words  of the same records, where their texts are known; not read where a record may carry
           several labels

    Raises ValueError for no examples, or examples outside the graph.
    """
    graph = remove_cannot_link_edges(graph, examples.apart)
    if examples.targets is None:
        result = co_train(graph, rows, examples, recipe, words)
        probabilities = _apply_cannot_links(result.probabilities, examples)
        confidence = estimate_confidence(
            probabilities, _compute_margins(result.linear, probabilities), result.held_out, examples
        )
        return InferredLabels(probabilities, replace_confidence(probabilities, confidence))
    probabilities = infer_soft_labels(graph, examples, examples.targets, recipe)
    if count_label_sets(examples) >= 2:
        probabilities = calibrate_soft_labels(
            probabilities, graph, examples, examples.targets, recipe
        )
    limits = compute_confidence_limits(examples)
    return InferredLabels(probabilities, limit_confidence(probabilities, limits, is_binary=True))


def infer_probabilities(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: WordFeatures | None = None,
) -> NDArray[np.float32]:
    """Return only the probabilities of `infer_labels`, (n, K) float32."""
    return infer_labels(graph, rows, examples, recipe, words).probabilities


def _compute_margins(
    scores: NDArray[np.float32], probabilities: NDArray[np.float32]
) -> NDArray[np.float32]:
    """By how much each record's likeliest class leads in these scores, (n,)."""
    rows, suggested = np.arange(len(scores)), probabilities.argmax(axis=1)
    others = scores.copy()
    others[rows, suggested] = -np.inf
    best = others.max(axis=1, initial=-1.0)
    return np.asarray(scores[rows, suggested] - best, dtype=np.float32)


def infer_soft_targets(
    graph: sp.csr_matrix,
    rows: Vectors,
    examples: Examples,
    recipe: Recipe,
    words: WordFeatures | None = None,
) -> NDArray[np.float32]:
    """Return the targets of a deep run: labels where known, else chances_of_all; (n, K)."""
    soft_targets = infer_probabilities(graph, rows, examples, recipe, words).copy()
    soft_targets[examples.rows] = examples.label_matrix()
    return soft_targets


def remove_cannot_link_edges(graph: sp.csr_matrix, apart: NDArray[np.int64]) -> sp.csr_matrix:
    """Remove the edges between these rows, (p, 2) int64, marked as not similar. The weights of the
    other edges stay as they are.
    """
    if len(apart) == 0:
        return graph
    both = np.concatenate([apart, apart[:, ::-1]])
    cut = sp.csr_matrix((np.ones(len(both), np.float32), both.T), shape=graph.shape)
    kept = graph - graph.multiply(cut > 0)
    kept.eliminate_zeros()
    return kept.tocsr()


def _apply_cannot_links(
    probabilities: NDArray[np.float32], examples: Examples
) -> NDArray[np.float32]:
    """Adjust the probabilities of pairs marked as not similar: they are rarely of one class.

    Labeled records keep their class.
    """
    if len(examples.apart) == 0:
        return probabilities
    known = probabilities.copy()
    known[examples.rows] = examples.label_matrix()
    first, second = np.concatenate([examples.apart, examples.apart[:, ::-1]]).T
    logs = np.zeros_like(probabilities)
    np.add.at(logs, first, np.log1p(-CANNOT_LINK_RELIABILITY * known[second]))
    logs[examples.rows] = 0
    return softmax(np.log(np.maximum(probabilities, MIN_PROBABILITY)) + logs)

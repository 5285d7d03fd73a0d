"""The opinions that are pooled (app.ml.label_inference.ensemble), and how much each counts."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.examples import Examples
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


@dataclass(frozen=True)
class ViewWeights:
    """How much each opinion counts beside the wide one, and how common the classes seem; then all
    of it is multiplied by sharpness, so that it is as sure as it is right."""

    near: float = 0.0
    linear: float = 0.0
    commonness: float = 0.0
    sharpness: float = USUAL_SHARPNESS

    @property
    def boldness(self) -> float:
        """How far this goes beyond the wide opinion alone."""
        return 4 * self.commonness + float(np.log2(1 + self.linear)) + self.near


@dataclass(frozen=True)
class Views:
    """What each source says about q records, (q, K) float32 each; log_counts (K,): how common
    classes were among the examples."""

    wide: Floats
    near: Floats
    linear: Floats
    log_counts: NDArray[np.float64]

    def combine(self, weights: ViewWeights) -> Floats:
        """Log-odds up to a constant by row, (q, K), before they are made as sure as right."""
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
    """What each source says about the rows `asked`, going by these examples of one class each."""
    near = replace(recipe, alpha=NEAR_ALPHA, steps=NEAR_STEPS, second_look=0.0)
    linear = score_linearly(
        rows[examples.rows],
        rows[queries],
        examples.classes,
        len(examples.label_ids),
        examples.weights,
    )
    return Views(
        _clipped_log(propagate_labels(graph, examples, recipe)[queries]),
        _clipped_log(propagate_labels(graph, examples, near)[queries]),
        linear,
        log_counts(examples),
    )


def _clipped_log(shares: Floats) -> Floats:
    return np.log(np.maximum(shares, np.float32(LEAST_SHARE)))


def log_counts(examples: Examples) -> NDArray[np.float64]:
    """The logarithm of each class's share of the examples, (K,); NEVER for a class without any."""
    counts = np.bincount(examples.classes, examples.weights, len(examples.label_ids))
    logs = np.full(len(counts), NEVER)
    np.log(counts / counts.sum(), where=counts > 0, out=logs)
    return logs

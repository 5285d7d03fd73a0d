"""Ridge regression of the labels, for records without near neighbours."""

import numpy as np
from numpy.typing import NDArray

from app.ml.vectors import Vectors

Floats = NDArray[np.float32]

PENALTY = 1.0


def score_linearly(
    rows: Vectors, queries: Vectors, classes: NDArray[np.int64], n_classes: int, weights: Floats
) -> Floats:
    """How much each class is spoken for, (q, n_classes) float32: 0 is what is usual, 1 is certain.

    rows     (m, d) float32, labeled records; classes (m,) int64, theirs; weights (m,) float32
    asked    (q, d) float32

    Ridge regression to the classes' indicators. A class counts by the square root of how often it
    was labeled, so that rare ones are heard. Source: Hoerl and Kennard 1970; regularised least
    squares for classification, Rifkin, Yeo and Poggio 2003.
    """
    counts = np.bincount(classes, weights, n_classes)
    rarity = weights / np.sqrt(counts[classes])
    sample_weights = np.asarray(rarity / rarity.mean(), dtype=np.float32)
    indicators = np.eye(n_classes, dtype=np.float32)[classes]
    usual = np.average(indicators, axis=0, weights=sample_weights)
    targets = np.asarray(indicators - usual, dtype=np.float32)
    return solve_ridge(rows, queries, targets, sample_weights)


def solve_ridge(rows: Vectors, queries: Vectors, targets: Floats, weights: Floats) -> Floats:
    """Solve the regression and predict the queries, (q, K); rows (m, d) want (m, K), centred, by
    weight.

    Solved among the fewer of rows and dimensions, in double precision.
    """
    centre = np.average(rows, axis=0, weights=weights).astype(np.float32)
    root = np.sqrt(weights.astype(np.float64))[:, None]
    scaled, scaled_targets = (rows - centre) * root, targets * root
    m, d = scaled.shape
    if m <= d:
        mixed = np.linalg.solve(scaled @ scaled.T + PENALTY * np.eye(m), scaled_targets)
        slopes = scaled.T @ mixed
    else:
        slopes = np.linalg.solve(scaled.T @ scaled + PENALTY * np.eye(d), scaled.T @ scaled_targets)
    # Not asked - centre: of 200,000 records that would be another 300 MB.
    answers = queries @ slopes.astype(np.float32) - (centre @ slopes).astype(np.float32)
    return np.asarray(answers, dtype=np.float32)

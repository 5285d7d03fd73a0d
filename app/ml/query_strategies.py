"""Query strategies: representative records, and records the head is uncertain about."""

import faiss
import numpy as np
from numpy.typing import NDArray

from app.ml.vectors import Vectors, unit_rows

MOST_SAMPLED = 20_000
ITERATIONS = 20


def select_representatives(vectors: Vectors, k: int, seed: int = 0) -> NDArray[np.int64]:
    """Rows nearest to the k centroids of k-means, biggest cluster first: (min(k, n),) int64, no
    row twice.

    Centroids come from at most 20,000 rows, drawn by seed; the nearest rows are sought among all.

    Raises ValueError for k < 1, NaN or zero rows.
    """
    if k < 1:
        raise ValueError(f"The number of representatives must be at least 1, not {k}.")
    rows = unit_rows(vectors)
    if len(rows) <= k:
        return np.arange(len(rows), dtype=np.int64)
    centroids = _compute_centroids(rows, k, seed)
    similarities = rows @ centroids.T
    sizes = np.bincount(similarities.argmax(axis=1), minlength=k)
    return _pick_nearest_distinct(similarities, np.argsort(-sizes, kind="stable"))


def _compute_centroids(rows: Vectors, k: int, seed: int) -> Vectors:
    sampled = rows
    if len(rows) > MOST_SAMPLED:
        picked = np.random.default_rng(seed).choice(len(rows), MOST_SAMPLED, replace=False)
        sampled = rows[np.sort(picked)]
    means = faiss.Kmeans(
        rows.shape[1],
        k,
        niter=ITERATIONS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=MOST_SAMPLED,
    )
    means.train(sampled)
    return np.asarray(means.centroids, dtype=np.float32)


def _pick_nearest_distinct(
    similarities: NDArray[np.float32], order: NDArray[np.int64]
) -> NDArray[np.int64]:
    picked: list[int] = []
    for centroid in order:
        nearest = similarities[:, centroid].copy()
        nearest[picked] = -np.inf
        picked.append(int(nearest.argmax()))
    return np.array(picked, dtype=np.int64)


def uncertainty(p: NDArray[np.float32]) -> NDArray[np.float32]:
    """How unsure each row of suggestions is, (n,) float32 in [0, 1]: 1 - (best share - second best
    share).

    p  (n, K) float32, shares of the classes; with fewer than two classes there is nothing to be
       unsure about: 0
    """
    if p.shape[1] < 2:
        return np.zeros(len(p), np.float32)
    best = -np.partition(-p, 1, axis=1)[:, :2]
    return np.asarray(1 - (best[:, 0] - best[:, 1]), dtype=np.float32)

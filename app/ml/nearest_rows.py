"""The nearest other rows of every row: exactly, or in a few cells where rows are many."""

import faiss
import numpy as np
from numpy.typing import NDArray

from app.ml.vectors import Vectors

EXACT_UP_TO = 50_000
"""Above this many rows, all pairs take minutes: nearest rows are then sought in a few cells of an
inverted file."""

N_PROBED_CELLS = 24


def find_nearest_others(rows: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Cosine and row of each row's k nearest others, both (n, k); exact up to EXACT_UP_TO rows."""
    if len(rows) > EXACT_UP_TO:
        similarities, near = _search_cells(rows, k + 1)
    else:
        similarities, near = faiss.knn(rows, rows, k + 1, metric=faiss.METRIC_INNER_PRODUCT)
    # Among duplicates a row need not find itself first, or at all: then its last neighbour goes
    # instead.
    own = near == np.arange(len(rows))[:, None]
    own[~own.any(axis=1), -1] = True
    similarities = np.where(near < 0, 0.0, similarities)
    near = np.where(near < 0, np.arange(len(rows))[:, None], near)
    shape = (len(rows), k)
    return similarities[~own].reshape(shape).astype(np.float32), near[~own].reshape(shape)


def _search_cells(rows: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Search N_PROBED_CELLS of 2 sqrt(n) cells for each row; -1 where a cell runs out."""
    n_cells = int(2 * np.sqrt(len(rows)))
    quantizer = faiss.IndexFlatIP(rows.shape[1])
    index = faiss.IndexIVFFlat(quantizer, rows.shape[1], n_cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = 64
    index.cp.niter = 10
    index.train(rows)
    index.add(rows)
    index.nprobe = min(N_PROBED_CELLS, n_cells)
    similarities, near = index.search(rows, k)
    return similarities, near

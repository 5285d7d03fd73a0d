"""The neighbour graph over raw vectors. It depends on them alone, so it is built once and kept."""

import faiss
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.vectors import Vectors, unit_rows

EXACT_UP_TO = 50_000
"""Above this many rows, all pairs take minutes: nearest rows are then sought in a few cells of an
inverted file."""

N_PROBED_CELLS = 24


def build_neighbour_graph(vectors: Vectors, k: int = 15) -> sp.csr_matrix:
    """Who is near whom: S = D^-1/2 W D^-1/2, (n, n) float32, symmetric, no record its own
    neighbour.

    W holds max(cosine, 0)^3 between each record and its k nearest others, made symmetric by the
    larger of the two. Duplicates are neighbours like any others; with n <= k everybody is
    everybody's neighbour.

    Raises ValueError for NaN or zero rows, or k < 1.
    Source: Zhou et al. 2003, Learning with Local and Global Consistency.
    """
    if k < 1:
        raise ValueError(f"A graph needs at least 1 neighbour, not {k}.")
    rows = unit_rows(vectors)
    n = len(rows)
    k = min(k, n - 1)
    if k < 1:
        return sp.csr_matrix((n, n), dtype=np.float32)
    similarities, near = find_nearest_others(rows, k)
    weights = np.maximum(similarities, 0).ravel() ** 3
    w = sp.csr_matrix((weights, near.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    return _normalise(w.maximum(w.T).tocsr())


def remove_cannot_link_edges(graph: sp.csr_matrix, apart: NDArray[np.int64]) -> sp.csr_matrix:
    """The graph without the edges between these rows, (p, 2) int64: somebody said that they are
    not alike. What the other edges carry stays as it is.
    """
    if len(apart) == 0:
        return graph
    both = np.concatenate([apart, apart[:, ::-1]])
    cut = sp.csr_matrix((np.ones(len(both), np.float32), both.T), shape=graph.shape)
    kept = graph - graph.multiply(cut > 0)
    kept.eliminate_zeros()
    return kept.tocsr()


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
    """Nearest rows by visiting VISITED of 2 sqrt(n) cells; rows of -1 where a cell ran out."""
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


def _normalise(w: sp.csr_matrix) -> sp.csr_matrix:
    degree = np.asarray(w.sum(axis=1)).ravel()
    scale = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1e-12)), 0).astype(np.float32)
    w = w.multiply(scale[:, None]).multiply(scale[None, :]).tocsr()
    w.eliminate_zeros()
    return w.astype(np.float32)

"""The neighbour graph over raw vectors. It depends on them alone, so it is built once and kept."""

import numpy as np
import scipy.sparse as sp

from app.ml.nearest_rows import find_nearest_others
from app.ml.vectors import Vectors, unit_rows


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
        raise ValueError(f"A graph needs at least 1 neighbour per record, not {k}.")
    rows = unit_rows(vectors)
    n = len(rows)
    k = min(k, n - 1)
    if k < 1:
        return sp.csr_matrix((n, n), dtype=np.float32)
    similarities, near = find_nearest_others(rows, k)
    weights = np.maximum(similarities, 0).ravel() ** 3
    w = sp.csr_matrix((weights, near.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    return _normalise(w.maximum(w.T).tocsr())


def _normalise(w: sp.csr_matrix) -> sp.csr_matrix:
    degree = np.asarray(w.sum(axis=1)).ravel()
    scale = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1e-12)), 0).astype(np.float32)
    w = w.multiply(scale[:, None]).multiply(scale[None, :]).tocsr()
    w.eliminate_zeros()
    return w.astype(np.float32)

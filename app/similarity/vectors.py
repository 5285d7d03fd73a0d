"""Vectors: rows of float32, and what has to hold before they are trusted."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""(n, d) float32; unless a docstring says otherwise rows have length 1, so a dot product is the
cosine."""

SHORTEST_ROW = 1e-6
"""Below this length a row has no direction worth naming."""


def unit_rows(vectors: Vectors) -> Vectors:
    """The same directions at length 1, (n, d) float32, C-contiguous.

    Raises ValueError for anything but a two-dimensional, finite array without zero rows:
    FAISS answers such rows with nonsense, silently.
    """
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if rows.ndim != 2:
        raise ValueError(f"Vectors have two dimensions, not {rows.ndim}.")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError("A vector holds NaN or infinity.")
    if (lengths < SHORTEST_ROW).any():
        raise ValueError("A vector is zero, so it has no direction.")
    return np.ascontiguousarray(rows / lengths)

"""Vectors: rows of float32, and what has to hold before they are trusted."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]
"""(n, d) float32; unless a docstring says otherwise rows have length 1, so a dot product is the
cosine."""

SHORTEST_ROW = 1e-6
"""Below this length a row has no direction worth naming."""

UNIT_TOLERANCE = 1e-6
"""A row whose length differs from 1 by no more than this has length 1: float32 tells no better."""

BLOCK_ROWS = 10_000
"""Rows worked on at once where all of them need not be copied."""


def unit_rows(vectors: Vectors) -> Vectors:
    """Return the same directions at length 1, (n, d) float32, C-contiguous.

    Where all rows have length 1 already the result is `vectors` itself, not a copy, so never change
    it in place; `vectors` is never changed here.

    Raises ValueError for anything but a two-dimensional, finite array without zero rows:
    FAISS answers such rows with nonsense, silently.
    """
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if rows.ndim != 2:
        raise ValueError(f"Vectors have two dimensions, not {rows.ndim}.")
    lengths = np.empty((len(rows), 1), np.float32)
    for block in split_blocks(len(rows)):
        lengths[block] = np.linalg.norm(rows[block], axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError("A vector holds NaN or infinity.")
    if (lengths < SHORTEST_ROW).any():
        raise ValueError("A vector is zero, so it has no direction.")
    if (np.abs(lengths - 1) <= UNIT_TOLERANCE).all():
        return rows
    # A conversion has made a copy already; that one may be changed.
    unit = np.empty_like(rows) if np.may_share_memory(rows, vectors) else rows
    for block in split_blocks(len(rows)):
        np.divide(rows[block], lengths[block], out=unit[block])
    return unit


def split_blocks(n: int, size: int = BLOCK_ROWS) -> Iterator[slice]:
    """Slices of at most `size` that cover n rows in order."""
    return (slice(start, min(n, start + size)) for start in range(0, n, size))

"""Overlap: how much two rankings of the same records have in common, the top counting most."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PERSISTENCE = 0.98
"""Persistence p: at .98 the first 50 places have 86 % of the weight (Webber et al.)."""


def rank_biased_overlap(
    first: NDArray[np.int64], second: NDArray[np.int64], p: float = 0.9
) -> float:
    """Rank-biased overlap of two rankings in [0, 1]; the top counts most. p: persistence.

    Extrapolated to unseen ranks from the overlap at the common depth, so that equal lists have 1.0.

    Raises ValueError for an id that a ranking names twice, an empty ranking, or p outside (0, 1).
    Source: Webber, Moffat and Zobel 2010, equation 30 (RBO ext) for lists of the same length.
    """
    depth = min(len(first), len(second))
    if depth == 0 or not 0 < p < 1:
        raise ValueError("Rankings have at least one place, and 0 < p < 1.")
    first_ids, second_ids = first.tolist(), second.tolist()
    if len(set(first_ids)) < len(first_ids) or len(set(second_ids)) < len(second_ids):
        raise ValueError("A ranking names an id twice.")
    # Not NumPy's intersect1d, which takes milliseconds for lists of ten.
    place = {each: at for at, each in enumerate(second_ids[:depth])}
    common_from = [
        max(at, place[each]) for at, each in enumerate(first_ids[:depth]) if each in place
    ]
    return float(_overlap(np.bincount(common_from, minlength=depth)[None, :], p)[0])


def overlap_each(
    first: NDArray[np.int32], second: NDArray[np.int32], p: float = PERSISTENCE
) -> Floats:
    """Return the overlap of each query's two rankings, (q,) in [0, 1].

    first, second  (q, c) int32: row by row the same c candidates, each once, nearest first
    """
    q, c = first.shape
    _, as_numbers = np.unique(np.concatenate([first, second], axis=1), return_inverse=True)
    numbers = as_numbers.reshape(q, 2 * c)
    place = np.full((q, int(numbers.max()) + 1), c, np.int64)
    np.put_along_axis(place, numbers[:, c:], np.arange(c)[None, :], axis=1)
    common_from = np.maximum(np.take_along_axis(place, numbers[:, :c], axis=1), np.arange(c))
    counted = np.zeros((q, c + 1), np.int64)
    np.add.at(counted, (np.arange(q)[:, None], common_from), 1)
    return _overlap(counted[:, :c], p)


def _overlap(new_at: NDArray[np.int64], p: float) -> Floats:
    """RBO of q pairs: new_at (q, depth), how many ids are in both lists from that place on."""
    depth = new_at.shape[1]
    agreement = np.cumsum(new_at, axis=1) / np.arange(1, depth + 1)
    weights = p ** np.arange(1, depth + 1)
    return np.asarray((1 - p) / p * (agreement @ weights) + agreement[:, -1] * p**depth)

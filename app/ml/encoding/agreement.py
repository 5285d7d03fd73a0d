"""How far two runtimes agree on the same texts, and whether that is enough to use the faster."""

from dataclasses import dataclass

import numpy as np

from app.ml.vectors import Vectors

NEIGHBOURS = 10
LEAST_COSINE = 0.99
LEAST_OVERLAP = 0.9


@dataclass(frozen=True)
class Agreement:
    """Measured on n texts.

    mean_cosine  of each text's two vectors, mean
    least_cosine the same, of the text on which they agree least
    overlap      mean share of a text's 10 nearest others (fewer if n is small) that both name
    """

    n: int
    mean_cosine: float
    least_cosine: float
    overlap: float

    @property
    def is_enough(self) -> bool:
        """Whether search would hardly notice: a mean cosine of .99 and nine in ten neighbours."""
        return self.mean_cosine >= LEAST_COSINE and self.overlap >= LEAST_OVERLAP

    @property
    def sentence(self) -> str:
        """The figures, with their n."""
        return (
            f"on {self.n} texts the mean cosine to torch is {self.mean_cosine:.4f} "
            f"and {self.overlap:.0%} of the nearest neighbours are the same"
        )


def agreement(vectors: Vectors, others: Vectors) -> Agreement:
    """Of two runtimes' vectors of the same texts, (n, d) float32 each, rows of length 1.

    Raises ValueError for fewer than two texts, or shapes that differ.
    """
    if vectors.shape != others.shape or len(vectors) < 2:
        raise ValueError("Agreement is measured on two or more texts, by vectors of one length.")
    cosines = np.einsum("ij,ij->i", vectors, others)
    shared = [
        len(np.intersect1d(one, other)) / len(one)
        for one, other in zip(_find_nearest(vectors), _find_nearest(others), strict=True)
    ]
    return Agreement(
        len(vectors), float(cosines.mean()), float(cosines.min()), float(np.mean(shared))
    )


def _find_nearest(vectors: Vectors) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """(n, k) rows of the k nearest others, k = 10 or n - 1."""
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, -np.inf)
    k = min(NEIGHBOURS, len(vectors) - 1)
    return np.argsort(-similarities, axis=1, kind="stable")[:, :k]

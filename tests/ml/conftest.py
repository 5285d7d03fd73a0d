"""Vectors with a known truth: a few classes in quiet dimensions, drowned by loud ones."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from app.ml.evaluation.ranking import rank_hits, top_k_each
from app.ml.examples import Examples
from app.ml.vectors import Vectors, unit_rows


@dataclass(frozen=True)
class Crowd:
    """600 records of 3 classes, (600, 24) vectors, 200 of each class."""

    vectors: Vectors
    classes: NDArray[np.int64]

    def examples(self, rows: NDArray[np.int64]) -> Examples:
        return examples_of(rows, self.classes[rows], (11, 12, 13))


def examples_of(
    rows: NDArray[np.int64], classes: NDArray[np.int64], label_ids: tuple[int, ...]
) -> Examples:
    """Examples of equal weight, each a group of its own."""
    m = len(rows)
    return Examples(
        rows=np.asarray(rows, dtype=np.int64),
        classes=np.asarray(classes, dtype=np.int64),
        label_ids=label_ids,
        groups=np.arange(m),
        weights=np.ones(m, np.float32),
    )


def top_k(vectors: Vectors, classes: NDArray[np.int64], k: int) -> float:
    """The mean over all records."""
    return float(top_k_each(rank_hits(vectors, classes), k).mean())


@pytest.fixture(scope="session")
def crowd() -> Crowd:
    """Each class is a chain of clusters, so that neighbours tell more than the raw cosine does."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(12, 24))
    classes = np.repeat(np.arange(3), 200)
    cluster = classes * 4 + np.tile(np.arange(4), 150)
    rows = centres[cluster] + rng.normal(scale=0.7, size=(600, 24))
    return Crowd(unit_rows(rows.astype(np.float32)), classes)

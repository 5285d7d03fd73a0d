import numpy as np
import pytest

from app.similarity.graph import neighbour_graph
from app.similarity.recipe import Recipe
from app.similarity.suggesting import resuggest
from tests.similarity.conftest import Crowd

pytestmark = pytest.mark.once


def test_suggestions_get_better_as_labels_arrive(crowd: Crowd) -> None:
    graph = neighbour_graph(crowd.vectors)
    rows = np.random.default_rng(1).permutation(600)

    right = []
    for m in (6, 300):
        chances = resuggest(graph, crowd.vectors, crowd.examples(rows[:m]), Recipe())
        right.append((chances.argmax(axis=1) == crowd.classes)[rows[300:]].mean())
        np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)

    assert right[1] > max(0.9, right[0])

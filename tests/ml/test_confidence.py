"""How sure suggestions may be, by the number of labeled records."""

from dataclasses import replace

import numpy as np
import pytest

from app.ml.graph import build_neighbour_graph
from app.ml.heads.tuning import tune
from app.ml.label_inference.confidence import compute_confidence_limits, limit_confidence
from app.ml.label_inference.infer import infer_from_raw_vectors
from app.ml.recipe import Recipe
from tests.ml.conftest import Crowd, examples_of

pytestmark = pytest.mark.once


def test_the_limit_of_a_label_grows_with_its_labeled_records() -> None:
    classes = np.repeat([0, 1, 2], [1, 8, 98])

    limits = compute_confidence_limits(examples_of(np.arange(107), classes, (5, 6, 7, 8)))

    np.testing.assert_allclose(limits, [2 / 3, 9 / 10, 99 / 100, 1 / 2], rtol=1e-6)


def test_squeezed_probabilities_keep_their_order_and_still_sum_to_one() -> None:
    chances = np.array([[1, 0, 0], [0.9, 0.1, 0], [0.6, 0.3, 0.1], [0.4, 0.35, 0.25]], np.float32)
    limits = np.array([0.75, 0.9, 0.9], np.float32)

    squeezed = limit_confidence(chances, limits, is_binary=False)

    np.testing.assert_allclose(squeezed.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(squeezed[:, 0], [0.75, 0.7, 0.55, 0.4], rtol=1e-5)
    np.testing.assert_allclose(squeezed[2, 1] / squeezed[2, 2], 3, rtol=1e-3)
    assert squeezed.argmax(axis=1).tolist() == chances.argmax(axis=1).tolist()


def test_independent_labels_are_squeezed_each_by_itself() -> None:
    chances = np.array([[1.0, 0.98, 0.2]], np.float32)

    squeezed = limit_confidence(chances, np.array([2 / 3, 0.95, 0.5], np.float32), is_binary=True)

    np.testing.assert_allclose(squeezed, [[2 / 3, 0.932, 0.2]], rtol=1e-4)


@pytest.mark.parametrize("several", [False, True])
def test_no_label_with_one_example_is_suggested_as_nearly_certain(
    crowd: Crowd, several: bool
) -> None:
    """By a head, and between two versions."""
    rows = np.array([0, *range(200, 230), *range(400, 430)])
    examples = crowd.examples(rows)
    if several:
        examples = replace(examples, targets=examples.label_matrix())
    graph = build_neighbour_graph(crowd.vectors)

    renewed = infer_from_raw_vectors(graph, crowd.vectors, examples, Recipe())
    learned = tune(crowd.vectors, examples, Recipe(), lambda *_: None, graph).suggest(crowd.vectors)

    assert learned is not None
    for chances in (renewed, learned):
        assert chances[:, 0].max() <= 2 / 3 + 1e-4
        assert chances[:, 1].max() > 0.9

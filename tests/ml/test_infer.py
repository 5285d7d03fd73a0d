from dataclasses import replace

import numpy as np
import pytest

from app.ml.graph import build_neighbour_graph
from app.ml.label_inference.infer import (
    infer_from_raw_vectors,
    infer_probabilities,
    infer_soft_targets,
)
from app.ml.recipe import Recipe
from tests.ml.conftest import Crowd, examples_of

pytestmark = pytest.mark.once


def test_suggestions_get_better_as_labels_arrive(crowd: Crowd) -> None:
    graph = build_neighbour_graph(crowd.vectors)
    rows = np.random.default_rng(1).permutation(600)

    right = []
    for m in (6, 300):
        chances = infer_from_raw_vectors(graph, crowd.vectors, crowd.examples(rows[:m]), Recipe())
        right.append((chances.argmax(axis=1) == crowd.classes)[rows[300:]].mean())
        np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)

    assert right[1] > max(0.9, right[0])


def test_one_answer_alone_is_suggested_for_everything_as_surely_as_its_labels_allow(
    crowd: Crowd,
) -> None:
    graph = build_neighbour_graph(crowd.vectors)
    examples = examples_of(np.arange(30), np.ones(30, np.int64), (11, 12))

    chances = infer_from_raw_vectors(graph, crowd.vectors, examples, Recipe())

    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)
    assert 30 / 32 < chances[:, 1].min() <= chances[:, 1].max() < 31 / 32


def test_each_of_several_labels_is_suggested_by_itself(crowd: Crowd) -> None:
    rows = np.random.default_rng(1).permutation(600)[:90]
    truth = np.stack([crowd.classes != 0, crowd.classes == 2], axis=1)
    examples = replace(examples_of(rows, np.zeros(90, np.int64), (5, 6)), targets=truth[rows])

    chances = infer_from_raw_vectors(
        build_neighbour_graph(crowd.vectors), crowd.vectors, examples, Recipe()
    )

    assert ((chances > 0.5) == truth).mean() > 0.85
    sure = np.maximum(chances, 1 - chances).mean()
    assert abs(sure - ((chances > 0.5) == truth).mean()) < 0.12


def test_what_was_found_unlike_a_labeled_record_is_less_likely_to_be_of_its_label(
    crowd: Crowd,
) -> None:
    graph = build_neighbour_graph(crowd.vectors)
    seed = int(np.flatnonzero(crowd.classes == 0)[0])
    near = graph[seed].indices[0]
    examples = crowd.examples(np.array([seed, 250, 450]))

    chances = [
        infer_probabilities(graph, crowd.vectors, replace(examples, apart=apart), Recipe())[near, 0]
        for apart in (np.empty((0, 2), np.int64), np.array([[seed, near]]))
    ]

    assert chances[1] < chances[0] - 0.02
    assert chances[1] > 0.9 * chances[0] / 5


@pytest.mark.parametrize("n", [3, 40])
def test_records_that_are_all_the_same_get_the_same_suggestion(n: int) -> None:
    same = np.ones((n, 4), np.float32)
    examples = examples_of(np.arange(3), np.array([0, 1, 1]), tuple(range(150)))

    chances = infer_from_raw_vectors(build_neighbour_graph(same), same, examples, Recipe())

    assert np.isfinite(chances).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    assert chances[:, :2].sum(axis=1).min() > 0.99


def test_a_vector_that_is_no_direction_is_refused(crowd: Crowd) -> None:
    broken = crowd.vectors.copy()
    broken[7] = np.nan

    with pytest.raises(ValueError, match="NaN"):
        infer_from_raw_vectors(
            build_neighbour_graph(crowd.vectors), broken, crowd.examples(np.arange(9)), Recipe()
        )


def test_a_deep_run_learns_votes_and_elsewhere_probabilities(crowd: Crowd) -> None:
    rows = np.random.default_rng(1).permutation(600)[:40]
    graph, examples = build_neighbour_graph(crowd.vectors), crowd.examples(rows)

    taught = infer_soft_targets(graph, crowd.vectors, examples, Recipe())

    np.testing.assert_array_equal(taught[examples.rows], examples.label_matrix())
    others = np.setdiff1d(np.arange(len(taught)), examples.rows)
    chances = infer_probabilities(graph, crowd.vectors, examples, Recipe())
    np.testing.assert_array_equal(taught[others], chances[others])

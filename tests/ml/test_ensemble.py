from dataclasses import replace

import numpy as np
import pytest

from app.ml.graph import build_neighbour_graph
from app.ml.label_inference.ensemble import ViewWeights, choose_weights, run_ensemble
from app.ml.recipe import Recipe
from tests.ml.conftest import Crowd, examples_of

pytestmark = pytest.mark.once


def test_with_few_examples_wide_propagation_is_used_alone(crowd: Crowd) -> None:
    graph = build_neighbour_graph(crowd.vectors)
    alone = crowd.examples(np.array([0, 200, 400]))

    weights = choose_weights(graph, crowd.vectors, alone, Recipe())

    assert weights == ViewWeights()
    assert choose_weights(graph, crowd.vectors, alone, Recipe(prior_power=0.5)).commonness == 0.5


def test_class_priors_are_used_where_held_out_examples_support_them(crowd: Crowd) -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(600, 24)).astype(np.float32)
    vectors = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    rows = rng.permutation(600)[:150]
    uneven = examples_of(rows, (rng.random(150) < 0.1).astype(np.int64), (1, 2))

    found = run_ensemble(build_neighbour_graph(vectors), vectors, uneven, Recipe())

    assert found.weights.commonness >= 0.5
    assert 0.75 < found.probabilities[:, 0].mean() < 0.98


def test_ridge_regression_is_used_where_neighbours_are_uninformative() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(800, 40)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    classes = (rows[:, 0] > 0).astype(np.int64)
    examples = examples_of(np.arange(300), classes[:300], (1, 2))

    found = run_ensemble(build_neighbour_graph(rows), rows, examples, Recipe())

    assert found.weights.linear > 0
    right = found.probabilities.argmax(axis=1) == classes
    assert right[300:].mean() > 0.85
    assert abs(found.probabilities[300:].max(axis=1).mean() - right[300:].mean()) < 0.12


def test_labels_of_a_class_nobody_shows_do_not_make_everything_doubtful(crowd: Crowd) -> None:
    rows = np.concatenate([np.arange(0, 600, 60), np.arange(5, 600, 60)])
    classes = crowd.classes[rows].copy()
    classes[-5:] = np.arange(3, 8)
    examples = examples_of(rows, classes, tuple(range(8)))
    graph = build_neighbour_graph(crowd.vectors)

    found = run_ensemble(graph, crowd.vectors, examples, Recipe())

    assert found.weights.sharpness >= 1
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-5)


def test_an_example_of_low_weight_has_little_effect(crowd: Crowd) -> None:
    rows = np.random.default_rng(1).permutation(600)[:60]
    wrong = (crowd.classes[rows] + (np.arange(60) < 25)) % 3
    examples = examples_of(rows, wrong, (11, 12, 13))
    light = np.where(np.arange(60) < 25, 0.05, 1).astype(np.float32)
    graph = build_neighbour_graph(crowd.vectors)

    right = [
        (
            run_ensemble(graph, crowd.vectors, each, Recipe()).probabilities.argmax(axis=1)
            == crowd.classes
        ).mean()
        for each in (examples, replace(examples, weights=light))
    ]

    assert right[1] > right[0] + 0.05
    assert right[1] > 0.85

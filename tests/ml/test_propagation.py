import numpy as np
import pytest
import scipy.sparse as sp

from app.ml.graph import build_neighbour_graph
from app.ml.label_inference.propagation import propagate, propagate_binary
from app.ml.vectors import unit_rows
from tests.ml.conftest import Crowd

pytestmark = pytest.mark.once


def test_propagation_reaches_its_fixed_point(crowd: Crowd) -> None:
    s = build_neighbour_graph(crowd.vectors, 10)
    start = np.zeros((600, 2))
    start[0, 0] = start[300, 1] = 1
    limit = np.linalg.solve(np.eye(600) - 0.8 * s.toarray(), 0.2 * start)
    limit /= limit.sum(axis=0)
    reached = limit.sum(axis=1) > 1e-9
    limit = limit[reached] / limit[reached].sum(axis=1, keepdims=True)

    soft = propagate(s, np.array([0, 300]), np.array([0, 1]), 2, alpha=0.8, steps=100)

    assert reached.mean() > 0.1
    np.testing.assert_allclose(soft[reached], limit, atol=1e-4)


def test_a_few_labels_reach_the_records_like_them(crowd: Crowd) -> None:
    rows = np.random.default_rng(1).permutation(600)[:60]

    soft = propagate(build_neighbour_graph(crowd.vectors), rows, crowd.classes[rows], 3)

    assert (soft.argmax(axis=1) == crowd.classes).mean() > 0.9
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-5)


def test_what_no_label_reaches_gets_like_shares_and_an_unused_class_gets_nothing() -> None:
    pair = sp.csr_matrix(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], np.float32))
    rows, classes = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 2])

    even = propagate(pair, rows, classes, 3)

    np.testing.assert_allclose(even[2], [0.5, 0, 0.5])


def test_of_contradicting_labels_the_heavier_one_wins() -> None:
    s = build_neighbour_graph(unit_rows(np.eye(4, dtype=np.float32) + 1))
    rows, classes = np.array([0, 0, 1, 2]), np.array([0, 1, 0, 1])
    weights = np.array([3, 1, 1, 1], np.float32)

    soft = propagate(s, rows, classes, 2, weights=weights, alpha=0.5)

    assert soft[0, 0] > soft[0, 1]


def test_each_label_travels_by_itself_when_records_may_have_many(crowd: Crowd) -> None:
    rows = np.random.default_rng(1).permutation(600)[:90]
    truth = np.stack([crowd.classes != 0, crowd.classes == 2, crowd.classes > 5], axis=1)

    chances = propagate_binary(build_neighbour_graph(crowd.vectors), rows, truth[rows])

    assert ((chances > 0.5) == truth).mean(axis=0).min() > 0.85
    assert chances[:, 2].max() == 0


@pytest.mark.parametrize(
    ("rows", "classes"), [([], []), ([9], [0]), ([-1], [0]), ([0], [2]), ([0, 1], [0])]
)
def test_impossible_examples_are_refused(rows: list[int], classes: list[int]) -> None:
    s = build_neighbour_graph(np.ones((4, 2), np.float32))

    with pytest.raises(ValueError, match="example"):
        propagate(s, np.array(rows, np.int64), np.array(classes, np.int64), 2)


def test_each_label_alone_travels_as_yes_against_no(crowd: Crowd) -> None:
    rows = np.random.default_rng(2).permutation(600)[:50]
    truth = np.stack([crowd.classes == c for c in range(3)], axis=1)
    s = build_neighbour_graph(crowd.vectors)
    weights = np.random.default_rng(3).uniform(0.5, 2, 50).astype(np.float32)

    together = propagate_binary(s, rows, truth[rows], weights=weights)

    for label in range(3):
        no = (~truth[rows, label]).astype(np.int64)
        alike = propagate(s, rows, no, 2, weights=weights, steps=60)
        alone = alike * np.bincount(no, weights, 2)
        alone /= alone.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(together[:, label], alone[:, 0], atol=1e-3)

"""The second round of propagation, from the records that the first one is surest of."""

import numpy as np
import pytest

from app.ml.graph import build_neighbour_graph
from app.ml.label_inference.infer import infer_from_raw_vectors
from app.ml.label_inference.soft_labels import add_most_certain, propagate_labels
from app.ml.recipe import Recipe
from app.ml.vectors import unit_rows
from tests.ml.conftest import examples_of

pytestmark = pytest.mark.once

N_CLASSES, N_GROUPS, N_EACH = 8, 40, 20


def far_apart_groups() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of 320 tight groups in all directions, their group, and their class."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(N_CLASSES * N_GROUPS), N_EACH)
    centres = unit_rows(rng.normal(size=(N_CLASSES * N_GROUPS, 384)).astype(np.float32))
    rows = centres[group] + 0.01 * rng.normal(size=(len(group), 384)).astype(np.float32)
    return unit_rows(rows), group, group % N_CLASSES


def test_groups_that_no_label_reaches_stay_undecided() -> None:
    vectors, group, classes = far_apart_groups()
    labeled = np.array(
        [
            np.flatnonzero((group // N_CLASSES == number) & (classes == c))[0]
            for c in range(N_CLASSES)
            for number in range(3 if c == 0 else 20)
        ]
    )
    examples = examples_of(labeled, classes[labeled], tuple(range(N_CLASSES)))
    graph = build_neighbour_graph(vectors)

    shares = propagate_labels(graph, examples, Recipe(second_look=0.3))
    suggested = infer_from_raw_vectors(graph, vectors, examples, Recipe())

    reached = np.isin(group, group[labeled])
    np.testing.assert_allclose(shares[~reached], 1 / N_CLASSES, atol=1e-4)
    assert (shares.argmax(axis=1) == classes)[reached].all()
    assert suggested[~reached].max() < 0.6


def test_a_class_whose_labels_reach_few_records_is_not_filled_up_with_others() -> None:
    shares = np.full((100, 2), 0.5, np.float32)
    shares[:10] = [0.9, 0.1]
    shares[10:14] = [0.2, 0.8]
    examples = examples_of(np.array([0, 10]), np.array([0, 1]), (5, 6))

    more = add_most_certain(examples, shares, 0.3)

    added = more.rows[2:]
    assert sorted(added[more.classes[2:] == 0].tolist()) == list(range(10))
    assert sorted(added[more.classes[2:] == 1].tolist()) == [10, 11, 12, 13]
    np.testing.assert_allclose(more.weights[more.classes == 0].sum(), 1 + 0.9, rtol=1e-5)


def test_one_class_alone_has_no_second_round() -> None:
    examples = examples_of(np.array([3]), np.array([1]), (5, 6))

    assert (
        add_most_certain(examples, np.tile(np.array([0, 1], np.float32), (10, 1)), 0.3) is examples
    )

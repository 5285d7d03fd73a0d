"""How sure suggestions may be, by the number of labeled records."""

from dataclasses import replace

import numpy as np
import pytest

from app.ml.graph import build_neighbour_graph
from app.ml.heads.evidence import fit_confidence
from app.ml.heads.tuning import tune
from app.ml.label_inference.confidence import (
    HeldOutClasses,
    cap_smoothly,
    compute_confidence_limits,
    estimate_confidence,
    limit_confidence,
    replace_confidence,
)
from app.ml.label_inference.infer import infer_from_raw_vectors, infer_labels
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


def held_out(*pairs: tuple[int, int, int]) -> HeldOutClasses:
    """So many held-out examples (the third number) of a true class, predicted as the first."""
    predicted, true, n = np.array(pairs).T
    return HeldOutClasses(np.repeat(predicted, n), np.repeat(true, n))


def test_suggestions_are_as_sure_on_average_as_held_out_examples_are_right() -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet([8, 1, 1], 900)[:, rng.permutation(3)].astype(np.float32)
    examples = examples_of(np.arange(300), np.repeat([0, 1, 2], 100), (5, 6, 7))
    margins = rng.normal(0.3, 0.2, 900).astype(np.float32)

    means = [
        estimate_confidence(probabilities, margins, found, examples).mean()
        for found in (
            held_out((0, 0, 60), (1, 0, 40), (1, 1, 60), (2, 1, 40), (2, 2, 60), (0, 2, 40)),
            held_out((0, 0, 90), (1, 0, 10), (1, 1, 90), (2, 1, 10), (2, 2, 90), (0, 2, 10)),
        )
    ]

    # 300 held-out examples beside a prior that counts as 25.
    assert means == pytest.approx([0.61, 0.89], abs=0.03)


def test_a_label_that_held_out_examples_confuse_is_suggested_less_surely() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]] * 50, np.float32)
    examples = examples_of(np.arange(60), np.repeat([0, 1, 2], 20), (5, 6, 7))
    found = held_out((0, 0, 20), (1, 1, 20), (1, 2, 20))

    first, second = estimate_confidence(
        probabilities, np.full(100, 0.5, np.float32), found, examples
    )[:2]

    assert first > second + 0.2


def test_a_label_with_few_examples_is_suggested_less_surely() -> None:
    probabilities = np.array([[0.95, 0.05], [0.05, 0.95]] * 50, np.float32)
    examples = examples_of(np.arange(22), np.repeat([0, 1], [2, 20]), (5, 6))

    few, many = estimate_confidence(
        probabilities, np.full(100, 0.5, np.float32), held_out((0, 0, 2), (1, 1, 20)), examples
    )[:2]

    assert few < 0.75
    assert many > few + 0.1


def test_the_cap_keeps_the_order_and_what_is_far_below() -> None:
    confidence = np.array([0.3, 0.6, 0.8, 0.9, 0.99], np.float32)

    one, many = (
        cap_smoothly(confidence, np.full(5, (n + 1) / (n + 2), np.float32)) for n in (1, 98)
    )

    assert (np.diff(one) > 0).all()
    assert one[-1] < 2 / 3
    assert one[0] == pytest.approx(0.3, abs=0.001)
    assert many == pytest.approx(confidence, abs=0.01)


def test_a_replaced_confidence_leaves_the_same_label_first() -> None:
    rng = np.random.default_rng(7)
    probabilities = rng.dirichlet([1.0] * 5, 400).astype(np.float32)
    probabilities[:, 3] = 0  # A label without examples.
    probabilities /= probabilities.sum(axis=1, keepdims=True)

    shown = replace_confidence(probabilities, np.linspace(0.01, 0.99, 400, dtype=np.float32))

    assert np.array_equal(shown.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(shown.sum(axis=1), 1, rtol=1e-5)
    assert shown[:, 3].max() == 0
    assert shown.max(axis=1)[-1] == pytest.approx(0.99, abs=1e-4)
    assert shown.max(axis=1)[0] == pytest.approx(0.25, abs=1e-2)  # No less than an equal share.


def test_a_head_learns_how_sure_each_label_is_suggested() -> None:
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet([1.0, 1.0], 2000).astype(np.float32)
    suggestions = np.where(probabilities[:, :1] > 0.5, [[0.9, 0.1]], [[0.4, 0.6]])

    (slope_a, at_a), (slope_b, at_b) = fit_confidence(probabilities, suggestions.astype(np.float32))

    assert (slope_a, slope_b) == pytest.approx((0, 0), abs=0.1)
    assert 1 / (1 + np.exp(-at_a)) == pytest.approx(0.9, abs=0.02)
    assert 1 / (1 + np.exp(-at_b)) == pytest.approx(0.6, abs=0.03)


def test_inference_and_head_are_about_equally_sure(crowd: Crowd) -> None:
    rows = np.random.default_rng(2).permutation(600)[:40]
    examples = crowd.examples(rows)
    graph = build_neighbour_graph(crowd.vectors)

    inferred = infer_labels(graph, crowd.vectors, examples, Recipe())
    head = tune(crowd.vectors, examples, Recipe(), lambda *_: None, graph)

    learned = head.suggest(crowd.vectors)
    assert learned is not None
    assert np.array_equal(
        inferred.suggestions.argmax(axis=1), inferred.probabilities.argmax(axis=1)
    )
    assert learned.max(axis=1).mean() == pytest.approx(
        inferred.suggestions.max(axis=1).mean(), abs=0.05
    )

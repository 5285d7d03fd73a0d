"""Vectors and words together."""

from dataclasses import replace

import numpy as np
import pytest

from app.ml.evaluation.cross_validation import cross_validate
from app.ml.graph import build_neighbour_graph
from app.ml.heads.tuning import tune
from app.ml.label_inference.co_training import co_train
from app.ml.label_inference.ensemble import run_ensemble
from app.ml.label_inference.infer import infer_soft_targets
from app.ml.label_inference.naive_bayes import WordFeatures, build_word_features
from app.ml.recipe import Recipe
from app.ml.vectors import unit_rows
from tests.ml.conftest import Crowd, examples_of

pytestmark = pytest.mark.once


def worded(classes: np.ndarray, n_own: int = 2) -> WordFeatures:
    """Texts with so many words of their class's own six, and four that any text may have."""
    rng = np.random.default_rng(5)
    own = rng.integers(0, 6, (len(classes), n_own)) + 100 * (1 + classes[:, None])
    every = rng.integers(0, 60, (len(classes), 4))
    rows = np.concatenate([own, every], axis=1)
    words = build_word_features(" ".join(f"w{number}" for number in row) for row in rows)
    assert words is not None
    return words


def blurred(crowd: Crowd) -> np.ndarray:
    """The crowd's vectors, so noisy that many have neighbours of another class."""
    noise = np.random.default_rng(2).normal(scale=0.3, size=crowd.vectors.shape)
    return unit_rows((crowd.vectors + noise).astype(np.float32))


def right(chances: np.ndarray, crowd: Crowd) -> float:
    return float((chances.argmax(axis=1) == crowd.classes).mean())


def some_rows(m: int) -> np.ndarray:
    return np.random.default_rng(1).permutation(600)[:m]


def test_words_gain_weight_where_they_predict_better(crowd: Crowd) -> None:
    vectors = blurred(crowd)
    graph, examples = build_neighbour_graph(vectors), crowd.examples(some_rows(30))

    alone = co_train(graph, vectors, examples, Recipe(), None).probabilities
    both = co_train(graph, vectors, examples, Recipe(), worded(crowd.classes)).probabilities

    assert right(both, crowd) > right(alone, crowd) + 0.05
    np.testing.assert_allclose(both.sum(axis=1), 1, rtol=1e-5)


def test_a_deep_run_learns_from_both_views_and_from_votes(crowd: Crowd) -> None:
    vectors, rows = blurred(crowd), some_rows(30)
    graph, examples = build_neighbour_graph(vectors), crowd.examples(rows)
    words = worded(crowd.classes)

    taught = infer_soft_targets(graph, vectors, examples, Recipe(), words)

    both = co_train(graph, vectors, examples, Recipe(), words).probabilities
    others = np.setdiff1d(np.arange(600), rows)
    assert np.array_equal(taught[others], both[others])
    assert np.array_equal(taught[rows], examples.label_matrix())


def test_both_views_together_are_calibrated(crowd: Crowd) -> None:
    vectors = blurred(crowd)
    examples = crowd.examples(some_rows(200))

    both = co_train(
        build_neighbour_graph(vectors), vectors, examples, Recipe(), worded(crowd.classes)
    ).probabilities

    assert abs(both.max(axis=1).mean() - right(both, crowd)) < 0.07


def test_misleading_words_get_no_weight_with_enough_labels(crowd: Crowd) -> None:
    graph, examples = build_neighbour_graph(crowd.vectors), crowd.examples(some_rows(200))
    misleading = worded(np.random.default_rng(9).integers(0, 3, 600))

    alone = co_train(graph, crowd.vectors, examples, Recipe(), None).probabilities
    both = co_train(graph, crowd.vectors, examples, Recipe(), misleading).probabilities

    assert right(both, crowd) >= right(alone, crowd) - 0.01


def test_without_words_or_their_weight_the_vectors_stand_alone(crowd: Crowd) -> None:
    graph, examples = build_neighbour_graph(crowd.vectors), crowd.examples(some_rows(30))
    alone = run_ensemble(graph, crowd.vectors, examples, Recipe()).probabilities
    words = worded(crowd.classes)

    unheard = co_train(graph, crowd.vectors, examples, Recipe(words=0.0), words).probabilities

    assert np.array_equal(unheard, alone)
    assert np.array_equal(
        co_train(graph, crowd.vectors, examples, Recipe(), None).probabilities, alone
    )


def test_a_class_without_examples_is_never_suggested_for_its_words(crowd: Crowd) -> None:
    rows = some_rows(25)
    rows = rows[crowd.classes[rows] < 2]
    examples = examples_of(rows, crowd.classes[rows], tuple(range(150)))
    graph = build_neighbour_graph(crowd.vectors)

    both = co_train(graph, crowd.vectors, examples, Recipe(), worded(crowd.classes)).probabilities

    assert both[:, 2:].max() == 0
    np.testing.assert_allclose(both.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("rows", "classes"),
    [([0, 1], [0, 1]), ([0, 0, 1, 1], [0, 1, 0, 1]), ([0, 1, 2], [0, 0, 0])],
    ids=["two", "contradictions", "one class"],
)
def test_few_unusual_examples_still_carry_information(
    crowd: Crowd, rows: list[int], classes: list[int]
) -> None:
    examples = examples_of(np.array(rows), np.array(classes), (1, 2, 3))
    graph = build_neighbour_graph(crowd.vectors)

    both = co_train(graph, crowd.vectors, examples, Recipe(), worded(crowd.classes)).probabilities

    assert np.isfinite(both).all()
    np.testing.assert_allclose(both.sum(axis=1), 1, rtol=1e-5)


def test_a_head_learns_from_words_and_needs_none_to_predict(crowd: Crowd) -> None:
    vectors, examples = blurred(crowd), crowd.examples(some_rows(40))
    recipe = Recipe(passes=20, batch_size=64, hidden=32)

    def accuracy(words: WordFeatures | None) -> float:
        chances = tune(vectors, examples, recipe, lambda *_: None, words=words).suggest(vectors)
        assert chances is not None
        return right(chances, crowd)

    assert accuracy(worded(crowd.classes)) > accuracy(None) + 0.02


def test_held_out_labels_do_not_leak_through_words(crowd: Crowd) -> None:
    """Labels by chance, one word for each pair of records: figures stay what chance gives."""
    rng = np.random.default_rng(4)
    rows = some_rows(150)
    by_chance = examples_of(rows, rng.integers(0, 2, 150), (1, 2))
    pairs = build_word_features(f"pair{n // 2} seen{n % 7}" for n in range(600))
    assert pairs is not None

    recipe = Recipe(passes=2, hidden=16)
    found = cross_validate(crowd.vectors, by_chance, recipe, lambda *_: None, words=pairs)

    accuracy = next(score.value for score in found.tuned if score.metric == "accuracy")
    assert 0.35 < accuracy < 0.65


def test_records_with_several_labels_go_without(crowd: Crowd) -> None:
    rows = some_rows(60)
    targets = np.stack([crowd.classes != 0, crowd.classes == 2], axis=1)[rows]
    examples = replace(examples_of(rows, np.zeros(60, np.int64), (5, 6)), targets=targets)
    recipe = Recipe(passes=2, hidden=16)

    heads = [
        tune(crowd.vectors, examples, recipe, lambda *_: None, words=words)
        for words in (None, worded(crowd.classes))
    ]

    chances = [head.suggest(crowd.vectors) for head in heads]
    assert chances[0] is not None
    assert chances[1] is not None
    np.testing.assert_allclose(chances[0], chances[1], atol=1e-6)

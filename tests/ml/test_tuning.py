import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from app.ml.examples import Count, Examples
from app.ml.graph import build_neighbour_graph
from app.ml.heads.baselines import RawHead, SkipConnectionHead
from app.ml.heads.head import EvidenceHead
from app.ml.heads.tuning import tune
from app.ml.recipe import Recipe
from app.ml.vectors import unit_rows
from tests.ml.conftest import Crowd, examples_of, top_k

pytestmark = pytest.mark.once

QUICK = Recipe(passes=20, batch_size=64, hidden=32)


def ignore_progress(progress: float, message: str, _count: Count | None = None, /) -> None:
    assert 0 <= progress <= 1
    assert message


def some_rows(m: int, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng(seed).permutation(600)[:m]


def test_pages_can_import_everything_without_torch() -> None:
    files = (
        "graph index query_strategies heads.head heads.tuning encoding.encoder "
        "evaluation.cross_validation deep.recipe"
    )
    imports = ", ".join(f"app.ml.{name}" for name in files.split())
    code = f"import sys, {imports}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tuning_brings_records_of_one_class_together(crowd: Crowd) -> None:
    head = tune(crowd.vectors, crowd.examples(some_rows(40)), QUICK, ignore_progress)

    tuned = head.tune(crowd.vectors)
    assert top_k(tuned, crowd.classes, 100) > top_k(crowd.vectors, crowd.classes, 100) + 0.15
    assert tuned.shape == (600, 24 + 3)
    np.testing.assert_allclose(np.linalg.norm(tuned, axis=1), 1, rtol=1e-5)


def test_suggestions_are_calibrated(crowd: Crowd) -> None:
    head = tune(crowd.vectors, crowd.examples(some_rows(60)), QUICK, ignore_progress)

    chances = head.suggest(crowd.vectors)

    assert chances is not None
    assert head.classes == (11, 12, 13)
    right = (chances.argmax(axis=1) == crowd.classes).mean()
    assert right > 0.85
    assert abs(chances.max(axis=1).mean() - right) < 0.15


def test_labels_that_few_carry_are_suggested_where_several_may_be_given(crowd: Crowd) -> None:
    places = crowd.classes * 4 + np.tile(np.arange(4), 150)  # Twelve labels, 50 records each.
    rows = some_rows(60)
    examples = examples_of(rows, places[rows], tuple(range(12)))

    separate = replace(examples, targets=examples.label_matrix())
    chances = tune(crowd.vectors, separate, QUICK, ignore_progress).suggest(crowd.vectors)

    assert chances is not None
    assert (chances[np.arange(600), places] > 0.5).mean() > 0.9


def test_a_cached_graph_and_the_same_seed_give_the_same_head(crowd: Crowd) -> None:
    examples = crowd.examples(some_rows(30))

    first = tune(crowd.vectors, examples, QUICK, ignore_progress)
    again = tune(
        crowd.vectors, examples, QUICK, ignore_progress, build_neighbour_graph(crowd.vectors)
    )
    other = tune(crowd.vectors, examples, replace(QUICK, seed=1), ignore_progress)

    np.testing.assert_allclose(
        first.tune(crowd.vectors), again.tune(crowd.vectors), rtol=0, atol=1e-5
    )
    assert not np.allclose(first.tune(crowd.vectors), other.tune(crowd.vectors), atol=1e-3)


def test_records_may_carry_several_labels(crowd: Crowd) -> None:
    rows = some_rows(90)
    truth = np.stack([crowd.classes != 0, crowd.classes == 2], axis=1)
    examples = replace(examples_of(rows, np.zeros(90, np.int64), (5, 6)), targets=truth[rows])

    head = tune(crowd.vectors, examples, QUICK, ignore_progress)

    chances = head.suggest(crowd.vectors)
    assert chances is not None
    assert ((chances > 0.5) == truth).mean() > 0.85
    assert top_k(head.tune(crowd.vectors), truth, 100) > top_k(crowd.vectors, truth, 100) + 0.05


def test_the_baseline_moves_labeled_records_towards_their_class(crowd: Crowd) -> None:
    rows = some_rows(200)
    recipe = Recipe(method="skip_triplet", triplet_learning_rate=5e-2)

    head = tune(crowd.vectors, crowd.examples(rows), recipe, ignore_progress)

    labeled, classes = crowd.vectors[rows], crowd.classes[rows]
    assert isinstance(head, SkipConnectionHead)
    assert head.suggest(labeled) is None
    assert top_k(head.tune(labeled), classes, 20) > top_k(labeled, classes, 20) + 0.1


def test_one_class_alone_leaves_vectors_as_they_are(crowd: Crowd) -> None:
    examples = examples_of(np.arange(30), np.zeros(30, np.int64), (11, 12))

    assert isinstance(tune(crowd.vectors, examples, QUICK, ignore_progress), RawHead)


@pytest.mark.parametrize("method", ["head", "skip_triplet"])
@pytest.mark.parametrize(
    ("n", "rows", "classes"),
    [
        (3, [0, 1, 2], [0, 1, 1]),
        (40, [0, 0, 1, 1], [0, 1, 0, 1]),
        (40, [0, 1, 2, 3, 4], [0, 0, 0, 0, 1]),
        (40, list(range(25)), list(range(25))),
    ],
    ids=["three records", "contradicting duplicates", "a class of one", "25 of 150 classes"],
)
@pytest.mark.parametrize("is_same", [False, True], ids=["different", "identical"])
def test_odd_examples_still_make_a_head_that_works(
    method: str, n: int, rows: list[int], classes: list[int], is_same: bool
) -> None:
    vectors = unit_rows(np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32))
    if is_same:
        vectors = np.repeat(vectors[:1], n, axis=0)
    examples = examples_of(np.array(rows), np.array(classes), tuple(range(150)))
    recipe = Recipe.from_json({"method": method, "passes": 2, "triplet_epochs": 3})

    head = tune(vectors, examples, recipe, ignore_progress)

    assert np.isfinite(head.tune(vectors)).all()
    chances = head.suggest(vectors)
    if isinstance(head, EvidenceHead):
        assert chances is not None
        np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-4)


def test_impossible_examples_are_refused(crowd: Crowd) -> None:
    nobody = examples_of(np.empty(0, np.int64), np.empty(0, np.int64), (1, 2))
    outside = examples_of(np.array([0, 600]), np.array([0, 1]), (1, 2))
    weightless = replace(crowd.examples(some_rows(5)), weights=np.zeros(5, np.float32))

    for examples, reason in ((nobody, "at least one"), (outside, "outside"), (weightless, "above")):
        with pytest.raises(ValueError, match=reason):
            tune(crowd.vectors, examples, QUICK, ignore_progress)
    with pytest.raises(ValueError, match="not among the labels"):
        examples_of(np.array([0]), np.array([2]), (1, 2))
    with pytest.raises(ValueError, match="yes or no"):
        replace(crowd.examples(some_rows(5)), targets=np.ones((4, 3), bool))


def test_a_report_that_raises_cancels(crowd: Crowd) -> None:
    def cancelled(progress: float, message: str, _count: Count | None = None, /) -> None:
        if progress > 0.5:
            raise InterruptedError(message)

    with pytest.raises(InterruptedError, match="Learning"):
        tune(crowd.vectors, crowd.examples(some_rows(20)), QUICK, cancelled)


def test_an_example_set_can_be_taken_apart(crowd: Crowd) -> None:
    part: Examples = crowd.examples(some_rows(10)).take(np.array([3, 1]))

    assert part.rows.tolist() == some_rows(10)[[3, 1]].tolist()
    assert part.label_matrix().argmax(axis=1).tolist() == part.classes.tolist()

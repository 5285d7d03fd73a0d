from dataclasses import replace

import numpy as np
import pytest

from app.ml.evaluation.cross_validation import cross_validate
from app.ml.evaluation.predict import Baseline
from app.ml.folds import make_folds
from app.ml.heads.numpy_nn import softmax
from app.ml.heads.tuning import tune
from app.ml.label_inference.calibration import fit_temperature
from app.ml.recipe import Recipe
from tests.ml.conftest import Crowd, examples_of
from tests.ml.test_tuning import QUICK, ignore_progress, some_rows

pytestmark = pytest.mark.once


def test_tuned_is_measured_better_on_what_it_did_not_see(crowd: Crowd) -> None:
    told: list[float] = []

    found = cross_validate(
        crowd.vectors, crowd.examples(some_rows(60)), QUICK, lambda p, *_: told.append(p)
    )

    raw = {score.metric: score for score in found.raw}
    tuned = {score.metric: score for score in found.tuned}
    assert found.is_better
    assert tuned["r_precision"].value > raw["r_precision"].value + 0.1
    assert tuned["accuracy"].value > 0.8
    for metric, score in raw.items():
        assert (score.k, score.n) == (tuned[metric].k, tuned[metric].n)
        assert score.low <= score.value <= score.high
    assert raw["accuracy"].n == 60
    assert "on 60 held-out labeled records" in found.sentence
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_random_labels_measure_no_gain(crowd: Crowd) -> None:
    rows = some_rows(300)
    random = np.random.default_rng(0).integers(0, 3, 300)

    found = cross_validate(
        crowd.vectors, examples_of(rows, random, (1, 2, 3)), QUICK, ignore_progress
    )

    tuned = next(score for score in found.tuned if score.metric == "r_precision")
    assert abs(tuned.value - 1 / 3) < 0.06


def test_a_head_that_measures_clearly_worse_is_not_called_good(crowd: Crowd) -> None:
    """Steps so long that the baseline forgets where every record was."""
    rows = some_rows(150)
    clusters = crowd.classes[rows] * 4 + rows % 4
    wild = Recipe(method="skip_triplet", triplet_learning_rate=1.0, triplet_epochs=3)

    found = cross_validate(
        crowd.vectors, examples_of(rows, clusters, tuple(range(12))), wild, ignore_progress
    )

    assert found.tuned[0].value < found.raw[0].value
    assert not found.is_better
    assert found.sentence.startswith("Tuned is worse than raw")


def test_several_labels_are_compared_too(crowd: Crowd) -> None:
    rows = some_rows(80)
    truth = np.stack([crowd.classes != 0, crowd.classes == 2], axis=1)
    examples = replace(examples_of(rows, np.zeros(80, np.int64), (5, 6)), targets=truth[rows])

    found = cross_validate(crowd.vectors, examples, QUICK, ignore_progress)

    assert found.is_better
    measured = {score.metric for score in found.tuned}
    assert {"r_precision", "graded_ndcg", "accuracy", "macro_f1", "loss"} <= measured
    assert "confusion" not in measured


def test_a_page_accepted_since_the_last_version_refreshes_suggestions_only(
    crowd: Crowd,
) -> None:
    """One act is one group, and nobody's neighbour is of its own group: there is no ranking."""
    since = np.flatnonzero(crowd.classes == 0)[-12:]
    rows = np.concatenate([np.setdiff1d(some_rows(60), since), since])
    is_new = np.isin(rows, since)
    groups = np.where(is_new, len(rows), np.arange(len(rows)))
    before = crowd.examples(rows[~is_new])
    champion = Baseline(
        "v2", tune(crowd.vectors, before, QUICK, ignore_progress), crowd.vectors, is_new
    )

    found = cross_validate(
        crowd.vectors,
        replace(crowd.examples(rows), groups=groups),
        QUICK,
        ignore_progress,
        baseline=champion,
    )

    active = {score.metric: score for score in found.active if score.label_id is None}
    assert active["accuracy"].n == 12
    assert "r_precision" not in active
    assert {each.metric for each in found.differences if each.against == "v2"} >= {"accuracy"}


def test_unmeasurable_metrics_show_a_reason(crowd: Crowd) -> None:
    one_class = examples_of(np.arange(30), np.zeros(30, np.int64), (1, 2))
    few = crowd.examples(some_rows(6))
    one_page = replace(crowd.examples(some_rows(40)), groups=np.zeros(40, np.int64))
    all_different = examples_of(np.arange(25), np.arange(25), tuple(range(150)))

    for examples in (one_class, few, one_page, all_different):
        found = cross_validate(crowd.vectors, examples, QUICK, ignore_progress)
        assert found.raw == found.tuned == ()
        assert not found.is_better
        assert found.sentence.startswith("Not measured: ")


def test_folds_hide_each_example_once_and_split_no_group(crowd: Crowd) -> None:
    examples = replace(crowd.examples(some_rows(50)), groups=np.arange(50) // 2)

    parts = make_folds(examples, 5, seed=0)

    assert sorted(np.concatenate([hidden for _, hidden in parts])) == list(range(50))
    for shown, hidden in parts:
        assert not set(examples.groups[shown]) & set(examples.groups[hidden])
        assert len(shown) + len(hidden) == 50


def test_a_bootstrap_draw_without_queries_leaves_no_gap(crowd: Crowd) -> None:
    """Four pages of one label, and records that nothing is like: some draws hold only these."""
    rows = some_rows(26)
    classes = np.concatenate([np.zeros(16, np.int64), np.arange(1, 11)])
    groups = np.concatenate([np.arange(16) // 4, np.arange(4, 14)])
    examples = replace(examples_of(rows, classes, tuple(range(11))), groups=groups)

    found = cross_validate(crowd.vectors, examples, QUICK, ignore_progress)

    macro = next(score for score in found.tuned if score.metric == "macro_r_precision")
    assert macro.n == 16
    assert 0 <= macro.low <= macro.value <= macro.high <= 1


def test_the_best_temperature_undoes_too_much_confidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3)).astype(np.float32)
    drawn = [rng.choice(3, p=p / p.sum()) for p in softmax(logits).astype(np.float64)]
    targets = np.eye(3, dtype=np.float32)[drawn]

    found = fit_temperature(logits * 5, targets, is_binary=False)

    assert found == pytest.approx(5, rel=0.1)

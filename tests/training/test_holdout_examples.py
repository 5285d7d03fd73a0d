"""Audited records as examples, whatever labels they carry."""

import numpy as np

from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.examples import Examples
from app.ml.heads.baselines import RawHead
from app.projects.label_resolver import NONE_OF_THESE
from app.training.pipeline.holdout_examples import (
    HoldoutRecords,
    HoldoutSample,
    build_empty_examples,
    compute_holdout_scores,
    join_examples,
)
from tests.training.conftest import N_CLASSES, clusters


def test_labels_that_training_lacks_and_none_have_columns_of_their_own() -> None:
    said = [frozenset({7}), frozenset({9}), frozenset[int](), frozenset({9})]

    found = join_examples(
        build_empty_examples((7, 8), is_multi_label=False), np.arange(4), said, np.arange(4)
    )

    assert found.label_ids == (7, 8, 9, NONE_OF_THESE)
    assert found.classes.tolist() == [0, 2, 3, 2]


def test_multi_label_records_are_evaluated_on_the_holdout_sample() -> None:
    """Raw vectors suggest what the nearest training example carries: among clean clusters, all."""
    vectors, classes = clusters(0.02, 80)
    carried = np.eye(N_CLASSES, dtype=bool)[classes]
    carried[:, 3] |= carried[:, 0]
    shown = np.arange(40)
    training = Examples(
        rows=shown,
        classes=classes[shown],
        label_ids=(1, 2, 3, 4),
        groups=shown,
        weights=np.ones(40, np.float32),
        targets=carried[shown],
    )
    ids = np.arange(100, 180)
    labels = tuple(frozenset((np.flatnonzero(row) + 1).tolist()) for row in carried[40:])

    sample = HoldoutSample(
        (ids, vectors, training), HoldoutRecords(ids[40:], labels, np.arange(40))
    )
    answers = sample.predict(RawHead(vectors.shape[1]), vectors)

    assert answers is not None
    told = {
        score.metric: score
        for score in compute_holdout_scores(answers, BootstrapSamples(answers.examples.groups))
    }
    assert (told["holdout_accuracy"].value, told["holdout_accuracy"].n) == (1.0, 40)
    assert told["holdout_accuracy"].low > 0.9
    # Two of the four clusters share a label, and lie no nearer to each other than to the others.
    assert 0.8 < told["holdout_r_precision"].value < 1.0


def test_fewer_than_ten_holdout_records_give_no_scores() -> None:
    vectors, classes = clusters(0.02, 80)
    training = build_empty_examples((1, 2, 3, 4), is_multi_label=False)
    few = HoldoutRecords(
        np.arange(9), tuple(frozenset({int(c) + 1}) for c in classes[:9]), np.arange(9)
    )

    sample = HoldoutSample((np.arange(80), vectors, training), few)

    assert sample.predict(RawHead(vectors.shape[1]), vectors) is None

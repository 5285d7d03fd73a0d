"""Suggested against true labels, compared with scikit-learn; calibration by hand."""

import numpy as np
import pytest
from sklearn.metrics import (
    log_loss,
    precision_recall_fscore_support,
)

from app.ml.evaluation.classification import (
    bin_calibration_gaps,
    count_matches,
    expected_calibration_error,
    log_loss_each,
    score_agreement,
)

pytestmark = pytest.mark.once


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_precision_recall_and_f1_agree_with_scikit_learn(is_multi_label: bool) -> None:
    rng = np.random.default_rng(1)
    if is_multi_label:
        true, suggested = rng.random((200, 4)) < 0.3, rng.random((200, 4)) < 0.4
    else:
        classes = rng.choice(4, (2, 200), p=[0.6, 0.3, 0.09, 0.01])
        true, suggested = np.eye(4, dtype=bool)[classes]

    found = count_matches(suggested, true)

    each = precision_recall_fscore_support(true, suggested, zero_division=0)
    for ours, theirs in zip((found.precision, found.recall, found.f1), each, strict=False):
        np.testing.assert_allclose(np.nan_to_num(ours), theirs)
    for average in ("macro", "weighted"):
        *theirs, _ = precision_recall_fscore_support(
            true, suggested, average=average, zero_division=0
        )
        mean = found.macro if average == "macro" else found.average_by_support
        means = [float(mean(part)) for part in (found.precision, found.recall, found.f1)]
        np.testing.assert_allclose(means, theirs)


def test_agreement_counts_shared_labels_twice() -> None:
    suggested = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]], bool)
    true = np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0]], bool)

    np.testing.assert_allclose(score_agreement(suggested, true), [2 / 3, 1, 0, 0])


def test_the_loss_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    chances = rng.dirichlet(np.full(3, 5.0), 100).astype(np.float32)
    classes = rng.integers(0, 3, 100)
    true = np.eye(3, dtype=bool)[classes]

    one_each = log_loss_each(chances, true, is_multi_label=False)
    many = log_loss_each(chances, true, is_multi_label=True)

    assert one_each.mean() == pytest.approx(log_loss(classes, chances), rel=1e-5)
    by_label = [log_loss(true[:, i], chances[:, i]) for i in range(3)]
    assert many.mean() == pytest.approx(np.mean(by_label), rel=1e-5)
    certain = log_loss_each(
        np.array([[1.0, 0.0]], np.float32), np.array([[False, True]]), is_multi_label=False
    )
    assert certain[0] == pytest.approx(np.log(1000))


def test_calibration_error_by_hand() -> None:
    """Four times sure to .95 and right three times; twice sure to .65 and right once."""
    chances = np.array([[0.95, 0.05]] * 4 + [[0.65, 0.35]] * 2, np.float32)
    true = np.eye(2, dtype=bool)[[0, 0, 0, 1, 0, 1]]

    missed, n_judged = bin_calibration_gaps(chances, true, is_multi_label=False)
    found = expected_calibration_error(missed.sum(axis=0), n_judged.sum(axis=0))

    assert found == pytest.approx(4 / 6 * (0.95 - 0.75) + 2 / 6 * (0.65 - 0.5), abs=1e-6)
    assert n_judged.sum(axis=0).tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 0, 4]


def test_calibrated_probabilities_have_no_calibration_error() -> None:
    rng = np.random.default_rng(3)
    chances = rng.random((20_000, 2)).astype(np.float32)
    true = rng.random((20_000, 2)) < chances

    missed, n_judged = bin_calibration_gaps(chances, true, is_multi_label=True)

    assert expected_calibration_error(missed.sum(axis=0), n_judged.sum(axis=0)) < 0.01
    assert n_judged.sum() == 40_000

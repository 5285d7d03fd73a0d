"""The learning curve, and what it foretells."""

from dataclasses import replace

import numpy as np
import pytest

from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.evaluation.learning_curve import (
    LearningCurve,
    forecast_gain,
    score_suggestions,
    split_nested,
)
from tests.ml.conftest import Crowd
from tests.ml.test_tuning import some_rows

pytestmark = pytest.mark.once


def test_an_error_that_falls_as_a_power_is_foretold() -> None:
    sizes = np.array([25.0, 50.0, 100.0])
    seen = np.tile(1 - 0.8 * sizes**-0.4, (1001, 1))

    gain = forecast_gain(sizes, seen, n_now=150, n_more=25)
    low, high = np.percentile(gain[1:], [2.5, 97.5])

    expected = 0.8 * (150**-0.4 - 175**-0.4)
    assert gain[0] == pytest.approx(expected, rel=0.05)
    assert 0.5 * expected < low < expected < high < 1.5 * expected


def test_noise_leaves_the_prior_slope_with_a_wide_interval() -> None:
    """Nobody learns from three noisy points that more labels would bring nothing for sure."""
    sizes = np.array([3.0, 6.0, 12.0])
    noisy = np.random.default_rng(0).normal(0.7, 0.1, (1001, 3)).clip(0, 1)
    noisy[0] = [0.7, 0.72, 0.7]

    gain = forecast_gain(sizes, noisy, n_now=25, n_more=25)
    low, high = np.percentile(gain[1:], [2.5, 97.5])

    assert 0.01 < gain[0] < 0.05
    assert low < 0.01
    assert high > 0.08


def test_a_curve_that_clearly_falls_promises_nothing() -> None:
    falling = np.tile([0.9, 0.8, 0.7], (1001, 1))

    assert forecast_gain(np.array([50.0, 100.0, 200.0]), falling, 400, 25).max() == 0


def test_parts_lie_within_each_other_and_split_no_group(crowd: Crowd) -> None:
    examples = replace(crowd.examples(some_rows(48)), groups=np.arange(48) // 2)
    shown = np.arange(40)

    quarter, half, every = split_nested(examples, shown, seed=0)

    assert [len(part) for part in (quarter, half, every)] == [10, 20, 40]
    assert set(quarter) < set(half) < set(every) == set(shown)
    for part in (quarter, half):
        assert not set(examples.groups[part]) & set(examples.groups[np.setdiff1d(shown, part)])
    assert split_nested(examples, shown[:6], seed=0) == []


def test_the_learning_curve_has_label_counts_and_a_forecast() -> None:
    curve, hidden = LearningCurve(40), np.arange(40)
    for part, (n_labels, n_right) in enumerate(((10, 20), (20, 28), (40, 34))):
        curve.add(part, n_labels, hidden, (np.arange(40) < n_right).astype(float))

    *points, gain = curve.scores(BootstrapSamples(np.arange(40)))

    assert [(p.metric, p.k, p.value) for p in points] == [
        ("learning_curve", 10, 0.5),
        ("learning_curve", 20, 0.7),
        ("learning_curve", 40, 0.85),
    ]
    assert (gain.metric, gain.k, gain.n) == ("gain_of_more", 25, 40)
    assert 0 <= gain.low < gain.value < gain.high < 0.15
    assert LearningCurve(40).scores(BootstrapSamples(np.arange(40))) == []


def test_probabilities_of_held_out_examples_are_right_or_wrong(crowd: Crowd) -> None:
    examples = crowd.examples(np.array([0, 250, 450]))
    chances = np.zeros((600, 3), np.float32)
    chances[0, 0] = chances[250, 2] = chances[450, 2] = 1

    assert score_suggestions(chances, examples, np.arange(3)).tolist() == [1, 0, 1]

"""The learning curve, and what it foretells."""

from dataclasses import replace

import numpy as np
import pytest

from app.similarity.curve import Curve, forecast, nested, right_each
from app.similarity.intervals import Resamples
from tests.similarity.conftest import Crowd
from tests.similarity.test_tuning import some_rows

pytestmark = pytest.mark.once


def test_an_error_that_falls_as_a_power_is_foretold_exactly() -> None:
    sizes = np.array([25.0, 50.0, 100.0])
    right = 1 - 0.8 * sizes**-0.4

    gain = forecast(sizes, np.stack([right, right - right + 0.7]), n_now=150, n_more=25)

    assert gain[0] == pytest.approx(0.8 * (150**-0.4 - 175**-0.4))
    assert gain[1] == 0


def test_a_curve_that_falls_promises_nothing() -> None:
    assert forecast(np.array([5.0, 10.0, 20.0]), np.array([[0.9, 0.8, 0.7]]), 40, 25)[0] == 0


def test_parts_lie_within_each_other_and_split_no_group(crowd: Crowd) -> None:
    examples = replace(crowd.examples(some_rows(48)), groups=np.arange(48) // 2)
    shown = np.arange(40)

    quarter, half, every = nested(examples, shown, seed=0)

    assert [len(part) for part in (quarter, half, every)] == [10, 20, 40]
    assert set(quarter) < set(half) < set(every) == set(shown)
    for part in (quarter, half):
        assert not set(examples.groups[part]) & set(examples.groups[np.setdiff1d(shown, part)])
    assert nested(examples, shown[:6], seed=0) == []


def test_the_curve_is_told_with_the_number_of_labels_and_what_more_would_bring() -> None:
    curve, hidden = Curve(40), np.arange(40)
    for part, (n_labels, n_right) in enumerate(((10, 20), (20, 28), (40, 34))):
        curve.add(part, n_labels, hidden, (np.arange(40) < n_right).astype(float))

    *points, gain = curve.scores(Resamples(np.arange(40)))

    assert [(p.metric, p.k, p.value) for p in points] == [
        ("learning_curve", 10, 0.5), ("learning_curve", 20, 0.7), ("learning_curve", 40, 0.85),
    ]  # fmt: skip
    assert (gain.metric, gain.k, gain.n) == ("gain_of_more", 25, 40)
    assert 0 < gain.low < gain.value < gain.high < 0.15
    assert Curve(40).scores(Resamples(np.arange(40))) == []


def test_chances_of_hidden_examples_are_right_or_not(crowd: Crowd) -> None:
    examples = crowd.examples(np.array([0, 250, 450]))
    chances = np.zeros((600, 3), np.float32)
    chances[0, 0] = chances[250, 2] = chances[450, 2] = 1

    assert right_each(chances, examples, np.arange(3)).tolist() == [1, 0, 1]

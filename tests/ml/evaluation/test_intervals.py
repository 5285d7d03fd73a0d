"""Intervals cover what they should, and duplicates do not make them narrower."""

import numpy as np
import pytest
from scipy.stats import binomtest

from app.ml.evaluation.intervals import BootstrapSamples, percentile_interval, wilson_interval

pytestmark = pytest.mark.once


def test_the_interval_covers_the_mean_as_the_normal_one_does() -> None:
    values = np.random.default_rng(5).normal(0.5, 0.2, (400, 1))

    (low,), (high,) = percentile_interval(BootstrapSamples(np.arange(400), seed=1).means(values))
    again = percentile_interval(BootstrapSamples(np.arange(400), seed=1).means(values))

    assert low == pytest.approx(values.mean() - 1.96 * 0.2 / 20, abs=0.005)
    assert high == pytest.approx(values.mean() + 1.96 * 0.2 / 20, abs=0.005)
    assert again == (low, high)


def test_duplicates_of_one_group_do_not_make_an_interval_narrower() -> None:
    values = np.random.default_rng(5).random(50)
    copied = np.repeat(values, 4)[:, None]

    alone = BootstrapSamples(np.arange(50)).means(values[:, None])
    together = BootstrapSamples(np.repeat(np.arange(50), 4)).means(copied)
    apart = BootstrapSamples(np.arange(200)).means(copied)

    np.testing.assert_allclose(percentile_interval(alone), percentile_interval(together))
    assert np.ptp(percentile_interval(apart)) == pytest.approx(
        np.ptp(percentile_interval(alone)) / 2, rel=0.15
    )


def test_unmeasured_queries_are_left_out_of_each_bootstrap_draw() -> None:
    values = np.array([[1.0, np.nan], [0.0, np.nan], [np.nan, np.nan]])

    drawn = BootstrapSamples(np.arange(3)).means(values)
    low, high = percentile_interval(drawn)

    assert drawn.shape == (1001, 2)
    assert (drawn[0, 0], low[0], high[0]) == (0.5, 0.0, 1.0)
    assert np.isnan([drawn[0, 1], low[1], high[1]]).all()


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (7, 12), (431, 500)])
def test_wilson_agrees_with_scipy(right: int, n: int) -> None:
    expected = binomtest(right, n).proportion_ci(method="wilson")

    assert wilson_interval(right, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_a_share_of_nothing_has_no_interval() -> None:
    with pytest.raises(ValueError, match="n > 0"):
        wilson_interval(0, 0)

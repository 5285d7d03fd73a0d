"""Intervals: how far a figure can be trusted, by asking what other draws would have shown.

Decision: groups are drawn, not queries. Duplicates and records that were accepted as one page are
right or wrong together, and counted one by one they would make every interval too narrow.
Source: Efron 1979 for the bootstrap, Field and Welsh 2007 for drawing whole groups, Wilson 1927.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_RESAMPLES = 1000
NORMAL_95 = 1.959964
ENDS = (2.5, 97.5)


@dataclass(frozen=True)
class BootstrapSamples:
    """The same 1,000 draws for every figure of these queries, so that figures compare in pairs.

    groups  (q,) int64: queries of one group are drawn together
    """

    groups: NDArray[np.int64]
    seed: int = 0

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        return np.unique(self.groups, return_inverse=True)[1].reshape(-1)

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        """(1 + N_RESAMPLES, G): how often each draw holds each group; row 0 is what was seen."""
        n = int(self._places.max()) + 1
        rng = np.random.default_rng(self.seed)
        samples = rng.integers(0, n, (N_RESAMPLES, n)) + n * np.arange(N_RESAMPLES)[:, None]
        counted = np.bincount(samples.reshape(-1), minlength=N_RESAMPLES * n)
        rows = counted.reshape(N_RESAMPLES, n).astype(np.float32)
        return np.concatenate([np.ones((1, n), np.float32), rows])

    def sums(self, values: NDArray[np.float64]) -> Floats:
        """(1 + N_RESAMPLES, m): column sums of (q, m) values over each draw, row 0 as seen."""
        by_group = np.zeros((self._weights.shape[1], values.shape[1]))
        np.add.at(by_group, self._places, values)
        return np.asarray(self._weights @ by_group)

    def means(self, values: NDArray[np.float64]) -> Floats:
        """(1 + N_RESAMPLES, m): column means over each draw; NaN values are left out."""
        is_known = ~np.isnan(values)
        sums, counts = self.sums(np.where(is_known, values, 0.0)), self.sums(is_known.astype(float))
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def percentile_interval(samples: Floats) -> tuple[Floats, Floats]:
    """Return the 95 % interval of each column of what `Resamples` gave, percentile method: low,
    high."""
    resampled = samples[1:]
    empty = np.isnan(resampled).all(axis=0)
    low, high = np.nanpercentile(np.where(empty, 0.0, resampled), ENDS, axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def wilson_interval(n_right: float, n: int) -> tuple[float, float]:
    """95 % interval of a share, n_right of n: sensible for few, and for none or all of them.

    Raises ValueError unless 0 <= n_right <= n and n > 0. Source: Wilson 1927.
    """
    if n < 1 or not 0 <= n_right <= n:
        raise ValueError(f"A share needs 0 <= right <= n and n > 0, not {n_right} of {n}.")
    z2 = NORMAL_95**2
    share = n_right / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = NORMAL_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - reach), min(1.0, middle + reach)

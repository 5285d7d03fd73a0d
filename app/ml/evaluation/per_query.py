"""Queries: what each hidden example got, one by one, so that plots can show more than means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.ml.evaluation.intervals import BootstrapSamples, percentile_interval
from app.ml.evaluation.ranking import match_labels, rank_nearest_hits
from app.ml.examples import Examples
from app.ml.vectors import Vectors

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

KS = (5, 10, 25, 50, 100, 250, 500, 1000)
"""The depths at which rankings are looked at."""

MAX_DEPTH_QUERIES = 1_000
"""Queries of the curve over k, ranked among all held-out examples."""

N_NEIGHBOURS = 10


@dataclass(frozen=True)
class PurityByDepth:
    """How pure the neighbours of c queries are down to each depth, all hidden examples of their
    fold being candidates.

    at      (c,) int64, positions of the queries; the same ones at each depth
    ks      the depths
    raw, tuned  (c, len(ks)), share of the k nearest that are like the query
    chance  (c,), precision of random neighbours
    best    (c, len(ks)), what a perfect ranking would have: less than 1 where k is more than there
            are
    """

    at: Rows
    ks: tuple[int, ...]
    raw: Floats
    tuned: Floats
    chance: Floats
    best: Floats


@dataclass(frozen=True)
class Gain:
    """Tuned minus raw of some of the queries, pair by pair, with its 95 % interval.

    n       how many they are; raw is what raw scored on them
    chance_worse  share of the draws in which tuned was below raw
    """

    metric: str
    n: int
    raw: float
    value: float
    low: float
    high: float
    chance_worse: float


@dataclass(frozen=True)
class SegmentGain(Gain):
    """key: what those queries have in common, a label's id or a place among slices."""

    key: int


@dataclass(frozen=True)
class CalibrationBin:
    """Suggestions whose chance lies in one tenth: how many, the mean chance, the share that was
    right, and its 95 % interval."""

    n: float
    chance: float
    right: float
    low: float
    high: float


@dataclass(frozen=True)
class QueryResults:
    """Results over the m examples of a comparison; NaN, -1 or missing where not evaluated.

    values      role/metric, or role/metric@k → (m,)
    suggested   role → (s, 2) int64: the position of an example, and the column of a label that was
                suggested for it
    neighbours  role → (m, 10) int64, positions of the nearest examples that were hidden with it
    bins        calibration bins of tuned; empty without probabilities
    """

    values: Mapping[str, Floats]
    suggested: Mapping[str, Rows]
    neighbours: Mapping[str, Rows]
    depths: PurityByDepth | None
    by_label: tuple[SegmentGain, ...]
    bins: tuple[CalibrationBin, ...]


def compute_gains(
    masks: NDArray[np.bool_],
    keys: Sequence[int],
    metric: str,
    raw: Floats,
    tuned: Floats,
    bootstrap: BootstrapSamples,
) -> tuple[SegmentGain, ...]:
    """Compute the gain of each part of the queries; parts without queries are missing.

    masks       (m, g) bool, which queries are in each part, in the order of keys
    raw, tuned  (m,), the metric of each query, NaN where not evaluated
    """
    each: Floats = np.where(masks, (tuned - raw)[:, None], np.nan)
    n = (~np.isnan(each)).sum(axis=0)
    samples = bootstrap.means(each)
    low, high = percentile_interval(samples)
    below = (samples[1:] < 0).mean(axis=0) + 0.5 * (samples[1:] == 0).mean(axis=0)
    return tuple(
        SegmentGain(
            metric,
            int(n[i]),
            float(raw[~np.isnan(each[:, i])].mean()),
            float(samples[0, i]),
            float(low[i]),
            float(high[i]),
            float(below[i]),
            keys[int(i)],
        )
        for i in np.flatnonzero(n)
    )


def compute_calibration_bins(
    calibration_gaps: Floats, n_judged: Floats, confidence_sums: Floats, bootstrap: BootstrapSamples
) -> tuple[CalibrationBin, ...]:
    """Non-empty bins of probability, lowest first; each (m, 10), see `misjudged`."""
    n = n_judged.sum(axis=0)
    if not n.any():
        return ()
    samples = bootstrap.sums(calibration_gaps + confidence_sums) / np.maximum(
        bootstrap.sums(n_judged), 1e-12
    )
    low, high = percentile_interval(samples)
    chance = confidence_sums.sum(axis=0) / np.maximum(n, 1)
    return tuple(
        CalibrationBin(
            float(n[i]),
            float(chance[i]),
            min(float(samples[0, i]), 1.0),
            max(float(low[i]), 0.0),
            min(float(high[i]), 1.0),
        )
        for i in np.flatnonzero(n)
    )


class DepthRecorder:
    """Asks raw and tuned, fold by fold, how pure neighbours are down to each depth."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples
        self._parts: list[PurityByDepth] = []

    def record_fold(self, held_out: Rows, raw: Vectors, tuned: Vectors, n_folds: int) -> None:
        """Note one fold.

        hidden      (h,) int64, positions of all its hidden examples
        raw, tuned  (h, d), their vectors of length 1
        """
        known = self._examples.take(held_out)
        labels, groups = known.metric_labels(), known.groups
        ks = tuple(k for k in KS if k < len(held_out))
        if not ks:
            return
        rng = np.random.default_rng(len(held_out))
        rows = np.sort(rng.permutation(len(held_out))[: -(-MAX_DEPTH_QUERIES // n_folds)])
        n_alike = _count_alike(labels, groups, rows)
        rows, n_alike = rows[n_alike > 0], n_alike[n_alike > 0]
        if len(rows) == 0:
            return
        purities = [
            _compute_purity(rank_nearest_hits(vectors, labels, rows, ks[-1], groups=groups), ks)
            for vectors in (raw, tuned)
        ]
        best = np.minimum(n_alike[:, None] / np.array(ks)[None, :], 1.0)
        chance = n_alike / (len(held_out) - 1)
        self._parts.append(
            PurityByDepth(held_out[rows], ks, purities[0], purities[1], chance, best)
        )

    def depths(self) -> PurityByDepth | None:
        """Join all folds, to the depth that each reaches; None without queries."""
        if not self._parts:
            return None
        ks = min((part.ks for part in self._parts), key=len)
        raw, tuned, best = (
            np.concatenate([getattr(part, name)[:, : len(ks)] for part in self._parts])
            for name in ("raw", "tuned", "best")
        )
        at, chance = (
            np.concatenate([getattr(part, name) for part in self._parts])
            for name in ("at", "chance")
        )
        return PurityByDepth(at, ks, raw, tuned, chance, best)


def _count_alike(labels: Rows | NDArray[np.bool_], groups: Rows, rows: Rows) -> Floats:
    """How many others, of other groups, are like each of these rows."""
    own = groups[rows][:, None] == groups[None, :]
    return np.asarray((match_labels(labels, rows) & ~own).sum(axis=1), np.float64)


def _compute_purity(hits: NDArray[np.bool_], ks: tuple[int, ...]) -> Floats:
    counted = np.cumsum(hits, axis=1)
    return np.stack([counted[:, k - 1] / k for k in ks], axis=1)

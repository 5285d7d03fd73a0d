"""Queries: what each hidden example got, one by one, so that plots can show more than means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.similarity.examples import Examples
from app.similarity.measuring.intervals import Resamples, limits
from app.similarity.measuring.ranking import alike, nearest_hits
from app.similarity.vectors import Vectors

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

KS = (5, 10, 25, 50, 100, 250, 500, 1000)
"""The depths at which rankings are looked at."""

MOST_ASKED = 1_000
"""Queries that the curve over k asks: among all hidden examples, however many those are."""

N_NEIGHBOURS = 10


@dataclass(frozen=True)
class Depths:
    """How pure the neighbours of c queries are down to each depth, all hidden examples of their
    fold being candidates.

    at      (c,) int64, positions of the examples that ask; the same ones at each depth
    ks      the depths
    raw, tuned  (c, len(ks)), share of the k nearest that are like the query
    chance  (c,), what random neighbours would have
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
class PartGain(Gain):
    """key: what those queries have in common, a label's id or a place among slices."""

    key: int


@dataclass(frozen=True)
class Bin:
    """Suggestions whose chance lies in one tenth: how many, the mean chance, the share that was
    right, and its 95 % interval."""

    n: float
    chance: float
    right: float
    low: float
    high: float


@dataclass(frozen=True)
class Queries:
    """All of it, over the m examples of a comparison; what was not asked is NaN, -1 or missing.

    values      role/metric, or role/metric@k → (m,)
    suggested   role → (s, 2) int64: the position of an example, and the column of a label that was
                suggested for it
    neighbours  role → (m, 10) int64, positions of the nearest examples that were hidden with it
    bins        tuned's chances; empty where it tells none
    """

    values: Mapping[str, Floats]
    suggested: Mapping[str, Rows]
    neighbours: Mapping[str, Rows]
    depths: Depths | None
    by_label: tuple[PartGain, ...]
    bins: tuple[Bin, ...]


def gains_by(
    masks: NDArray[np.bool_], keys: Sequence[int], metric: str,
    raw: Floats, tuned: Floats, draws: Resamples,
) -> tuple[PartGain, ...]:  # fmt: skip
    """What tuning brought to each part of the queries; parts where nothing was asked are missing.

    masks       (m, g) bool, which queries are in each part, in the order of keys
    raw, tuned  (m,), the metric of each query, NaN where it was not asked
    """
    each: Floats = np.where(masks, (tuned - raw)[:, None], np.nan)
    n = (~np.isnan(each)).sum(axis=0)
    drawn = draws.means(each)
    low, high = limits(drawn)
    below = (drawn[1:] < 0).mean(axis=0) + 0.5 * (drawn[1:] == 0).mean(axis=0)
    return tuple(
        PartGain(
            metric, int(n[i]), float(raw[~np.isnan(each[:, i])].mean()), float(drawn[0, i]),
            float(low[i]), float(high[i]), float(below[i]), keys[int(i)],
        )
        for i in np.flatnonzero(n)
    )  # fmt: skip


def bins_of(missed: Floats, n_judged: Floats, told: Floats, draws: Resamples) -> tuple[Bin, ...]:
    """The tenths in which a chance was told, lowest first; each (m, 10), see `misjudged`."""
    n = n_judged.sum(axis=0)
    if not n.any():
        return ()
    drawn = draws.sums(missed + told) / np.maximum(draws.sums(n_judged), 1e-12)
    low, high = limits(drawn)
    chance = told.sum(axis=0) / np.maximum(n, 1)
    return tuple(
        Bin(
            float(n[i]), float(chance[i]), min(float(drawn[0, i]), 1.0),
            max(float(low[i]), 0.0), min(float(high[i]), 1.0),
        )
        for i in np.flatnonzero(n)
    )  # fmt: skip


class DepthLog:
    """Asks raw and tuned, fold by fold, how pure neighbours are down to each depth."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples
        self._parts: list[Depths] = []

    def ask(self, hidden: Rows, raw: Vectors, tuned: Vectors, n_folds: int) -> None:
        """Note one fold.

        hidden      (h,) int64, positions of all its hidden examples
        raw, tuned  (h, d), their vectors of length 1
        """
        known = self._examples.taken(hidden)
        labels, groups = known.answers_or_classes(), known.groups
        ks = tuple(k for k in KS if k < len(hidden))
        if not ks:
            return
        rng = np.random.default_rng(len(hidden))
        rows = np.sort(rng.permutation(len(hidden))[: -(-MOST_ASKED // n_folds)])
        n_alike = _n_alike(labels, groups, rows)
        rows, n_alike = rows[n_alike > 0], n_alike[n_alike > 0]
        if len(rows) == 0:
            return
        found = [
            _purity(nearest_hits(vectors, labels, rows, ks[-1], groups=groups), ks)
            for vectors in (raw, tuned)
        ]
        best = np.minimum(n_alike[:, None] / np.array(ks)[None, :], 1.0)
        chance = n_alike / (len(hidden) - 1)
        self._parts.append(Depths(hidden[rows], ks, found[0], found[1], chance, best))

    def depths(self) -> Depths | None:
        """All folds together, down to what each of them reaches; None if none was asked."""
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
        return Depths(at, ks, raw, tuned, chance, best)


def _n_alike(labels: Rows | NDArray[np.bool_], groups: Rows, rows: Rows) -> Floats:
    """How many others, of other groups, are like each of these rows."""
    own = groups[rows][:, None] == groups[None, :]
    return np.asarray((alike(labels, rows) & ~own).sum(axis=1), np.float64)


def _purity(hits: NDArray[np.bool_], ks: tuple[int, ...]) -> Floats:
    counted = np.cumsum(hits, axis=1)
    return np.stack([counted[:, k - 1] / k for k in ks], axis=1)

"""Neighbour retention: the share of neighbours of unlabeled records that tuning keeps.

A head that knows its labels by heart and little else would replace nearly all of them.
"""

import numpy as np
from numpy.typing import NDArray

from app.ml.evaluation.comparison import Score
from app.ml.evaluation.intervals import BootstrapSamples, percentile_interval
from app.ml.evaluation.rank_overlap import rank_biased_overlap
from app.ml.vectors import Vectors

Rows = NDArray[np.int64]

N_PROBES = 200
MOST_CANDIDATES = 20_000
DEPTH = 10
RANKED = 50
LEAST_KEPT = 0.3
"""Below this share of kept neighbours a version is worth a look before it is relied on: on AG News,
heads of 25 to 8,140 labels keep .73 to .82 of them."""


def pick_probes(ids: Rows, labeled: Rows) -> tuple[Rows, Rows]:
    """Draw query rows and candidate rows: the same records each time.

    ids      (n,) int64, ascending: all records; labeled: rows of those that anybody labeled
    returns  at most 200 and 20,000 rows: those whose ids come first in an order of chance that is
             fixed for each id, whatever else is there
    """
    order = np.argsort((ids.astype(np.uint64) * np.uint64(11400714819323198485)) >> np.uint64(32))
    candidates = order[:MOST_CANDIDATES]
    unlabeled = candidates[~np.isin(candidates, labeled)]
    return unlabeled[:N_PROBES], np.sort(candidates)


def measure_retention(raw: Vectors, tuned: Vectors, probes: Rows) -> tuple[Score, ...]:
    """Measure the share of the 10 nearest that stay, and the overlap of the two rankings; none for
    a pool too small to have neighbours.

    raw, tuned  (n, d), (n, e) float32, rows of length 1, of the same candidates; asking: rows
    """
    if len(probes) == 0 or len(raw) <= RANKED:
        return ()
    before, after = _rank_neighbours(raw, probes), _rank_neighbours(tuned, probes)
    stay = [np.isin(a[:DEPTH], b[:DEPTH]).mean() for a, b in zip(before, after, strict=True)]
    rbo = [rank_biased_overlap(a, b) for a, b in zip(before, after, strict=True)]
    bootstrap = BootstrapSamples(np.arange(len(probes)))
    samples = bootstrap.means(np.stack([stay, rbo], axis=1))
    low, high = percentile_interval(samples)
    return tuple(
        Score(metric, k, len(probes), float(samples[0, i]), float(low[i]), float(high[i]))
        for i, (metric, k) in enumerate((("probe_overlap", DEPTH), ("probe_rbo", RANKED)))
    )


def _rank_neighbours(vectors: Vectors, probes: Rows) -> Rows:
    similarities = vectors[probes] @ vectors.T
    similarities[np.arange(len(probes)), probes] = -np.inf
    return np.argsort(-similarities, axis=1, kind="stable")[:, :RANKED].astype(np.int64)

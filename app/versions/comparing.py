"""How two versions of a project differ: which neighbours they agree on, what they suggest.

Neither figure needs a truth, so both hold for every record. Which of the two is better, the runs
say that made them: each was measured on labels that it had not seen (app.training.measuring).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.search.indexes import Version
from app.search.suggestions import Suggestions
from app.similarity.measuring.overlap import rank_biased_overlap

Ids = NDArray[np.int64]
DEPTH = 10
MOST_PROBES = 200
MOST_MOVED = 12
MOST_RECORDS = 1_000
SEED = 7


@dataclass(frozen=True)
class Moved:
    """Records whose best suggestion is another one: label ids, how many, and some of them."""

    before: int
    after: int
    n: int
    record_ids: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """What became of the first version's neighbours and suggestions in the second.

    n_probes       records drawn by chance (the same each time) whose neighbours were compared
    kept           mean share, in [0, 1], of the 10 nearest that are among the 10 nearest again
    overlap        mean rank-biased overlap of the 10 nearest (Webber, Moffat and Zobel 2010)
    n_suggested    records for which both suggest something
    n_changed      those for which they suggest different labels
    moved          the most frequent changes, the largest first
    """

    n_probes: int
    kept: float
    overlap: float
    n_suggested: int
    n_changed: int
    moved: tuple[Moved, ...]


def compare(first: Version, second: Version) -> Comparison:
    """How the second differs from the first."""
    shared = np.intersect1d(first.index.ids, second.index.ids)
    probes = _drawn(shared)
    kept, overlap = _neighbours(first, second, probes)
    n_suggested, n_changed, moved = _suggested(first.suggestions, second.suggestions)
    return Comparison(len(probes), kept, overlap, n_suggested, n_changed, moved)


def _drawn(ids: Ids) -> Ids:
    rng = np.random.default_rng(SEED)
    return np.sort(rng.choice(ids, size=min(MOST_PROBES, len(ids)), replace=False))


def _neighbours(first: Version, second: Version, probes: Ids) -> tuple[float, float]:
    if len(probes) == 0:
        return float("nan"), float("nan")
    pairs = list(zip(_nearest(first, probes), _nearest(second, probes), strict=True))
    if not all(len(before) for before, _ in pairs):
        return float("nan"), float("nan")
    kept = [len(np.intersect1d(before, after)) / len(before) for before, after in pairs]
    overlaps = [rank_biased_overlap(before, after) for before, after in pairs]
    return float(np.mean(kept)), float(np.mean(overlaps))


def _nearest(version: Version, probes: Ids) -> list[Ids]:
    """The 10 nearest of each probe, without itself."""
    found, _ = version.index.search(version.index.vectors(probes), DEPTH + 1)
    return [row[row != probe][:DEPTH] for row, probe in zip(found, probes, strict=True)]


def _suggested(before: Suggestions, after: Suggestions) -> tuple[int, int, tuple[Moved, ...]]:
    if not before.label_ids or not after.label_ids:
        return 0, 0, ()
    ids = np.intersect1d(before.ids, after.ids)
    pairs = np.stack([_best(before, ids), _best(after, ids)], axis=1)
    has_changed = pairs[:, 0] != pairs[:, 1]
    return len(ids), int(has_changed.sum()), _moved(pairs[has_changed], ids[has_changed])


def _best(suggestions: Suggestions, ids: Ids) -> Ids:
    places = suggestions.chances[np.searchsorted(suggestions.ids, ids)].argmax(axis=1)
    return np.asarray(np.array(suggestions.label_ids, np.int64)[places])


def _moved(pairs: Ids, ids: Ids) -> tuple[Moved, ...]:
    kinds, which, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    largest: Sequence[int] = np.argsort(-counts, kind="stable")[:MOST_MOVED].tolist()
    return tuple(
        Moved(
            int(kinds[i, 0]), int(kinds[i, 1]), int(counts[i]),
            tuple(ids[which.ravel() == i][:MOST_RECORDS].tolist()),
        )
        for i in largest
    )  # fmt: skip

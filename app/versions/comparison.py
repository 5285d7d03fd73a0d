"""How two versions of a project differ: which neighbours they agree on, what they suggest.

Neither figure needs a truth, so both hold for every record. Which of the two is better, the runs
say that made them: each was measured on labels that it had not seen
(app.training.pipeline.evaluate).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.ml.evaluation.rank_overlap import rank_biased_overlap
from app.ml.vectors import Ids, Vectors
from app.search.indexes import LoadedVersion
from app.search.suggestions import Suggestions

DEPTH = 10
MOST_PROBES = 200
# A page waits for this: in larger projects, neighbours are sought among so many records.
MOST_AMONG = 10_000
MOST_MOVED = 12
MOST_RECORDS = 1_000
SEED = 7


@dataclass(frozen=True)
class SuggestionChange:
    """Records whose best suggestion is another one: label ids, how many, and some of them."""

    before: int
    after: int
    n: int
    record_ids: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """What became of the first version's neighbours and suggestions in the second.

    n_probes       records drawn by chance (the same each time) whose neighbours were compared
    n_among        records that those were sought among: all, or as many drawn by chance
    kept           mean share, in [0, 1], of the 10 nearest that are among the 10 nearest again
    overlap        mean rank-biased overlap of the 10 nearest (Webber, Moffat and Zobel 2010)
    n_suggested    records for which both suggest something
    n_changed      those for which they suggest different labels
    moved          the most frequent changes, the largest first
    """

    n_probes: int
    n_among: int
    kept: float
    overlap: float
    n_suggested: int
    n_changed: int
    moved: tuple[SuggestionChange, ...]


def compare(first: LoadedVersion, second: LoadedVersion) -> Comparison:
    """How the second differs from the first."""
    shared = np.intersect1d(first.index.ids, second.index.ids, assume_unique=True)
    drawn = np.random.default_rng(SEED).permutation(shared)[:MOST_AMONG]
    n_probes = min(MOST_PROBES, len(drawn))
    kept, overlap = _compare_neighbours(first, second, drawn, n_probes)
    n_suggested, n_changed, moved = _compare_suggestions(first.suggestions, second.suggestions)
    return Comparison(n_probes, len(drawn), kept, overlap, n_suggested, n_changed, moved)


def _compare_neighbours(
    first: LoadedVersion, second: LoadedVersion, drawn: Ids, n_probes: int
) -> tuple[float, float]:
    """Mean of kept and of overlap, of the first n_probes of the records drawn."""
    if len(drawn) < 2:
        return float("nan"), float("nan")
    before = _find_nearest(first.index.vectors(drawn), n_probes)
    after = _find_nearest(second.index.vectors(drawn), n_probes)
    kept = (before[:, :, None] == after[:, None, :]).any(axis=2).mean()
    overlaps = [rank_biased_overlap(*pair) for pair in zip(before, after, strict=True)]
    return float(kept), float(np.mean(overlaps))


def _find_nearest(rows: Vectors, n_probes: int) -> Ids:
    """Find the 10 nearest rows, or as many as there are, of each of the first ones, without
    itself."""
    cosines = rows[:n_probes] @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    k = min(DEPTH, len(rows) - 1)
    near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(cosines, near, axis=1), axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1)


def _compare_suggestions(
    before: Suggestions, after: Suggestions
) -> tuple[int, int, tuple[SuggestionChange, ...]]:
    if not before.label_ids or not after.label_ids:
        return 0, 0, ()
    ids = np.intersect1d(before.ids, after.ids, assume_unique=True)
    pairs = np.stack([_best_labels(before, ids), _best_labels(after, ids)], axis=1)
    has_changed = pairs[:, 0] != pairs[:, 1]
    return len(ids), int(has_changed.sum()), _largest_changes(pairs[has_changed], ids[has_changed])


def _best_labels(suggestions: Suggestions, ids: Ids) -> Ids:
    places = suggestions.chances[np.searchsorted(suggestions.ids, ids)].argmax(axis=1)
    return np.asarray(np.array(suggestions.label_ids, np.int64)[places])


def _largest_changes(pairs: Ids, ids: Ids) -> tuple[SuggestionChange, ...]:
    kinds, which, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    largest: Sequence[int] = np.argsort(-counts, kind="stable")[:MOST_MOVED].tolist()
    return tuple(
        SuggestionChange(
            int(kinds[i, 0]),
            int(kinds[i, 1]),
            int(counts[i]),
            tuple(ids[which.ravel() == i][:MOST_RECORDS].tolist()),
        )
        for i in largest
    )

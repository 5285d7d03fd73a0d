"""Several rankings of the same things, made one."""

from collections.abc import Iterable, Sequence

DAMPING = 60


def reciprocal_rank_fusion(
    rankings: Iterable[Sequence[int]], damping: int = DAMPING
) -> dict[int, float]:
    """Each id's score, the sum over the rankings that hold it of 1 / (damping + rank), rank from 1.

    Scores of different kinds need not be compared: only places count.
    Source: Cormack, Clarke and Büttcher 2009, Reciprocal Rank Fusion outperforms Condorcet and
    individual Rank Learning Methods, with their damping of 60.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, each in enumerate(ranking, start=1):
            scores[each] = scores.get(each, 0.0) + 1 / (damping + rank)
    return scores

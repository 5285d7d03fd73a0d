"""Draws: which examples are hidden in which fold, and whether that is enough to measure by."""

import numpy as np
from numpy.typing import NDArray

from app.similarity.examples import Examples, n_answers
from app.similarity.folds import Fold, folds
from app.similarity.measuring.answers import sensible_ks
from app.similarity.measuring.ranking import ranked_hits

LEAST_QUERIES = 10
MOST_HIDDEN = 2_000
"""Hidden examples that one fold asks: ranking takes their square in memory."""

FEW = 200
"""Up to so many examples, halves are drawn twice: one draw says too little."""

Draw = list[Fold]


def draws_of(examples: Examples, seed: int) -> list[Draw]:
    """Ways to hide a part of the examples; within a draw each is hidden once, group by group."""
    if len(examples) > FEW:
        drawn = [folds(examples, 3, seed)]
    else:
        drawn = [folds(examples, 2, seed + number) for number in range(2)]
    rng = np.random.default_rng(seed)
    capped = [
        [(shown, rng.permutation(hidden)[:MOST_HIDDEN]) for shown, hidden in draw] for draw in drawn
    ]
    return [[fold for fold in draw if len(fold[1]) > 1] for draw in capped if draw]


def unmeasurable(examples: Examples, draws: list[Draw]) -> str | None:
    """Why nothing can be measured with these; None if something can."""
    if n_answers(examples) < 2:
        return "all labeled records have the same label."
    parts = [hidden for draw in draws for _, hidden in draw]
    asking = {int(i) for hidden in parts for i in hidden[_n_alike(examples.taken(hidden)) > 0]}
    if len(asking) < LEAST_QUERIES:
        return (
            f"of the labeled records, {len(asking) or 'none'} would have another of their label to "
            f"find when part of them is hidden, and {LEAST_QUERIES} are needed."
        )
    return None


def _n_alike(hidden: Examples) -> NDArray[np.int64]:
    """How many others, of other groups, are like each of these."""
    nothing = np.ones((len(hidden), 1), np.float32)
    hits = ranked_hits(nothing, hidden.answers_or_classes(), groups=hidden.groups)
    return np.asarray(hits.sum(axis=1))


def depths(examples: Examples, draws: list[Draw]) -> tuple[int, ...]:
    """The depths at which every part's rankings can be looked at."""
    parts = [hidden for draw in draws for _, hidden in draw]
    most_alike = min(int(_n_alike(examples.taken(hidden)).max()) for hidden in parts)
    return sensible_ks(min(map(len, parts)), most_alike, n_answers(examples))

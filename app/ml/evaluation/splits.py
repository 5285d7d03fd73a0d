"""Draws: which examples are hidden in which fold, and whether that is enough to measure by."""

import numpy as np
from numpy.typing import NDArray

from app.ml.evaluation.predictions import choose_ks
from app.ml.evaluation.ranking import rank_hits
from app.ml.examples import Examples, count_label_sets
from app.ml.folds import Fold, make_folds

LEAST_QUERIES = 10
MAX_HELD_OUT = 2_000
"""Maximum queries of one fold: ranking needs their square in memory."""

MAX_TO_REPEAT = 200
"""Up to this many examples, halves are drawn twice: one draw is too noisy."""

Partition = list[Fold]


def draw_partitions(examples: Examples, seed: int) -> list[Partition]:
    """Ways to hide a part of the examples; within a draw each is hidden once, group by group."""
    if len(examples) > MAX_TO_REPEAT:
        partitions = [make_folds(examples, 3, seed)]
    else:
        partitions = [make_folds(examples, 2, seed + number) for number in range(2)]
    rng = np.random.default_rng(seed)
    capped = [
        [(train, rng.permutation(held_out)[:MAX_HELD_OUT]) for train, held_out in partition]
        for partition in partitions
    ]
    return [[fold for fold in partition if len(fold[1]) > 1] for partition in capped if partition]


def explain_unmeasurable(examples: Examples, partitions: list[Partition]) -> str | None:
    """Why nothing can be measured with these; None if something can."""
    if count_label_sets(examples) < 2:
        return "all labeled records have the same label."
    parts = [held_out for partition in partitions for _, held_out in partition]
    queries = {
        int(i) for held_out in parts for i in held_out[_count_alike(examples.take(held_out)) > 0]
    }
    if len(queries) < LEAST_QUERIES:
        return (
            f"at least {LEAST_QUERIES} labeled records need another one of their label in the "
            f"held-out part, and {len(queries) or 'none'} would have one."
        )
    return None


def _count_alike(held_out: Examples) -> NDArray[np.int64]:
    """How many others, of other groups, are like each of these."""
    dummy_vectors = np.ones((len(held_out), 1), np.float32)
    hits = rank_hits(dummy_vectors, held_out.metric_labels(), groups=held_out.groups)
    return np.asarray(hits.sum(axis=1))


def choose_depths(examples: Examples, partitions: list[Partition]) -> tuple[int, ...]:
    """Choose the depths at which every part's rankings can be looked at."""
    parts = [held_out for partition in partitions for _, held_out in partition]
    most_alike = min(int(_count_alike(examples.take(held_out)).max()) for held_out in parts)
    return choose_ks(min(map(len, parts)), most_alike, count_label_sets(examples))

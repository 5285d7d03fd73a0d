"""Scores: what the answers come to, over all queries (micro), label by label, and the mean of the
labels (macro), each with its interval.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.similarity.measuring.answers import Answers, Key
from app.similarity.measuring.classification import calibration_error
from app.similarity.measuring.evaluation import Difference, Score
from app.similarity.measuring.intervals import Resamples, limits

Floats = NDArray[np.float64]

OF_NEIGHBOURS = {"r_precision", "top_k", "capped_top_k"}
"""Metrics for which random neighbours score the share of records that are alike."""

BY_LABEL = ("r_precision", "map", "mrr", "capped_top_k")
EXISTS = 0.01
"""A confusion is told from this share on of the records of a label."""


def scores_of(answers: Answers, draws: Resamples) -> tuple[Score, ...]:
    """Every score of one contender; r_precision, top_k and accuracy come first.

    draws  over the examples' groups; the same for each contender, so that figures are in pairs
    """
    found = [*_micro(answers, draws), *_of_suggestions(answers, draws), *_macro(answers, draws)]
    first = ("r_precision", "top_k", "accuracy")
    return tuple(sorted(found, key=lambda score: (*(score.metric != name for name in first),)))


def difference(
    tuned: Answers, other: Answers, key: Key, against: str, draws: Resamples
) -> Difference | None:
    """Tuned minus the other, query by query; None where no query was asked of both."""
    return difference_of(tuned.values(key) - other.values(key), key[0], against, draws)


def difference_of(each: Floats, metric: str, against: str, draws: Resamples) -> Difference | None:
    """The mean of these differences (m,), NaN where not both were asked; None if all are."""
    n = int((~np.isnan(each)).sum())
    if n == 0:
        return None
    drawn = draws.means(each[:, None])
    low, high = limits(drawn)
    # Half of the ties: two contenders that answer alike are worse in half of the draws.
    below = (drawn[1:, 0] < 0).mean() + 0.5 * (drawn[1:, 0] == 0).mean()
    value = float(drawn[0, 0])
    return Difference(metric, against, n, value, float(low[0]), float(high[0]), float(below))


def mean_of_known(values: list[Floats]) -> Floats:
    """(m,) the mean of these (m,), of those that are not NaN; NaN where all are."""
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _micro(answers: Answers, draws: Resamples) -> Iterator[Score]:
    keys = answers.measured()
    values = np.stack([answers.values(key) for key in keys], axis=1)
    drawn = draws.means(values)
    low, high = limits(drawn)
    n = (~np.isnan(values)).sum(axis=0)
    # Examples of one group have no neighbours to ask about: then suggestions alone are measured.
    of_chance = ("chance", None)
    chance = float(drawn[0, keys.index(of_chance)]) if of_chance in keys else None
    for i, (metric, k) in enumerate(keys):
        if metric == "chance":
            continue
        beside = chance if metric in OF_NEIGHBOURS else _commonest(answers, metric)
        yield Score(
            metric, k, int(n[i]), float(drawn[0, i]), float(low[i]), float(high[i]), chance=beside
        )


def _commonest(answers: Answers, metric: str) -> float | None:
    """What always suggesting the commonest label would score."""
    if metric != "accuracy" or answers.examples.is_multi_label:
        return None
    asked = answers.examples.answers()[answers.n_asked > 0]
    return float(asked.mean(axis=0).max())


def _of_suggestions(answers: Answers, draws: Resamples) -> Iterator[Score]:
    counted = answers.counted(draws)
    n = int((answers.n_asked > 0).sum())
    for name in ("precision", "recall", "f1"):
        each = getattr(counted, name)
        yield _score(f"macro_{name}", counted.macro(each), n)
        yield _score(f"weighted_{name}", counted.weighted(each), n)
        yield from _each_label(f"label_{name}", each, answers)
    if answers.n_judged.any():
        judged = (draws.sums(answers.missed), draws.sums(answers.n_judged))
        n_judged = int(answers.n_judged.any(axis=1).sum())
        yield _score("calibration_error", calibration_error(*judged), n_judged)
    if not answers.examples.is_multi_label:
        yield from _confusions(answers, draws)


def _each_label(name: str, each: Floats, answers: Answers) -> Iterator[Score]:
    """One score for each label that occurs; n is how many asked examples carry it."""
    support = answers.examples.answers()[answers.n_asked > 0].sum(axis=0)
    low, high = limits(each)
    for i, label_id in enumerate(answers.examples.label_ids):
        if support[i] and not np.isnan(each[0, i]):
            value, ends = float(each[0, i]), (float(low[i]), float(high[i]))
            yield Score(name, None, int(support[i]), value, *ends, label_id=label_id)


def _confusions(answers: Answers, draws: Resamples) -> Iterator[Score]:
    """Of each label's records, the share that got this label suggested; rare ones are left out."""
    label_ids, classes = answers.examples.label_ids, answers.examples.classes
    asked = answers.n_asked > 0
    for i in np.unique(classes[asked]):
        is_it = (classes == i) & asked
        shares = np.where(is_it[:, None], answers.suggested, 0.0)
        drawn = draws.sums(shares) / np.maximum(draws.sums(is_it[:, None] * 1.0), 1e-12)
        drawn /= max(answers.n_asked[is_it].mean(), 1.0)
        low, high = limits(drawn)
        for j in np.flatnonzero(drawn[0] >= EXISTS):
            yield Score(
                "confusion", None, int(is_it.sum()), float(drawn[0, j]), float(low[j]),
                min(float(high[j]), 1.0), label_id=label_ids[i], suggested_id=label_ids[j],
            )  # fmt: skip


def _macro(answers: Answers, draws: Resamples) -> Iterator[Score]:
    """Each label counting the same, and, of r_precision, each label by itself."""
    carried = answers.examples.answers()
    for metric, k in answers.measured():
        if metric not in BY_LABEL:
            continue
        each = draws.means(np.where(carried, answers.values((metric, k))[:, None], np.nan))
        asked = ~np.isnan(answers.values((metric, k)))
        mean = mean_of_known(list(each.T))
        yield _score(f"macro_{metric}", mean, int(asked.sum()), k)
        if metric == "r_precision":
            support = (carried & asked[:, None]).sum(axis=0)
            low, high = limits(each)
            for i in np.flatnonzero(support):
                ends = (float(low[i]), float(high[i]))
                yield Score(
                    metric, k, int(support[i]), float(each[0, i]), *ends,
                    label_id=answers.examples.label_ids[i],
                )  # fmt: skip


def _score(metric: str, drawn: Floats, n: int, k: int | None = None) -> Score:
    low, high = limits(drawn[:, None])
    return Score(metric, k, n, float(drawn[0]), float(low[0]), float(high[0]))

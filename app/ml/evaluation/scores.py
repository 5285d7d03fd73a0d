"""Scores: what the answers come to, over all queries (micro), label by label, and the mean of the
labels (macro), each with its interval.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.ml.evaluation.classification import expected_calibration_error
from app.ml.evaluation.comparison import Difference, Score
from app.ml.evaluation.intervals import BootstrapSamples, percentile_interval
from app.ml.evaluation.predictions import ExampleScores, MetricKey

Floats = NDArray[np.float64]

NEIGHBOUR_METRICS = {"r_precision", "top_k", "capped_top_k"}
"""Metrics for which random neighbours score the share of same-label records."""

BY_LABEL = ("r_precision", "map", "mrr", "capped_top_k")
MIN_CONFUSION_SHARE = 0.01
"""Minimum share of a label's records for a confusion to be reported."""


def compute_scores(example_scores: ExampleScores, bootstrap: BootstrapSamples) -> tuple[Score, ...]:
    """Every score of one contender; r_precision, top_k and accuracy come first.

    draws  over the examples' groups; the same for each contender, so that figures are in pairs
    """
    found = [
        *_micro_scores(example_scores, bootstrap),
        *_suggestion_scores(example_scores, bootstrap),
        *_macro_scores(example_scores, bootstrap),
    ]
    first = ("r_precision", "top_k", "accuracy")
    return tuple(sorted(found, key=lambda score: (*(score.metric != name for name in first),)))


def compare_scores(
    tuned: ExampleScores,
    other: ExampleScores,
    key: MetricKey,
    against: str,
    bootstrap: BootstrapSamples,
) -> Difference | None:
    """Tuned minus the other, query by query; None without common queries."""
    return summarize_difference(tuned.values(key) - other.values(key), key[0], against, bootstrap)


def summarize_difference(
    each: Floats, metric: str, against: str, bootstrap: BootstrapSamples
) -> Difference | None:
    """Summarize the mean of these differences (m,), NaN where not common; None if all are NaN."""
    n = int((~np.isnan(each)).sum())
    if n == 0:
        return None
    samples = bootstrap.means(each[:, None])
    low, high = percentile_interval(samples)
    # Half of the ties: two equal versions are each worse in half of the samples.
    below = (samples[1:, 0] < 0).mean() + 0.5 * (samples[1:, 0] == 0).mean()
    value = float(samples[0, 0])
    return Difference(metric, against, n, value, float(low[0]), float(high[0]), float(below))


def mean_ignoring_nan(values: list[Floats]) -> Floats:
    """(m,) the mean of these (m,), of those that are not NaN; NaN where all are."""
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _micro_scores(example_scores: ExampleScores, bootstrap: BootstrapSamples) -> Iterator[Score]:
    keys = example_scores.list_metrics()
    values = np.stack([example_scores.values(key) for key in keys], axis=1)
    samples = bootstrap.means(values)
    low, high = percentile_interval(samples)
    n = (~np.isnan(values)).sum(axis=0)
    # Examples of one group have no neighbours to rank: only suggestions are evaluated.
    of_chance = ("chance", None)
    chance = float(samples[0, keys.index(of_chance)]) if of_chance in keys else None
    for i, (metric, k) in enumerate(keys):
        if metric == "chance":
            continue
        beside = (
            chance if metric in NEIGHBOUR_METRICS else _majority_accuracy(example_scores, metric)
        )
        yield Score(
            metric, k, int(n[i]), float(samples[0, i]), float(low[i]), float(high[i]), chance=beside
        )


def _majority_accuracy(example_scores: ExampleScores, metric: str) -> float | None:
    """Return what always suggesting the commonest label would score."""
    if metric != "accuracy" or example_scores.examples.is_multi_label:
        return None
    is_measured = example_scores.examples.label_matrix()[example_scores.n_predictions > 0]
    return float(is_measured.mean(axis=0).max())


def _suggestion_scores(
    example_scores: ExampleScores, bootstrap: BootstrapSamples
) -> Iterator[Score]:
    counts = example_scores.sum_matches(bootstrap)
    n = int((example_scores.n_predictions > 0).sum())
    for name in ("precision", "recall", "f1"):
        each = getattr(counts, name)
        yield _build_score(f"macro_{name}", counts.macro(each), n)
        yield _build_score(f"weighted_{name}", counts.average_by_support(each), n)
        yield from _label_scores(f"label_{name}", each, example_scores)
    if example_scores.n_judged.any():
        judged = (
            bootstrap.sums(example_scores.calibration_gaps),
            bootstrap.sums(example_scores.n_judged),
        )
        n_judged = int(example_scores.n_judged.any(axis=1).sum())
        yield _build_score("calibration_error", expected_calibration_error(*judged), n_judged)
    if not example_scores.examples.is_multi_label:
        yield from _confusion_scores(example_scores, bootstrap)


def _label_scores(name: str, each: Floats, example_scores: ExampleScores) -> Iterator[Score]:
    """One score for each label that occurs; n is the number of evaluated examples with it."""
    support = example_scores.examples.label_matrix()[example_scores.n_predictions > 0].sum(axis=0)
    low, high = percentile_interval(each)
    for i, label_id in enumerate(example_scores.examples.label_ids):
        if support[i] and not np.isnan(each[0, i]):
            value, ends = float(each[0, i]), (float(low[i]), float(high[i]))
            yield Score(name, None, int(support[i]), value, *ends, label_id=label_id)


def _confusion_scores(
    example_scores: ExampleScores, bootstrap: BootstrapSamples
) -> Iterator[Score]:
    """Of each label's records, the share that got this label suggested; rare ones are left out."""
    label_ids, classes = example_scores.examples.label_ids, example_scores.examples.classes
    is_measured = example_scores.n_predictions > 0
    for i in np.unique(classes[is_measured]):
        is_it = (classes == i) & is_measured
        shares = np.where(is_it[:, None], example_scores.suggested, 0.0)
        samples = bootstrap.sums(shares) / np.maximum(bootstrap.sums(is_it[:, None] * 1.0), 1e-12)
        samples /= max(example_scores.n_predictions[is_it].mean(), 1.0)
        low, high = percentile_interval(samples)
        for j in np.flatnonzero(samples[0] >= MIN_CONFUSION_SHARE):
            yield Score(
                "confusion",
                None,
                int(is_it.sum()),
                float(samples[0, j]),
                float(low[j]),
                min(float(high[j]), 1.0),
                label_id=label_ids[i],
                suggested_id=label_ids[j],
            )


def _macro_scores(example_scores: ExampleScores, bootstrap: BootstrapSamples) -> Iterator[Score]:
    """Macro averages and, for r_precision, the score of each label."""
    carried = example_scores.examples.label_matrix()
    for metric, k in example_scores.list_metrics():
        if metric not in BY_LABEL:
            continue
        each = bootstrap.means(
            np.where(carried, example_scores.values((metric, k))[:, None], np.nan)
        )
        is_measured = ~np.isnan(example_scores.values((metric, k)))
        mean = mean_ignoring_nan(list(each.T))
        yield _build_score(f"macro_{metric}", mean, int(is_measured.sum()), k)
        if metric == "r_precision":
            support = (carried & is_measured[:, None]).sum(axis=0)
            low, high = percentile_interval(each)
            for i in np.flatnonzero(support):
                ends = (float(low[i]), float(high[i]))
                yield Score(
                    metric,
                    k,
                    int(support[i]),
                    float(each[0, i]),
                    *ends,
                    label_id=example_scores.examples.label_ids[i],
                )


def _build_score(metric: str, samples: Floats, n: int, k: int | None = None) -> Score:
    low, high = percentile_interval(samples[:, None])
    return Score(metric, k, n, float(samples[0]), float(low[0]), float(high[0]))

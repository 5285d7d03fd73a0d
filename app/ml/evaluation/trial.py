"""A trial: raw, tuned and the version in use answer about the same hidden examples."""

from collections.abc import Iterator

import numpy as np

from app.ml.evaluation.activation_gate import EVIDENCE, RAW, decide
from app.ml.evaluation.comparison import Comparison, Difference, Score
from app.ml.evaluation.intervals import BootstrapSamples
from app.ml.evaluation.learning_curve import LearningCurve
from app.ml.evaluation.per_query import (
    N_NEIGHBOURS,
    DepthRecorder,
    QueryResults,
    Rows,
    compute_calibration_bins,
    compute_gains,
)
from app.ml.evaluation.predict import Baseline, predict_fold
from app.ml.evaluation.predictions import ExampleScores, FoldPredictions
from app.ml.evaluation.rank_overlap import overlap_each
from app.ml.evaluation.scores import compute_scores, mean_ignoring_nan, summarize_difference
from app.ml.evaluation.splits import Partition
from app.ml.examples import Examples
from app.ml.folds import Fold
from app.ml.heads.baselines import RawHead
from app.ml.heads.head import Head
from app.ml.vectors import Vectors

LEAST_FRESH = 10
"""With fewer labels new to the active version, it is not evaluated."""


QUERY_METRICS = {"r_precision", "accuracy", "top_k", "rbo"}
"""The metrics reported for each query."""


class HeadTrial:
    """The contenders' answers, draw by draw, and what they come to."""

    def __init__(
        self,
        rows: Vectors,
        examples: Examples,
        ks: tuple[int, ...],
        baseline: Baseline | None,
        base: Head | None = None,
    ) -> None:
        self._rows, self._examples, self._baseline = rows, examples, baseline
        self._base = base or RawHead(rows.shape[1])
        self.curve = LearningCurve(len(examples))
        self._raw, self._tuned = ExampleScores(examples, ks), ExampleScores(examples, ks)
        # The champion is evaluated on fresh examples only, and tuned on the same ones.
        self._active, self._tuned_on_fresh = (
            ExampleScores(examples, ks),
            ExampleScores(examples, ks),
        )
        # Per query, only the first draw is reported: it has each query once.
        self._n_draws, self._depths = 0, DepthRecorder(examples)
        none = np.full((len(examples), N_NEIGHBOURS), -1, np.int64)
        self._neighbours = {"raw": none, "tuned": none.copy()}

    def add_partition(self, partition: Partition, heads: list[Head]) -> None:
        """Ask raw, the heads of this draw's folds, and the champion."""
        rows, examples = self._rows, self._examples
        for fold, head in zip(partition, heads, strict=True):
            before = predict_fold(self._base, rows, examples, fold)
            after = predict_fold(head, rows, examples, fold)
            self._raw.add(fold[1], before)
            self._tuned.add(fold[1], after)
            self._tuned.record(("rbo", None), fold[1], overlap_each(before.ranked, after.ranked))
            if self._n_draws == 0:
                self._note(fold, head, len(partition), {"raw": before, "tuned": after})
        self._n_draws += 1
        if self._baseline is not None:
            self._compare_with_baseline(self._baseline, partition, heads)

    def _note(
        self, fold: Fold, head: Head, n_folds: int, predictions: dict[str, FoldPredictions]
    ) -> None:
        """Note what single queries got: their neighbours, and purity by depth among all hidden
        ones."""
        train, held_out = fold
        for role, fold_predictions in predictions.items():
            near = held_out[fold_predictions.ranked[:, :N_NEIGHBOURS]]
            self._neighbours[role][held_out, : near.shape[1]] = near
        every = np.setdiff1d(np.arange(len(self._examples)), train)
        rows = self._rows[self._examples.rows[every]]
        self._depths.record_fold(every, self._base.tune(rows), head.tune(rows), n_folds)

    def _compare_with_baseline(
        self, baseline: Baseline, partition: Partition, heads: list[Head]
    ) -> None:
        rows, examples = self._rows, self._examples
        for head, (train, held_out) in zip(heads, partition, strict=True):
            fold = (train, held_out[baseline.is_fresh[held_out]])
            if len(fold[1]) > 1:
                self._active.add(
                    fold[1], predict_fold(baseline.head, baseline.vectors, examples, fold)
                )
                self._tuned_on_fresh.add(fold[1], predict_fold(head, rows, examples, fold))

    def summarize(self) -> Comparison:
        """Scores, differences and the decision."""
        bootstrap = BootstrapSamples(self._examples.groups)
        pairs = [(self._tuned, self._raw, RAW)]
        active: tuple[Score, ...] = ()
        if self._baseline is not None and self._active.n_predictions.sum() >= LEAST_FRESH:
            active = compute_scores(self._active, bootstrap)
            pairs.append((self._tuned_on_fresh, self._active, self._baseline.name))
        differences = tuple(_compute_differences(pairs, bootstrap))
        raw, tuned = compute_scores(self._raw, bootstrap), compute_scores(self._tuned, bootstrap)
        tuned = (*tuned, *self.curve.scores(bootstrap))
        decision = decide(raw, tuned, differences)
        return Comparison(
            raw,
            tuned,
            decision.is_good,
            decision.sentence,
            active,
            differences,
            self._queries(bootstrap),
        )

    def _queries(self, bootstrap: BootstrapSamples) -> QueryResults:
        roles = {"raw": self._raw, "tuned": self._tuned}
        values = {
            f"{role}/{metric}" + (f"@{k}" if k else ""): example_scores.values((metric, k))
            for role, example_scores in roles.items()
            for metric, k in example_scores.list_metrics()
            if metric in QUERY_METRICS
        }
        carried, label_ids = self._examples.label_matrix(), self._examples.label_ids
        gains = [
            compute_gains(
                carried,
                label_ids,
                metric,
                values[f"raw/{metric}"],
                values[f"tuned/{metric}"],
                bootstrap,
            )
            for metric in ("r_precision", "accuracy")
        ]
        judged = (self._tuned.calibration_gaps, self._tuned.n_judged, self._tuned.confidence_sums)
        return QueryResults(
            values=values,
            suggested={
                role: _list_suggested(example_scores) for role, example_scores in roles.items()
            },
            neighbours=self._neighbours,
            depths=self._depths.depths(),
            by_label=(*gains[0], *gains[1]),
            bins=compute_calibration_bins(*judged, bootstrap),
        )


def _list_suggested(example_scores: ExampleScores) -> Rows:
    return np.asarray(np.argwhere(example_scores.suggested > 0), np.int64)


def _compute_differences(
    pairs: list[tuple[ExampleScores, ExampleScores, str]], bootstrap: BootstrapSamples
) -> Iterator[Difference]:
    """For each pair: the evidence for the gate, then its components."""
    for tuned, other, against in pairs:
        each = {
            metric: tuned.values((metric, None)) - other.values((metric, None))
            for metric in ("r_precision", "accuracy")
        }
        metric_values = {EVIDENCE: mean_ignoring_nan(list(each.values()))} | each
        for metric, values in metric_values.items():
            difference = summarize_difference(values, metric, against, bootstrap)
            if difference is not None:
                yield difference

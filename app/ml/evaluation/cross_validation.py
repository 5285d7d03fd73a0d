"""Validation: is tuned better than raw, and than the version in use, on records that training did
not see?

Each example is hidden in turn, and asks for its neighbours and its label (see the file asking
beside this). The heads that are asked are made here, one for each fold, as the version's own was
made from all examples. The version in use is asked as it is, about what has been labeled since it
was made.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.evaluation.comparison import Comparison
from app.ml.evaluation.learning_curve import LearningCurve, score_suggestions, split_nested
from app.ml.evaluation.predict import Baseline
from app.ml.evaluation.splits import Partition, choose_depths, draw_partitions, explain_unmeasurable
from app.ml.evaluation.trial import HeadTrial
from app.ml.examples import Count, Examples, Report, count_label_sets
from app.ml.folds import Fold
from app.ml.graph import build_neighbour_graph
from app.ml.heads.evidence import calibrate, learn_evidence_head
from app.ml.heads.head import Head
from app.ml.heads.tuning import tune
from app.ml.label_inference.infer import InferredLabels, infer_labels
from app.ml.label_inference.naive_bayes import WordFeatures
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors, unit_rows

MAX_FOLD_ROWS = 6_000
"""Rows that a fold's network learns from: enough to compare by, in a third of the time."""


def cross_validate(
    vectors: Vectors,
    examples: Examples,
    recipe: Recipe,
    report: Report,
    graph: sp.csr_matrix | None = None,
    baseline: Baseline | None = None,
    words: WordFeatures | None = None,
) -> Comparison:
    """Raw against tuned by cross-validation, and tuned against the version in use, if it is tuned.

    Other arguments as for `tune`. Scores are those of the file scoring beside this, raw and tuned
    on the same queries with the same k, each example counted once. The raw vectors suggest what the
    nearest shown example carries. is_better says that nothing speaks clearly against the head
    (app.ml.evaluation.activation_gate).

    Without enough to measure by there are no scores, is_better is False, and the sentence says why.
    """
    rows = unit_rows(vectors)
    partitions = draw_partitions(examples, recipe.seed)
    reason = explain_unmeasurable(examples, partitions)
    if reason:
        return Comparison((), (), False, f"Not measured: {reason}")
    if graph is None and recipe.method == "head":
        graph = build_neighbour_graph(rows, recipe.neighbours)
    inputs = _Inputs(rows, examples, recipe, graph, words)
    trial = HeadTrial(rows, examples, choose_depths(examples, partitions), baseline)
    n_folds = sum(len(partition) for partition in partitions)
    for number, partition in enumerate(partitions):
        heads = [
            _learn_fold_head(
                inputs, fold, _scale_progress(report, number * len(partition) + i, n_folds)
            )
            for i, fold in enumerate(partition)
        ]
        trial.add_partition(partition, [fold_head.head for fold_head in heads])
        if number == 0 and graph is not None:
            _add_curve_points(trial.curve, inputs, partition, heads)
    report(1.0, "Compared")
    return trial.summarize()


@dataclass(frozen=True)
class _Inputs:
    """What `compare` was asked with: rows of length 1, and of a recipe without a graph none."""

    rows: Vectors
    examples: Examples
    recipe: Recipe
    graph: sp.csr_matrix | None
    words: WordFeatures | None

    def infer(self, train: Examples) -> InferredLabels:
        """Infer the labels of every record from these examples."""
        return infer_labels(self.graph, self.rows, train, self.recipe, self.words)


@dataclass(frozen=True)
class _FoldHead:
    """What a fold's shown examples teach, and the chances (n, K) that it was made of, if any."""

    head: Head
    probabilities: NDArray[np.float32] | None


def _add_curve_points(
    curve: LearningCurve, inputs: _Inputs, partition: Partition, heads: list[_FoldHead]
) -> None:
    """Add what is predicted for the held-out examples from fewer labels."""
    examples = inputs.examples
    for number, (fold, learned) in enumerate(zip(partition, heads, strict=True)):
        if learned.probabilities is None:
            return
        for part, train in enumerate(split_nested(examples, fold[0], seed=number)):
            probabilities = learned.probabilities
            if len(train) < len(fold[0]):
                probabilities = inputs.infer(examples.take(train)).probabilities
            curve.add(
                part, len(train), fold[1], score_suggestions(probabilities, examples, fold[1])
            )


def _learn_fold_head(inputs: _Inputs, fold: Fold, report: Report) -> _FoldHead:
    """As `tune` would learn it, from fewer rows."""
    rows, recipe = inputs.rows, inputs.recipe
    train = inputs.examples.take(fold[0])
    if inputs.graph is None or recipe.method != "head" or count_label_sets(train) < 2:
        return _FoldHead(tune(rows, train, recipe, report, inputs.graph), None)
    labels = inputs.infer(train)
    sampled = np.arange(len(rows))
    if len(rows) > MAX_FOLD_ROWS:
        picked = np.random.default_rng(recipe.seed).choice(len(rows), MAX_FOLD_ROWS, replace=False)
        sampled = np.union1d(picked, train.rows)
    head = learn_evidence_head(rows[sampled], labels.probabilities[sampled], train, recipe, report)
    return _FoldHead(calibrate(head, rows, labels), labels.probabilities)


def _scale_progress(report: Report, number: int, n_parts: int) -> Report:
    """Scale the progress of one part to that of the whole."""

    def report_part(progress: float, message: str, count: Count | None = None, /) -> None:
        del message, count
        part = Count(number + 1, n_parts, "part")
        report((number + progress) / n_parts, "Comparing", part)

    return report_part

"""Hold-out records as examples for evaluation, beside the training examples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.ml.evaluation.comparison import Score
from app.ml.evaluation.intervals import BootstrapSamples, wilson_interval
from app.ml.evaluation.predict import predict_fold
from app.ml.evaluation.predictions import ExampleScores
from app.ml.evaluation.scores import compute_scores
from app.ml.examples import Examples
from app.ml.heads.head import Head
from app.ml.vectors import Ids, Vectors
from app.projects.label_resolver import NONE_OF_THESE

MIN_HOLDOUT_RECORDS = 10
"""Minimum of labeled hold-out records: with fewer, the interval would span half of [0, 1]."""

HOLDOUT_METRICS = ("accuracy", "macro_f1", "r_precision", "calibration_error", "loss")


@dataclass(frozen=True)
class HoldoutRecords:
    """Labeled hold-out records: ids (q,) int64, ascending, their labels, and groups (q,) int64 of
    equal texts."""

    record_ids: Ids
    labels: tuple[frozenset[int], ...]
    groups: Ids


class HoldoutSample:
    """Training examples and hold-out examples in one set."""

    def __init__(self, inputs: tuple[Ids, Vectors, Examples], records: HoldoutRecords) -> None:
        ids, _, training = inputs
        is_there = np.isin(records.record_ids, ids)
        labels = [each for each, there in zip(records.labels, is_there, strict=True) if there]
        rows = np.searchsorted(ids, records.record_ids[is_there]).astype(np.int64)
        self.n_train, self.n_held_out = len(training), len(rows)
        self.examples = join_examples(training, rows, labels, records.groups[is_there])

    def predict(self, head: Head, vectors: Vectors) -> ExampleScores | None:
        """Evaluate this head on the hold-out examples; None if too few."""
        if self.n_held_out < MIN_HOLDOUT_RECORDS:
            return None
        held_out = np.arange(self.n_train, self.n_train + self.n_held_out)
        example_scores = ExampleScores(self.examples, (min(10, self.n_held_out - 1),))
        predictions = predict_fold(
            head, vectors, self.examples, (np.arange(self.n_train), held_out)
        )
        example_scores.add(held_out, predictions)
        return example_scores


def compute_holdout_scores(
    example_scores: ExampleScores, bootstrap: BootstrapSamples
) -> tuple[Score, ...]:
    """Select the scores that a random sample can estimate, as holdout_...; Wilson intervals."""
    found = [
        s
        for s in compute_scores(example_scores, bootstrap)
        if s.metric in HOLDOUT_METRICS and s.label_id is None
    ]
    return tuple(_rename_score(score) for score in found)


def build_empty_examples(label_ids: tuple[int, ...], *, is_multi_label: bool) -> Examples:
    """Build an empty set of examples for these labels."""
    none = np.empty(0, np.int64)
    return Examples(
        rows=none,
        classes=none,
        label_ids=label_ids,
        groups=none,
        weights=np.empty(0, np.float32),
        targets=np.empty((0, len(label_ids)), bool) if is_multi_label else None,
    )


def join_examples(
    training: Examples, rows: Ids, labels: Sequence[frozenset[int]], groups: Ids
) -> Examples:
    """Join training and hold-out examples, with columns for labels missing in training and for
    NOBODY."""
    known = set(training.label_ids)
    columns = (*training.label_ids, *sorted(frozenset[int]().union(*labels) - known), NONE_OF_THESE)
    carried = np.array([[c in label for c in columns] for label in labels], dtype=bool)
    carried = carried.reshape(len(labels), len(columns))
    if not training.is_multi_label:
        carried[~carried.any(axis=1), -1] = True
    train_labels = np.pad(training.label_matrix(), ((0, 0), (0, len(columns) - len(known))))
    targets = np.concatenate([train_labels, carried])
    m = len(targets)
    return Examples(
        rows=np.concatenate([training.rows, rows]),
        classes=targets.argmax(axis=1).astype(np.int64),
        label_ids=columns,
        groups=np.concatenate([training.groups, training.groups.max(initial=0) + 1 + groups]),
        weights=np.ones(m, np.float32),
        targets=targets if training.is_multi_label else None,
    )


def _rename_score(score: Score) -> Score:
    named = replace(score, metric=f"holdout_{score.metric}")
    if score.metric != "accuracy":
        return named
    low, high = wilson_interval(score.value * score.n, score.n)
    return replace(named, low=low, high=high)

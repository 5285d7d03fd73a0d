"""Audited records as examples: what is asked about, beside what may be shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.search.vectors import Ids
from app.similarity.examples import Examples
from app.similarity.head import Head
from app.similarity.measuring.answers import Answers
from app.similarity.measuring.asking import ask
from app.similarity.measuring.evaluation import Score
from app.similarity.measuring.intervals import Resamples, wilson
from app.similarity.measuring.scoring import scores_of
from app.similarity.vectors import Vectors

LEAST_AUDITED = 10
"""Below this many audited records, nothing is told: the interval would span half of all shares."""

NOBODY = -1
"""The column of "none of these"."""

KEPT = ("accuracy", "macro_f1", "r_precision", "calibration_error", "loss")


@dataclass(frozen=True)
class Audited:
    """Labeled records of the stream: ids (q,) int64, ascending, the labels that each carries, and
    groups (q,) int64 of equal texts."""

    record_ids: Ids
    labels: tuple[frozenset[int], ...]
    groups: Ids


class Sample:
    """Training examples, to be shown, and audited ones, to be asked about, as one."""

    def __init__(self, material: tuple[Ids, Vectors, Examples], audited: Audited) -> None:
        ids, _, training = material
        is_there = np.isin(audited.record_ids, ids)
        labels = [each for each, there in zip(audited.labels, is_there, strict=True) if there]
        rows = np.searchsorted(ids, audited.record_ids[is_there]).astype(np.int64)
        self.n_shown, self.n_hidden = len(training), len(rows)
        self.examples = joined(training, rows, labels, audited.groups[is_there])

    def of(self, head: Head, vectors: Vectors) -> Answers | None:
        """What this head says of the audited ones; None if they are too few."""
        if self.n_hidden < LEAST_AUDITED:
            return None
        hidden = np.arange(self.n_shown, self.n_shown + self.n_hidden)
        answers = Answers(self.examples, (min(10, self.n_hidden - 1),))
        reply = ask(head, vectors, self.examples, (np.arange(self.n_shown), hidden))
        answers.add(hidden, reply)
        return answers


def figures(answers: Answers, draws: Resamples) -> tuple[Score, ...]:
    """Of all scores those that a sample by chance can tell, named audit_...; shares by Wilson."""
    found = [s for s in scores_of(answers, draws) if s.metric in KEPT and s.label_id is None]
    return tuple(_renamed(score) for score in found)


def nothing(label_ids: tuple[int, ...], *, is_multi_label: bool) -> Examples:
    """No examples at all, of these labels."""
    none = np.empty(0, np.int64)
    return Examples(
        rows=none, classes=none, label_ids=label_ids, groups=none,
        weights=np.empty(0, np.float32),
        targets=np.empty((0, len(label_ids)), bool) if is_multi_label else None,
    )  # fmt: skip


def joined(
    training: Examples, rows: Ids, labels: Sequence[frozenset[int]], groups: Ids
) -> Examples:
    """The training examples, then the audited ones, with more columns: of labels that training
    lacks, and NOBODY's."""
    known = set(training.label_ids)
    columns = (*training.label_ids, *sorted(frozenset[int]().union(*labels) - known), NOBODY)
    said = np.array([[c in each for c in columns] for each in labels], dtype=bool)
    said = said.reshape(len(labels), len(columns))
    if not training.is_multi_label:
        said[~said.any(axis=1), -1] = True
    shown = np.pad(training.answers(), ((0, 0), (0, len(columns) - len(known))))
    targets = np.concatenate([shown, said])
    m = len(targets)
    return Examples(
        rows=np.concatenate([training.rows, rows]),
        classes=targets.argmax(axis=1).astype(np.int64),
        label_ids=columns,
        groups=np.concatenate([training.groups, training.groups.max(initial=0) + 1 + groups]),
        weights=np.ones(m, np.float32),
        targets=targets if training.is_multi_label else None,
    )


def _renamed(score: Score) -> Score:
    named = replace(score, metric=f"audit_{score.metric}")
    if score.metric != "accuracy":
        return named
    low, high = wilson(score.value * score.n, score.n)
    return replace(named, low=low, high=high)

"""Is a deep encoder better than raw? Asked about labels that it never saw."""

from dataclasses import dataclass

import numpy as np

from app.ml.evaluation.comparison import Comparison
from app.ml.evaluation.predict import Baseline
from app.ml.evaluation.splits import choose_depths, explain_unmeasurable
from app.ml.evaluation.trial import HeadTrial
from app.ml.examples import Examples, Report
from app.ml.folds import Fold, make_folds
from app.ml.heads.baselines import RawHead
from app.ml.heads.head import Floats, Head
from app.ml.heads.tuning import tune
from app.ml.label_inference.naive_bayes import WordFeatures
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors, unit_rows

FEWEST_HELD_OUT = 4
"""With fewer held-out labels nothing can be evaluated, so all are used for training."""


@dataclass(frozen=True)
class ColumnHead:
    """A head that reads some columns of wider rows: raw and deep vectors stand side by side."""

    head: Head
    start: int
    stop: int
    kind: str = "part"

    @property
    def dimension(self) -> int:
        """See Head."""
        return self.head.dimension

    @property
    def classes(self) -> tuple[int, ...]:
        """See Head."""
        return self.head.classes

    def tune(self, raw: Vectors) -> Vectors:
        """See Head."""
        return self.head.tune(raw[:, self.start : self.stop])

    def suggest(self, raw: Vectors) -> Floats | None:
        """See Head."""
        return self.head.suggest(raw[:, self.start : self.stop])


def split_held_out(examples: Examples, share: float, seed: int) -> Fold:
    """Positions of the examples that a deep run learns from, and of those kept to measure by.

    No group is split. Where there is too little to hold out, the second part is empty.
    """
    all_train = np.arange(len(examples)), np.empty(0, np.int64)
    if share * len(examples) < FEWEST_HELD_OUT:
        return all_train
    parts = make_folds(examples, max(2, round(1 / share)), seed)
    return parts[0] if parts else all_train


def concatenate_vectors(raw: Vectors, deep: Vectors, head: Head) -> tuple[Vectors, Head, Head]:
    """Rows (n, d + e) of both vectors of each record, and what reads raw, and deep, from them."""
    d, e = raw.shape[1], deep.shape[1]
    rows = np.concatenate([unit_rows(raw), unit_rows(deep)], axis=1)
    return rows, ColumnHead(RawHead(d), 0, d), ColumnHead(head, d, d + e)


def compare_deep(
    raw: Vectors,
    deep: Vectors,
    examples: Examples,
    fold: Fold,
    recipe: Recipe,
    report: Report,
    baseline: Baseline | None = None,
    words: WordFeatures | None = None,
) -> Comparison:
    """Raw against a head on deep vectors, and that against the version in use.

    raw, deep  (n, d) and (n, e) float32, vectors of the same records
    fold       the encoder learned from its first part alone, and so does the head asked here; its
               second part is asked about
    recipe     of that head, which also hears the words of the records, if they are given

    Without enough to measure by there are no scores, is_better is False, and the sentence says why.
    """
    reason = (
        explain_unmeasurable(examples, [[fold]])
        if len(fold[1])
        else "too few records are labeled to hold any out."
    )
    if reason:
        return Comparison((), (), False, f"Not measured: {reason}")
    head = tune(deep, examples.take(fold[0]), recipe, report, words=words)
    rows, base, tuned = concatenate_vectors(raw, deep, head)
    trial = HeadTrial(rows, examples, choose_depths(examples, [[fold]]), baseline, base)
    trial.add_partition([fold], [tuned])
    report(1.0, "Compared")
    return trial.summarize()

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

from app.similarity.examples import Examples, Report, n_answers
from app.similarity.folds import Fold
from app.similarity.graph import neighbour_graph
from app.similarity.head import Head
from app.similarity.measuring.asking import Champion
from app.similarity.measuring.curve import Curve, nested, right_each
from app.similarity.measuring.draws import Draw, depths, draws_of, unmeasurable
from app.similarity.measuring.evaluation import Comparison
from app.similarity.measuring.trial import Trial
from app.similarity.recipe import Recipe
from app.similarity.suggesting import chances_of_all
from app.similarity.tuning import calibrated, evidence_head, tune
from app.similarity.vectors import Vectors, unit_rows
from app.similarity.words import Words

MOST_STUDIED = 6_000
"""Rows that a fold's network learns from: enough to compare by, in a third of the time."""


def compare(
    vectors: Vectors,
    examples: Examples,
    recipe: Recipe,
    report: Report,
    graph: sp.csr_matrix | None = None,
    champion: Champion | None = None,
    words: Words | None = None,
) -> Comparison:
    """Raw against tuned by cross-validation, and tuned against the version in use, if it is tuned.

    Other arguments as for `tune`. Scores are those of the file scoring beside this, raw and tuned
    on the same queries with the same k, each example counted once. The raw vectors suggest what the
    nearest shown example carries. is_better says that nothing speaks clearly against the head
    (app.similarity.measuring.gate).

    Without enough to measure by there are no scores, is_better is False, and the sentence says why.
    """
    rows = unit_rows(vectors)
    draws = draws_of(examples, recipe.seed)
    reason = unmeasurable(examples, draws)
    if reason:
        return Comparison((), (), False, f"Not measured: {reason}")
    if graph is None and recipe.method == "head":
        graph = neighbour_graph(rows, recipe.neighbours)
    asked = _Asked(rows, examples, recipe, graph, words)
    trial = Trial(rows, examples, depths(examples, draws), champion)
    n_folds = sum(len(draw) for draw in draws)
    for number, draw in enumerate(draws):
        heads = [
            _fold_head(asked, fold, _part(report, number * len(draw) + i, n_folds))
            for i, fold in enumerate(draw)
        ]
        trial.hold(draw, [fold_head.head for fold_head in heads])
        if number == 0 and graph is not None:
            _draw_curve(trial.curve, asked, draw, heads)
    report(1.0, "Compared")
    return trial.outcome()


@dataclass(frozen=True)
class _Asked:
    """What `compare` was asked with: rows of length 1, and of a recipe without a graph none."""

    rows: Vectors
    examples: Examples
    recipe: Recipe
    graph: sp.csr_matrix | None
    words: Words | None

    def chances(self, shown: Examples) -> NDArray[np.float32]:
        """What these examples say about every record."""
        return chances_of_all(self.graph, self.rows, shown, self.recipe, self.words)


@dataclass(frozen=True)
class _FoldHead:
    """What a fold's shown examples teach, and the chances (n, K) that it was made of, if any."""

    head: Head
    chances: NDArray[np.float32] | None


def _draw_curve(curve: Curve, asked: _Asked, draw: Draw, heads: list[_FoldHead]) -> None:
    """What is known of the hidden examples with fewer labels to go by."""
    examples = asked.examples
    for number, (fold, learned) in enumerate(zip(draw, heads, strict=True)):
        if learned.chances is None:
            return
        for part, shown in enumerate(nested(examples, fold[0], seed=number)):
            chances = learned.chances
            if len(shown) < len(fold[0]):
                chances = asked.chances(examples.taken(shown))
            curve.add(part, len(shown), fold[1], right_each(chances, examples, fold[1]))


def _fold_head(asked: _Asked, fold: Fold, report: Report) -> _FoldHead:
    """As `tune` would learn it, from fewer rows."""
    rows, recipe = asked.rows, asked.recipe
    shown = asked.examples.taken(fold[0])
    if asked.graph is None or recipe.method != "head" or n_answers(shown) < 2:
        return _FoldHead(tune(rows, shown, recipe, report, asked.graph), None)
    chances = asked.chances(shown)
    studied = np.arange(len(rows))
    if len(rows) > MOST_STUDIED:
        picked = np.random.default_rng(recipe.seed).choice(len(rows), MOST_STUDIED, replace=False)
        studied = np.union1d(picked, shown.rows)
    head = evidence_head(rows[studied], chances[studied], shown, recipe, report)
    return _FoldHead(calibrated(head, rows, chances), chances)


def _part(report: Report, number: int, n_parts: int) -> Report:
    """The progress of one part as progress of the whole."""

    def told(progress: float, sentence: str) -> None:
        del sentence
        report((number + progress) / n_parts, f"Comparing, part {number + 1} of {n_parts}")

    return told

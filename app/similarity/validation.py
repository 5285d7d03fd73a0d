"""Validation: is tuned better than raw, on records that training did not see?

Decision: a hidden example is ranked among hidden examples alone, and never its own group. Ranked
among those that training saw, a tuned vector would look better than the next session will be, for
their evidence is their own label.
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.evaluation import (
    Comparison,
    Score,
    agreement,
    scored,
)
from app.similarity.examples import Examples, Report, n_answers
from app.similarity.folds import Fold, folds
from app.similarity.graph import neighbour_graph
from app.similarity.head import Head, RawHead
from app.similarity.prior import settled
from app.similarity.ranking import r_precision_each, ranked_hits, top_k_each
from app.similarity.recipe import Recipe
from app.similarity.soft_labels import soft_labels
from app.similarity.tuning import evidence_head, tune
from app.similarity.vectors import Vectors, unit_rows

MOST_NEIGHBOURS = 10
LEAST_QUERIES = 10
MOST_STUDIED = 6_000
"""Rows that a fold's network learns from: enough to compare by, in a third of the time."""

MOST_HIDDEN = 2_000
"""Hidden examples that one fold asks: ranking takes their square in memory."""

FEW = 200
"""Up to so many examples, halves are drawn several times: one draw says too little."""

Floats = NDArray[np.float64]


def compare(
    vectors: Vectors,
    examples: Examples,
    recipe: Recipe,
    report: Report,
    graph: sp.csr_matrix | None = None,
) -> Comparison:
    """Raw against tuned by cross-validation: each example is hidden in turn, and asks for its
    neighbours.

    Arguments as for `tune`. Scores are r_precision, top_k and accuracy, raw and tuned on the same
    queries with the same k, each example counted once. Accuracy asks whether the head suggests the
    label of a hidden example; raw, whether the nearest shown example has it. is_better says that
    r_precision did not fall.

    Without enough to measure by there are no scores, is_better is False, and the sentence says why.
    """
    rows = unit_rows(vectors)
    drawn = _draws(examples, recipe.seed)
    reason = _unmeasurable(examples, drawn)
    if reason:
        return Comparison((), (), False, f"Not measured: {reason}")
    if graph is None and recipe.method == "head":
        graph = neighbour_graph(rows, recipe.neighbours)
    k = _sensible_k(examples, drawn)
    raw, tuned = _Answers(len(examples)), _Answers(len(examples))
    for number, (shown, hidden) in enumerate(drawn):
        part = _part(report, number, len(drawn))
        head = _fold_head(rows, examples.taken(shown), recipe, part, graph)
        raw.ask(RawHead(rows.shape[1]), rows, examples, (shown, hidden), k)
        tuned.ask(head, rows, examples, (shown, hidden), k)
    report(1.0, "Compared")
    return _comparison(raw.scores(k), tuned.scores(k))


class _Answers:
    """What each example got when it was hidden: a column per example, a row per draw, NaN where
    not asked."""

    def __init__(self, n_examples: int) -> None:
        self._n = n_examples
        self._kept: dict[str, list[Floats]] = {"r_precision": [], "top_k": [], "accuracy": []}

    def ask(self, head: Head, rows: Vectors, examples: Examples, fold: Fold, k: int) -> None:
        shown, hidden = fold
        known = examples.taken(hidden)
        vectors = head.tune(rows[known.rows])
        hits = ranked_hits(vectors, known.answers_or_classes(), groups=known.groups)
        suggested = _suggested(head, rows, examples.taken(shown), known, vectors)
        self._keep("r_precision", hidden, r_precision_each(hits))
        # A query without a like neighbour says nothing about an encoder, so it is asked neither
        # question.
        self._keep("top_k", hidden, np.where(hits.any(axis=1), top_k_each(hits, k), np.nan))
        self._keep("accuracy", hidden, agreement(suggested, known.answers()))

    def _keep(self, metric: str, hidden: NDArray[np.int64], values: Floats) -> None:
        row = np.full(self._n, np.nan)
        row[hidden] = values
        self._kept[metric].append(row)

    def scores(self, k: int) -> tuple[Score, ...]:
        asked = {metric: _mean_of_draws(np.stack(rows)) for metric, rows in self._kept.items()}
        return tuple(
            scored(metric, values, k if metric == "top_k" else None)
            for metric, values in asked.items()
        )


def _mean_of_draws(values: Floats) -> Floats:
    n = (~np.isnan(values)).sum(axis=0)
    return np.where(n > 0, np.nansum(values, axis=0) / np.maximum(n, 1), np.nan)


def _suggested(
    head: Head, rows: Vectors, shown: Examples, hidden: Examples, vectors: Vectors
) -> NDArray[np.bool_]:
    """(q, K) bool: what the head suggests, or where it suggests nothing, the nearest shown example
    has."""
    chances = head.suggest(rows[hidden.rows])
    if chances is None:
        nearest = (vectors @ head.tune(rows[shown.rows]).T).argmax(axis=1)
        return np.asarray(shown.answers()[nearest])
    if hidden.is_multi_label:
        return np.asarray(chances > 0.5)
    return np.asarray(np.eye(chances.shape[1], dtype=bool)[chances.argmax(axis=1)])


def _draws(examples: Examples, seed: int) -> list[Fold]:
    if len(examples) > FEW:
        drawn = folds(examples, 3, seed)
    else:
        drawn = [fold for draw in range(3) for fold in folds(examples, 2, seed + draw)]
    rng = np.random.default_rng(seed)
    capped = [(shown, rng.permutation(hidden)[:MOST_HIDDEN]) for shown, hidden in drawn]
    return [(shown, hidden) for shown, hidden in capped if len(hidden) > 1]


def _unmeasurable(examples: Examples, drawn: list[Fold]) -> str | None:
    if n_answers(examples) < 2:
        return "all labeled records have the same label."
    asking = {int(i) for _, hidden in drawn for i in hidden[_can_ask(examples.taken(hidden))]}
    if len(asking) < LEAST_QUERIES:
        return (
            f"only {len(asking)} labeled records would have another of their label to find "
            f"when part of them is hidden, and {LEAST_QUERIES} are needed."
        )
    return None


def _can_ask(hidden: Examples) -> NDArray[np.bool_]:
    """Which of these have another to find that is like them and of another group."""
    nothing = np.ones((len(hidden), 1), np.float32)
    hits = ranked_hits(nothing, hidden.answers_or_classes(), groups=hidden.groups)
    return np.asarray(hits.any(axis=1))


def _sensible_k(examples: Examples, drawn: list[Fold]) -> int:
    """About as many as a hidden example has others like it: beyond, every ranking would score the
    same."""
    fewest = min(len(hidden) for _, hidden in drawn)
    return max(1, min(MOST_NEIGHBOURS, fewest // n_answers(examples)))


def _fold_head(
    rows: Vectors, shown: Examples, recipe: Recipe, report: Report, graph: sp.csr_matrix | None
) -> Head:
    """As `tune` would learn it, from fewer rows and not calibrated."""
    if graph is None or recipe.method != "head" or n_answers(shown) < 2:
        return tune(rows, shown, recipe, report, graph)
    recipe = settled(recipe, graph, shown)
    soft = soft_labels(graph, shown, recipe)
    studied = np.arange(len(rows))
    if len(rows) > MOST_STUDIED:
        picked = np.random.default_rng(recipe.seed).choice(len(rows), MOST_STUDIED, replace=False)
        studied = np.union1d(picked, shown.rows)
    return evidence_head(rows[studied], soft[studied], shown, recipe, report)


def _part(report: Report, number: int, n_parts: int) -> Report:
    """The progress of one part as progress of the whole."""

    def told(progress: float, sentence: str) -> None:
        del sentence
        report((number + progress) / n_parts, f"Comparing, part {number + 1} of {n_parts}")

    return told


def _comparison(raw: tuple[Score, ...], tuned: tuple[Score, ...]) -> Comparison:
    before, after = raw[0], tuned[0]
    is_better = after.value >= before.value
    word = "worse" if not is_better else "better" if after.value > before.value else "as good"
    sentence = (
        f"Tuned is {word}: r_precision {after.value:.3f} against {before.value:.3f} raw, on "
        f"{after.n} labeled records that were hidden from training."
    )
    return Comparison(raw, tuned, is_better, sentence)

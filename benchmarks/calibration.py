"""How sure suggestions are against how often they are right, by data set and number of labels.

usage: python benchmarks/calibration.py [--cache FOLDER] [--only NAME ...] [--labels 25 50]
                                        [--draws 5]

Labels are true, drawn at random or as a first session would draw them ("cold"). For each draw a
head run is made, and its suggestions for all unlabeled records are compared with the truth:

right       share of suggestions that are right
ECE         expected calibration error over ten bins of equal width
over .9     share of suggestions with a probability of at least .9, and by how much it is too high
groups      the 50 most probable suggestions of each label with at least 50: the share of groups
            whose mean probability is more than .10 above the share that is right
worst       the largest such excess of a draw, mean over draws

Three methods are measured on the same heads: "plain", the probabilities that the head was trained
on; "limits", the same squeezed below (n + 1) / (n + 2) for a label with n labeled records; and
"current", what people are shown (app/ml/label_inference/confidence.py). Results are kept in
results/calibration.json.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from corpora import CACHE, PICKS, Corpus, agnews, ignore_progress, make_examples
from data_sets import SETS
from results_store import AGNEWS, SHARED, store_rows

from app.ml.graph import build_neighbour_graph
from app.ml.heads.head import EvidenceHead
from app.ml.heads.tuning import tune
from app.ml.recipe import Recipe
from app.ml.vectors import Ids

LABELS = (25, 50, 100, 250)
GROUP_SIZE, MAX_EXCESS = 50, 0.10
N_BINS, SURE = 10, 0.9
SCORES = ("right", "ece", "share_sure", "sure_excess", "groups_over", "worst_excess")
METHODS = ("plain", "limits", "current")
Row = dict[str, Any]
Scores = dict[str, float | None]


def scored_news(cache: Path) -> Corpus:
    """Return the 9,146 news records whose labels are true."""
    news = agnews(cache)
    n = news.n_test
    return replace(
        news,
        vectors=news.vectors[:n],
        classes=news.classes[:n],
        texts=news.texts[:n],
        n_train=n,
        n_test=0,
    )


CORPORA = {"agnews": scored_news} | SETS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--only", choices=CORPORA, nargs="+", default=list(CORPORA))
    parser.add_argument("--labels", type=int, nargs="+", default=list(LABELS))
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. Nothing was measured.")
        return
    rows = []
    for name in options.only:
        corpus = replace(CORPORA[name](options.cache), name=name)
        for row in measure(corpus, options.labels, options.draws):
            print(format_row(row), flush=True)
            rows.append(row)
    print(*map(format_row, average_rows(rows)), sep="\n")
    store_rows("calibration", rows, by=("corpus", "picked", "labels", "method"))


def measure(corpus: Corpus, numbers: list[int], n_draws: int) -> Iterator[Row]:
    """Measure each way to pick labels, each number of labels and both methods."""
    corpus = replace(corpus, n_test=0, n_train=len(corpus.classes))
    graph = build_neighbour_graph(corpus.vectors)
    for picked in ("cold", "random"):
        for n in numbers:
            scores: dict[str, list[Scores]] = {method: [] for method in METHODS}
            for draw in range(n_draws):
                labeled = PICKS[picked](corpus, n, draw)
                recipe = Recipe(seed=draw)
                head = tune(
                    corpus.vectors,
                    make_examples(corpus, labeled),
                    recipe,
                    ignore_progress,
                    graph,
                    corpus.words if corpus.texts else None,
                )
                if not isinstance(head, EvidenceHead):
                    continue  # One class alone was drawn: nothing is suggested.
                unlabeled = np.setdiff1d(np.arange(len(corpus.classes)), labeled)
                limited = replace(head, confidence=None)
                variants = (replace(limited, limits=None), limited, head)
                for method, variant in zip(METHODS, variants, strict=True):
                    probabilities = variant.suggest(corpus.vectors[unlabeled])
                    assert probabilities is not None  # A head with classes suggests.
                    scores[method].append(
                        score(
                            probabilities.max(axis=1),
                            probabilities.argmax(axis=1),
                            corpus.classes[unlabeled],
                        )
                    )
            for method, of_draws in scores.items():
                if of_draws:
                    yield {
                        "corpus": corpus.name,
                        "picked": picked,
                        "labels": n,
                        "method": method,
                        "draws": len(of_draws),
                    } | average_scores(of_draws)


def score(confidence: np.ndarray, suggested: Ids, classes: Ids) -> Scores:
    """Compare the probability of each suggestion, (n,), with whether it is right."""
    is_right = suggested == classes
    excess = [
        float(confidence[top].mean() - is_right[top].mean())
        for top in _find_surest(confidence, suggested)
    ]
    is_sure = confidence >= SURE
    return {
        "right": float(is_right.mean()),
        "ece": compute_calibration_error(confidence, is_right),
        "share_sure": float(is_sure.mean()),
        "sure_excess": float(confidence[is_sure].mean() - is_right[is_sure].mean())
        if is_sure.any()
        else None,
        "groups_over": float(np.mean([e > MAX_EXCESS for e in excess])) if excess else None,
        "worst_excess": max(excess, default=None),
    }


def compute_calibration_error(confidence: np.ndarray, is_right: np.ndarray) -> float:
    """Compute the expected calibration error. Source: Naeini, Cooper and Hauskrecht 2015."""
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    return float(
        sum(
            abs(confidence[bins == b].mean() - is_right[bins == b].mean()) * (bins == b).mean()
            for b in np.unique(bins)
        )
    )


def _find_surest(confidence: np.ndarray, suggested: Ids) -> Iterator[Ids]:
    for label in np.unique(suggested):
        rows = np.flatnonzero(suggested == label)
        if len(rows) >= GROUP_SIZE:
            yield rows[np.argsort(-confidence[rows], kind="stable")[:GROUP_SIZE]]


def average_scores(scores: Sequence[Scores]) -> Scores:
    """Average each score over those that have it."""
    averages: Scores = {}
    for key in scores[0]:
        values = [value for each in scores if (value := each[key]) is not None]
        averages[key] = round(float(np.mean(values)), 4) if values else None
    return averages


def average_rows(rows: list[Row]) -> list[Row]:
    """Average over the data sets, for each number of labels, way to pick and method."""
    names = ("labels", "picked", "method")
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    averages: list[Row] = []
    for key, same in groups.items():
        scores: list[Scores] = [{name: row[name] for name in SCORES} for row in same]
        kind = dict(zip(names, key, strict=True))
        averages.append({"corpus": "mean of all"} | kind | average_scores(scores))
    return averages


def format_row(row: Row) -> str:
    """Format one row of the printed table."""
    kind = f"{row['corpus']:18} {row['labels']:4} {row['picked']:6} {row['method']:7}"
    cells = (
        f"{name} " + ("    –" if row[name] is None else f"{row[name]:5.3f}") for name in SCORES
    )
    return f"{kind} {'  '.join(cells)}"


if __name__ == "__main__":
    main()

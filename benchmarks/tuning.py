"""What labels are worth: purity of neighbours by recipe and number of labels, on two corpora.

usage: python benchmarks/tuning.py [--cache FOLDER] [--only agnews|atis] [--recipes head]
                                   [--labels 25 100] [--draws 5]

All records are tuned over, labeled or not. Labels are drawn from the train part, at random, or over
all records as a first session would ("cold"). Scores are over the test part alone, by its true
labels: 1,500 queries, the same each time, among all test records; accuracy and macro F1 are of
suggestions for test records that were not labeled. The ceiling is a head on true labels of the test
part itself: "half true" is asked by the half whose labels it was not given, "all true" knows every
answer, so that what it misses is what this kind of head cannot hold.

Each line is measured in a process of its own. Seconds are those of graph, words and head, means
over the draws, by the clock and of the processors; memory is the most that the process held, with
torch and all raw vectors. skip_triplet draws three times at most. Lines are kept in
results/tuning.json, where they stay until they are measured again; deep.py adds its own in
results/deep.json.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from corpora import CACHE, CORPORA, PICKS, Corpus, ignore_progress, make_examples
from figures import renew
from results_store import AGNEWS, SHARED, Spent, Stopwatch, peak_memory_mb
from scores import choose_queries, purity, rightness
from tuning_table import Line, show, store_lines

from app.ml.graph import build_neighbour_graph
from app.ml.heads.head import Head
from app.ml.heads.tuning import tune
from app.ml.recipe import Method, Recipe

LABELS = {"agnews": (25, 50, 100, 261, 1000, 8140), "atis": (25, 50, 100, 261, 1000, 3374)}
COLD = (25, 100)
RECIPES = ("raw", "skip_triplet", "head")
MOST_TRIPLET_DRAWS = 3
NEVER = 10_000
"""Epochs without gain before skip_triplet stops: the notebook's recipe goes on to the end, and on
few labels is the better for it."""

Scores = dict[str, float]


@dataclass(frozen=True)
class Cell:
    """One line to measure."""

    corpus: str
    recipe: Literal["raw"] | Method
    picked: str
    labels: int
    draws: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--only", choices=CORPORA, nargs="+", default=list(CORPORA))
    parser.add_argument("--recipes", choices=RECIPES, nargs="+", default=list(RECIPES))
    parser.add_argument("--labels", type=int, nargs="+")
    parser.add_argument("--draws", type=int, default=5)
    asked = parser.parse_args()
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. Nothing was measured.")
        return
    for name in asked.only:
        CORPORA[name](asked.cache)  # Embeds what is missing, before anything is timed.
        for cell in cells(name, asked.labels or LABELS[name], asked.draws):
            if cell.recipe not in asked.recipes:
                continue
            line = alone(cell, asked.cache)
            show(line)
            store_lines("tuning", [line])
    renew()


def cells(corpus: str, labels: tuple[int, ...], draws: int) -> list[Cell]:
    listed = [Cell(corpus, "raw", "-", 0, 1)]
    for n in labels:
        listed.append(Cell(corpus, "skip_triplet", "random", n, min(draws, MOST_TRIPLET_DRAWS)))
        listed.append(Cell(corpus, "head", "random", n, draws))
        if n in COLD:
            listed.append(Cell(corpus, "head", "cold", n, draws))
    ceiling = [Cell(corpus, "head", picked, 0, 1) for picked in ("half true", "all true")]
    return listed + ceiling


def alone(cell: Cell, cache: Path) -> Line:
    """Measured in a new process, so that its memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as process:
        return process.submit(measured, cell, cache).result()


def measured(cell: Cell, cache: Path) -> Line:
    corpus = CORPORA[cell.corpus](cache)
    if cell.recipe == "raw":
        scores = scored(corpus, None, np.empty(0, np.int64), cell.picked)
        return Line.of(cell.corpus, "raw", "-", 0, [scores], Spent(0.0, 0.0), peak_memory_mb())
    watch = Stopwatch()
    graph = build_neighbour_graph(corpus.vectors) if cell.recipe == "head" else None
    assert corpus.words is not None  # Read here, as a run does.
    once = watch.lap()
    each, laps, memory = [], [], 0.0
    for draw in range(cell.draws):
        rows = PICKS[cell.picked](corpus, cell.labels, draw)
        recipe = Recipe(method=cell.recipe, seed=draw, patience=NEVER)
        watch.lap()
        examples = make_examples(corpus, rows)
        head = tune(corpus.vectors, examples, recipe, ignore_progress, graph, corpus.words)
        laps.append(watch.lap())
        memory = memory or peak_memory_mb()  # Before scoring, which needs more than tuning does.
        each.append(scored(corpus, head, rows, cell.picked))
    spent = Spent(*(np.mean(laps, axis=0) + once).tolist())
    return Line.of(cell.corpus, cell.recipe, cell.picked, len(rows), each, spent, memory)


def scored(corpus: Corpus, head: Head | None, labeled: np.ndarray, picked: str) -> Scores:
    """Purity among the test records, and what suggestions for them are worth if there are any."""
    tested, every = corpus.vectors[: corpus.n_test], np.arange(corpus.n_test)
    unlabeled = every if picked == "all true" else np.setdiff1d(every, labeled)
    queries = choose_queries(unlabeled if picked == "half true" else every)
    vectors = tested if head is None else head.tune(tested)
    scores = purity(vectors, corpus.tested_classes, queries)
    chances = None if head is None else head.suggest(tested[unlabeled])
    if chances is not None:
        scores |= rightness(corpus.classes[unlabeled], chances.argmax(axis=1))
    return scores


if __name__ == "__main__":
    main()

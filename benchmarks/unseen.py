"""One set of defaults for all data: is the head ever worse than raw?

usage: python benchmarks/unseen.py [--cache FOLDER] [--labels 25 100 500] [--draws 3] [--only NAME]

Nothing here was used to choose a default. Each set is tuned over as a whole, from labels drawn at
random, and asked by records that were not labeled; raw and tuned answer the same queries. Accuracy
is of suggestions; raw suggests the class of the nearest labeled record.
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from corpora import CACHE, Corpus, ignore_progress, make_examples
from data_sets import SETS
from figures import renew
from results_store import AGNEWS, SHARED, store_rows
from scores import choose_queries, purity, rightness

from app.ml.examples import Examples
from app.ml.graph import build_neighbour_graph
from app.ml.heads.head import Head
from app.ml.heads.tuning import tune
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors

METRICS = ("r_precision", "macro_r_precision", "top_10", "top_100", "accuracy", "macro_f1")


@dataclass(frozen=True)
class Line:
    """Means over the draws; least_gain is the worst draw's gain in r_precision."""

    data: str
    n: int
    n_classes: int
    labels: int
    draws: int
    raw: dict[str, float]
    head: dict[str, float]
    least_gain: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--labels", type=int, nargs="+", default=[25, 100, 500])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SETS, default=list(SETS))
    asked = parser.parse_args()
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. Nothing was measured.")
        return
    for name in asked.only:
        data = SETS[name](asked.cache)
        graph = build_neighbour_graph(data.vectors)
        for n in asked.labels:
            line = measured(data, graph, n, asked.draws)
            show(line)
            store_rows("unseen", [asdict(line)], by=("n_classes", "data", "labels"))
    renew()


def measured(data: Corpus, graph: object, n: int, draws: int) -> Line:
    raw, head = [], []
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(len(data.vectors))
        examples = make_examples(data, order[:n])
        tuned = tune(data.vectors, examples, Recipe(seed=draw), ignore_progress, graph, data.words)
        rest = choose_queries(np.sort(order[n:]))
        raw.append(raw_scores(data, examples, rest))
        head.append(head_scores(data, tuned, rest))
    gains = [b["r_precision"] - a["r_precision"] for a, b in zip(raw, head, strict=True)]
    size = len(data.vectors), len(data.names)
    return Line(data.name, *size, n, draws, means(raw), means(head), min(gains))


def means(scores: list[dict[str, float]]) -> dict[str, float]:
    return {metric: float(np.mean([score[metric] for score in scores])) for metric in METRICS}


def raw_scores(data: Corpus, examples: Examples, queries: np.ndarray) -> dict[str, float]:
    known = data.vectors[examples.rows]
    nearest = (data.vectors[queries] @ known.T).argmax(axis=1)
    return _scores(data, data.vectors, examples.classes[nearest], queries)


def head_scores(data: Corpus, head: Head, queries: np.ndarray) -> dict[str, float]:
    chances = head.suggest(data.vectors[queries])
    if chances is None:
        raise SystemExit(f"The head of {data.name} suggests nothing: too few classes were labeled.")
    return _scores(data, head.tune(data.vectors), chances.argmax(axis=1), queries)


def _scores(
    data: Corpus, vectors: Vectors, suggested: np.ndarray, queries: np.ndarray
) -> dict[str, float]:
    found = purity(vectors, data.classes, queries)
    return found | rightness(data.classes[queries], suggested)


def show(line: Line) -> None:
    pairs = " ".join(f"{line.raw[m]:.3f}→{line.head[m]:.3f}" for m in METRICS)
    print(
        f"{line.data:16} n {line.n:5} classes {line.n_classes:3} labels {line.labels:3}  "
        f"{pairs}  least {line.least_gain:+.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()

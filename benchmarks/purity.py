"""How pure are neighbours after tuning on a few labels? Prints a table, then the same as JSON.

usage: python benchmarks/purity.py [--cache FOLDER] [--labels 25 100] [--draws 3]

AG News lies in $LIKEWISE_SHARED/data/agnews: test.json, train.json and val.json, each a list of
{"Title", "Description", "label"}.
All records are tuned over, labeled or not; labels come from the train split, whose labels are weak,
or for a cold start from any split. Scores are over the test split alone, by its true labels: the
share of the 10, 100 and 1,000 nearest others that are of the same class, mean over 1,500 queries
and over the draws. The first run embeds every record and keeps the vectors in --cache.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from kept import AGNEWS, SHARED, keep
from numpy.typing import NDArray

from app.similarity.encoder import DEFAULT_MODEL, load_encoder
from app.similarity.examples import Examples
from app.similarity.graph import neighbour_graph
from app.similarity.recipe import Recipe
from app.similarity.sampling import representatives
from app.similarity.tuning import tune
from app.similarity.validation import compare
from app.similarity.vectors import Vectors

CLASSES = ("World", "Sports", "Business", "Sci/Tech")
SPLITS = ("test", "train", "val")
N_QUERIES = 1500
DEPTHS = (10, 100, 1000)


@dataclass(frozen=True)
class News:
    """All records, the test split first."""

    vectors: Vectors
    classes: NDArray[np.int64]
    n_test: int
    n_train: int


@dataclass(frozen=True)
class Line:
    """top holds top_10, top_100 and top_1000: means over the draws."""

    labels: int
    picked: str
    recipe: str
    top: list[float]
    spread_1000: float
    tune_seconds: float
    compare_seconds: float
    n_called_better: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "likewise-purity"
    )
    parser.add_argument("--labels", type=int, nargs="+", default=[25, 100])
    parser.add_argument("--draws", type=int, default=3)
    asked = parser.parse_args()
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. Nothing was measured.")
        return
    news = read(AGNEWS, asked.cache)
    start = time.perf_counter()
    graph = neighbour_graph(news.vectors)
    print(f"graph of {len(news.vectors)} records: {time.perf_counter() - start:.1f} s")
    lines = [Line(0, "", "raw", purity(news, news.vectors), 0, 0, 0, 0)]
    show(lines[0])
    for n in asked.labels:
        for picked, method in (("random", "skip_triplet"), ("random", "head"), ("cold", "head")):
            recipe = Recipe.from_json({"method": method})
            rows = [PICKS[picked](news, n, draw) for draw in range(asked.draws)]
            lines.append(measured(news, graph, rows, recipe, picked))
            show(lines[-1])
    keep("purity", [asdict(line) for line in lines])


def read(folder: Path, cache: Path) -> News:
    records = {split: json.loads((folder / f"{split}.json").read_text()) for split in SPLITS}
    classes = [CLASSES.index(r["label"]) for split in SPLITS for r in records[split]]
    vectors = [embedded(records[split], cache / f"{split}.npy") for split in SPLITS]
    return News(
        np.concatenate(vectors), np.array(classes), len(records["test"]), len(records["train"])
    )


def embedded(records: list[dict[str, str]], kept: Path) -> Vectors:
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        texts = [r["Title"] + ". " + r["Description"] for r in records]
        np.save(kept, load_encoder(DEFAULT_MODEL).encode(texts))
    return np.asarray(np.load(kept), dtype=np.float32)


def random_rows(news: News, n: int, draw: int) -> NDArray[np.int64]:
    picked = np.random.RandomState(draw).permutation(news.n_train)[:n]
    return np.asarray(news.n_test + picked, dtype=np.int64)


def cold_rows(news: News, n: int, draw: int) -> NDArray[np.int64]:
    return representatives(news.vectors, n, seed=draw)


PICKS: dict[str, Callable[[News, int, int], NDArray[np.int64]]] = {
    "random": random_rows,
    "cold": cold_rows,
}


def measured(
    news: News, graph: object, drawn: list[NDArray[np.int64]], recipe: Recipe, picked: str
) -> Line:
    scores, tuning, comparing, n_better = [], [], [], 0
    for rows in drawn:
        examples = examples_of(news, rows)
        start = time.perf_counter()
        head = tune(news.vectors, examples, recipe, silent, graph)
        tuning.append(time.perf_counter() - start)
        start = time.perf_counter()
        n_better += compare(news.vectors, examples, recipe, silent, graph).is_better
        comparing.append(time.perf_counter() - start)
        scores.append(purity(news, head.tune(news.vectors[: news.n_test])))
    top = np.mean(scores, axis=0).tolist()
    spread = float(np.std(scores, axis=0)[2])
    seconds = float(np.mean(tuning)), float(np.mean(comparing))
    return Line(len(drawn[0]), picked, recipe.method, top, spread, *seconds, n_better)


def examples_of(news: News, rows: NDArray[np.int64]) -> Examples:
    return Examples(
        rows=rows,
        classes=news.classes[rows],
        label_ids=tuple(range(len(CLASSES))),
        groups=np.arange(len(rows)),
        weights=np.ones(len(rows), np.float32),
    )


def purity(news: News, vectors: Vectors) -> list[float]:
    """top_10, top_100 and top_1000 over the same queries each time."""
    rows, classes = vectors[: news.n_test], news.classes[: news.n_test]
    asked = np.random.RandomState(0).choice(news.n_test, N_QUERIES, replace=False)
    similarities = rows[asked] @ rows.T
    similarities[np.arange(N_QUERIES), asked] = -np.inf
    nearest = np.argsort(-similarities, axis=1, kind="stable")[:, : max(DEPTHS)]
    hits = classes[nearest] == classes[asked][:, None]
    return [float(hits[:, :k].mean()) for k in DEPTHS]


def silent(progress: float, sentence: str) -> None:
    """Nobody watches a benchmark's progress."""


def show(line: Line) -> None:
    top = " ".join(f"{share:.3f}" for share in line.top)
    print(
        f"{line.labels:4} {line.picked:7} {line.recipe:13} {top} ±{line.spread_1000:.3f}  "
        f"tune {line.tune_seconds:.1f} s, compare {line.compare_seconds:.1f} s, "
        f"called better {line.n_called_better} times",
        flush=True,
    )


if __name__ == "__main__":
    main()

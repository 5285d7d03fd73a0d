"""One set of defaults for all data: is the head ever worse than raw?

usage: python benchmarks/unseen.py [--cache FOLDER] [--labels 25 100 500] [--draws 3] [--only NAME]

Nothing here was used to choose a default. Each set is tuned over as a whole, from labels drawn at
random, and asked by records that were not labeled; raw and tuned answer the same queries. Accuracy
is of suggestions; raw suggests the class of the nearest labeled record.

Synthetic sets are mixtures in 384 dimensions: topics hold classes, classes hold two wordings each,
and around a wording records scatter as a real sample scatters around its mean, so that classes of
a topic overlap.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import faiss
import numpy as np
from corpora import CACHE, Corpus, agnews, atis, embedded, examples_of, silent
from figures import renew
from kept import AGNEWS, SHARED, keep
from scores import purity, queries_of

from app.projects.sample import sample_messages
from app.similarity.evaluation import classification
from app.similarity.examples import Examples
from app.similarity.graph import neighbour_graph
from app.similarity.head import Head
from app.similarity.recipe import Recipe
from app.similarity.tuning import tune
from app.similarity.vectors import Vectors, unit_rows

METRICS = ("r_precision", "macro_r_precision", "top_10", "top_100", "accuracy", "macro_f1")


@dataclass(frozen=True)
class Line:
    """Means over the draws; least_gain is the worst draw's gain in r_precision."""

    data: str
    n: int
    n_classes: int
    labels: int
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
    lines = []
    for name in asked.only:
        data = SETS[name](asked.cache)
        graph = neighbour_graph(data.vectors)
        for n in asked.labels:
            lines.append(measured(data, graph, n, asked.draws))
            show(lines[-1])
    if list(asked.only) == list(SETS):
        keep("unseen", [asdict(line) for line in lines])
        renew()


def measured(data: Corpus, graph: object, n: int, draws: int) -> Line:
    raw, head = [], []
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(len(data.vectors))
        examples = examples_of(data, order[:n])
        tuned = tune(data.vectors, examples, Recipe(seed=draw), silent, graph)
        rest = queries_of(np.sort(order[n:]))
        raw.append(raw_scores(data, examples, rest))
        head.append(head_scores(data, tuned, rest))
    gains = [b["r_precision"] - a["r_precision"] for a, b in zip(raw, head, strict=True)]
    n_records, n_classes = len(data.vectors), len(data.names)
    return Line(data.name, n_records, n_classes, n, means(raw), means(head), min(gains))


def means(scores: list[dict[str, float]]) -> dict[str, float]:
    return {metric: float(np.mean([each[metric] for each in scores])) for metric in METRICS}


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
    said = classification(data.classes[queries], suggested)
    found = purity(vectors, data.classes, queries)
    return found | {"accuracy": said.accuracy, "macro_f1": said.macro_f1}


def show(line: Line) -> None:
    pairs = " ".join(f"{line.raw[m]:.3f}→{line.head[m]:.3f}" for m in METRICS)
    print(
        f"{line.data:16} n {line.n:5} classes {line.n_classes:3} labels {line.labels:3}  "
        f"{pairs}  least {line.least_gain:+.3f}",
        flush=True,
    )


def _part(data: Corpus, name: str, rows: np.ndarray, classes: np.ndarray | None = None) -> Corpus:
    named = data.classes[rows] if classes is None else classes
    names = tuple(str(c) for c in range(int(named.max()) + 1))
    return Corpus(name, data.vectors[rows], named, names, len(rows), 0)


def uneven_news(cache: Path) -> Corpus:
    """4,000 news records of which 70, 20, 8 and 2 % are of one class; true classes."""
    news = agnews(cache)
    rng = np.random.default_rng(5)
    rows = [
        rng.choice(np.flatnonzero(news.tested_classes == c), n, replace=False)
        for c, n in zip((1, 0, 3, 2), (2800, 800, 320, 80), strict=True)
    ]
    return _part(news, "uneven news", np.concatenate(rows))


def sports_or_not(cache: Path) -> Corpus:
    """The scored news: one class in nine records against all others."""
    news = agnews(cache)
    is_sports = (news.tested_classes == news.names.index("Sports")).astype(np.int64)
    return _part(news, "sports or not", np.arange(news.n_test), is_sports)


def fine_news(cache: Path) -> Corpus:
    """The scored news in 20 classes: five clusters of each true class."""
    news = agnews(cache)
    fine = np.empty(news.n_test, np.int64)
    for c in range(len(news.names)):
        rows = np.flatnonzero(news.tested_classes == c)
        clusters = faiss.Kmeans(news.vectors.shape[1], 5, niter=25, seed=c, spherical=True)
        clusters.train(news.vectors[rows])
        centroids = np.asarray(clusters.centroids)
        fine[rows] = 5 * c + (news.vectors[rows] @ centroids.T).argmax(axis=1)
    return _part(news, "fine news", np.arange(news.n_test), fine)


def queries_by_intent(cache: Path) -> Corpus:
    """All airline queries."""
    data = atis(cache)
    return _part(data, "atis", np.arange(len(data.vectors)))


def messages(cache: Path) -> Corpus:
    """The sample project: 3,200 messages in eight intents."""
    rows = sample_messages()
    vectors = embedded([row.text for row in rows], cache / "messages.npy")
    names, classes = np.unique([row.intent for row in rows], return_inverse=True)
    return Corpus("sample messages", vectors, classes, tuple(map(str, names)), len(rows), 0)


@dataclass(frozen=True)
class Mixture:
    """How many records and classes, in topics of about five classes, and how far apart they are.

    evenness  sizes fall as 1 / rank^evenness: 0 for classes of one size
    """

    name: str
    n: int
    n_classes: int
    evenness: float = 0.0
    topic: float = 0.32
    between: float = 0.32
    wording: float = 0.22

    def __call__(self, cache: Path) -> Corpus:
        rng = np.random.default_rng(self.n_classes)
        spread = _scatter(agnews(cache).vectors)
        d = spread.shape[1]
        share = 1 / np.arange(1, self.n_classes + 1) ** self.evenness
        classes = rng.choice(self.n_classes, self.n, p=share / share.sum())
        topics = rng.integers(0, max(2, self.n_classes // 5), self.n_classes)
        centres = self.topic * _directions(rng, self.n_classes, d)[topics]
        centres = centres + self.between * _directions(rng, self.n_classes, d)
        wordings = centres[:, None] + self.wording * _directions(
            rng, 2 * self.n_classes, d
        ).reshape(self.n_classes, 2, d)
        placed = wordings[classes, rng.integers(0, 2, self.n)]
        noise = rng.standard_normal((self.n, d)) @ spread
        vectors = unit_rows((placed + noise).astype(np.float32))
        names = tuple(str(c) for c in range(self.n_classes))
        return Corpus(self.name, vectors, classes, names, self.n, 0)


def _scatter(vectors: Vectors) -> np.ndarray:
    """(d, d): what turns independent noise into noise that scatters as these vectors do."""
    sampled = vectors[:5000] - vectors[:5000].mean(axis=0)
    _, lengths, axes = np.linalg.svd(sampled, full_matrices=False)
    return np.asarray(np.diag(lengths / np.sqrt(len(sampled))) @ axes)


def _directions(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    drawn = rng.standard_normal((n, d))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


SETS: dict[str, Callable[[Path], Corpus]] = {
    "uneven news": uneven_news,
    "sports or not": sports_or_not,
    "fine news": fine_news,
    "atis": queries_by_intent,
    "sample": messages,
    "77 classes": Mixture("77 classes", 13_083, 77),
    "150 classes": Mixture("150 classes", 22_500, 150),
    "30 uneven": Mixture("30 uneven", 8_000, 30, evenness=1.0),
}


if __name__ == "__main__":
    main()

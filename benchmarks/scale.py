"""How long a head run takes, stage by stage, and how much memory, as records grow.

usage: python benchmarks/scale.py [--cache FOLDER] [--records 20000 50000 200000] [--labels 100]

20,000 real news records; the larger sets repeat them, each copy moved a part of the way towards one
of its 15 nearest neighbours, so that they fill the same regions. Raw vectors are at hand. Each size
is measured in a process of its own; memory is the most that process ever held, vectors included.
Stages: the neighbour graph, the words, what `tune` says it does, the comparison of raw and tuned
that decides whether the version is activated, and tuned vectors with their index.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from corpora import CACHE, Corpus, agnews, ignore_progress, make_examples
from figures import renew
from results_store import AGNEWS, SHARED, Spent, Stopwatch, peak_memory_mb, store_rows

from app.ml.evaluation.cross_validation import cross_validate
from app.ml.examples import Count
from app.ml.graph import build_neighbour_graph
from app.ml.heads.tuning import tune
from app.ml.index import VectorIndex
from app.ml.nearest_rows import find_nearest_others
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors, unit_rows

MOVED = (0.3, 0.7)
AT_ONCE = 10_000


@dataclass(frozen=True)
class Line:
    """What each stage spent, and all together; memory_mb is the most that the process held."""

    records: int
    labels: int
    stages: dict[str, Spent]
    seconds: float
    cpu_seconds: float
    memory_mb: float


class Stages:
    """What each stage spent; a report of tuning starts the stage that its sentence names."""

    def __init__(self) -> None:
        self.spent: dict[str, Spent] = {}
        self._name, self._watch = "", Stopwatch()

    def begin(self, name: str) -> None:
        """Return the stage before ends, this one begins."""
        lap, before = self._watch.lap(), self.spent.get(self._name, Spent(0.0, 0.0))
        if self._name:
            self.spent[self._name] = Spent(*np.add(lap, before).tolist())
        self._name = name

    def __call__(self, progress: float, sentence: str, count: Count | None = None, /) -> None:
        self.begin(sentence.partition(",")[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--records", type=int, nargs="+", default=[20_000, 50_000, 200_000])
    parser.add_argument("--labels", type=int, default=100)
    asked = parser.parse_args()
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. Nothing was measured.")
        return
    agnews(asked.cache)  # Embeds what is missing, before anything is timed.
    for n in asked.records:
        store_rows("scale", [asdict(alone(asked.cache, n, asked.labels))], by=("records",))
    renew()


def alone(cache: Path, n: int, n_labels: int) -> Line:
    """Measured in a new process, so that its memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as process:
        line = process.submit(measured, cache, n, n_labels).result()
    show(line)
    return line


def measured(cache: Path, n: int, n_labels: int) -> Line:
    data = grown(agnews(cache), n)
    rows = np.random.default_rng(0).choice(n, n_labels, replace=False)
    examples, recipe, stages = make_examples(data, rows), Recipe(), Stages()
    stages.begin("Building the graph")
    graph = build_neighbour_graph(data.vectors, recipe.neighbours)
    stages.begin("Reading the words")
    words = data.words
    head = tune(data.vectors, examples, recipe, stages, graph, words)
    stages.begin("Comparing raw and tuned")
    cross_validate(data.vectors, examples, recipe, ignore_progress, graph, words=words)
    stages.begin("Indexing")
    VectorIndex.build(np.arange(n), head.tune(data.vectors))
    stages.begin("Done")
    seconds, cpu_seconds = np.sum(list(stages.spent.values()), axis=0).tolist()
    return Line(n, n_labels, stages.spent, seconds, cpu_seconds, peak_memory_mb())


def grown(data: Corpus, n: int) -> Corpus:
    """n records: the real ones, then copies moved towards a neighbour. Classes and
    texts are the copies' own."""
    rng = np.random.default_rng(0)
    real = len(data.vectors)
    if n <= real:
        return _of(data, data.vectors[:n], np.arange(n))
    _, near = find_nearest_others(data.vectors, 15)
    origin = np.arange(n - real) % real
    towards = near[origin, rng.integers(0, 15, n - real)]
    part = rng.uniform(*MOVED, (n - real, 1)).astype(np.float32)
    vectors = np.empty((n, data.vectors.shape[1]), np.float32)
    vectors[:real] = data.vectors
    for start in range(0, n - real, AT_ONCE):  # Else the most memory held would be this.
        rows = slice(start, start + AT_ONCE)
        mixed = (1 - part[rows]) * data.vectors[origin[rows]]
        mixed += part[rows] * data.vectors[towards[rows]]
        vectors[real:][rows] = unit_rows(mixed)
    return _of(data, vectors, np.concatenate([np.arange(real), origin]))


def _of(data: Corpus, vectors: Vectors, origin: np.ndarray) -> Corpus:
    texts = [data.texts[i] for i in origin] if data.texts else ()
    return Corpus(data.name, vectors, data.classes[origin], data.names, len(vectors), 0, texts)


def show(line: Line) -> None:
    print(
        f"{line.records:7} records, {line.labels} labels: {line.seconds:.1f} s "
        f"({line.cpu_seconds:.1f} s of processors), {line.memory_mb:.0f} MB"
    )
    for name, (seconds, cpu_seconds) in line.stages.items():
        print(f"    {name:45} {seconds:6.1f} s ({cpu_seconds:.1f} s)", flush=True)


if __name__ == "__main__":
    main()

"""How long a map takes to be laid out, how true it is, and how quickly it opens.

usage: map.py [--cache FOLDER] [--records 20000 200000] [--points 100000 200000]
              [--only layout|open]

Layout: real news records, raw and tuned on 100 of their labels; the tuned map begins with the raw
one. Beside it two principal components, which are shown while the map is drawn. Trustworthiness
(Venna and Kaski 2001; scikit-learn), on 4,000 records, is 1 when a point's 10 nearest on the map
are near in the vectors as well; `own class`, how many of them are of its class; `moved`, how
far the median record lies from its place on the raw map, in a square of side 2. Larger sets repeat
the records as scale.py does; each is measured in a process of its own.

Open: a project of so many records on a map, half of them labeled, made straight in the database of
a new data folder, served by the product, and opened in Chromium without a graphics card: seconds
from asking for the page to the first frame with all points, and the milliseconds of a frame while
one moves.
"""

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from corpora import CACHE, Corpus, agnews, ignore_progress, make_examples
from map_opening import OPENED, opened
from results_store import AGNEWS, SHARED, Stopwatch, peak_memory_mb, store_rows
from scale import grown

from app.ml.heads.tuning import tune
from app.ml.map import Points, compute_layout, compute_sketch
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors

LABELS = 100
TRIED = 4_000
NEAREST = 10


@dataclass(frozen=True)
class Line:
    """One layout; moved is None for the raw map and for components. memory_mb is the most that
    the process held until then."""

    records: int
    vectors: str
    method: str
    seconds: float
    cpu_seconds: float
    trustworthiness: float
    own_class: float
    moved: float | None
    memory_mb: float


def laid_out(cache: Path, n: int) -> list[Line]:
    """Return the four maps of n records."""
    data = grown(agnews(cache), n)
    rows = np.random.default_rng(0).choice(n, LABELS, replace=False)
    compute_layout(data.vectors[:200])  # Compiles what the first map of a worker compiles.
    lines: list[Line] = []

    def draw(name: str, method: str, vectors: Vectors, before: Points | None) -> Points:
        watch = Stopwatch()
        points = (
            compute_sketch(vectors)
            if method == "components"
            else compute_layout(vectors, before=before)
        )
        spent = watch.lap()
        moved = None
        if before is not None:
            moved = float(np.median(np.linalg.norm(points - before, axis=1)))
        figures = truth(data, vectors, points)
        lines.append(Line(n, name, method, *spent, *figures, moved, peak_memory_mb()))
        return points

    draw("raw", "components", data.vectors, None)
    raw = draw("raw", "map", data.vectors, None)
    head = tune(data.vectors, make_examples(data, rows), Recipe(), ignore_progress)
    tuned = head.tune(data.vectors)
    draw("tuned", "components", tuned, None)
    draw("tuned", "map", tuned, raw)
    return lines


def truth(data: Corpus, vectors: Vectors, points: Points) -> tuple[float, float]:
    """Trustworthiness, and the share of a point's nearest on the map that are of its class."""
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import NearestNeighbors

    rows = np.random.default_rng(1).choice(len(points), min(TRIED, len(points)), replace=False)
    trusted = float(trustworthiness(vectors[rows], points[rows], n_neighbors=NEAREST))
    near = NearestNeighbors(n_neighbors=NEAREST + 1).fit(points).kneighbors(points[rows])[1][:, 1:]
    return trusted, float((data.classes[near] == data.classes[rows][:, None]).mean())


def measure_layouts(cache: Path, sizes: list[int]) -> None:
    context = multiprocessing.get_context("spawn")
    for n in sizes:
        with ProcessPoolExecutor(1, context) as process:
            lines = process.submit(laid_out, cache, n).result()
        for line in lines:
            show(line)
        store_rows("map", [asdict(line) for line in lines], by=("records", "vectors", "method"))


def show(line: Line) -> None:
    moved = "" if line.moved is None else f"  moved {line.moved:.2f}"
    print(
        f"{line.records:7} {line.vectors:5} {line.method:10} {line.seconds:6.1f} s "
        f"({line.cpu_seconds:.1f} s of processors)  trustworthiness {line.trustworthiness:.3f}  "
        f"own class {line.own_class:.3f}{moved}  {line.memory_mb:.0f} MB",
        flush=True,
    )


def measure_opening(sizes: list[int]) -> None:
    for n in sizes:
        line = opened(n)
        print(
            f"{n:7} points: open in {line['open_seconds']:.2f} s (median of {OPENED}); a frame "
            f"while moving {line['frame_ms_p50']} ms, p95 {line['frame_ms_p95']} ms",
            flush=True,
        )
        store_rows("map", [line], by=("records", "vectors", "method"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--records", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 200_000])
    parser.add_argument("--only", choices=["layout", "open"])
    asked = parser.parse_args()
    if asked.only != "layout":
        measure_opening(asked.points)
    if asked.only == "open":
        return
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. No layout was measured.")
        return
    measure_layouts(asked.cache, asked.records)


if __name__ == "__main__":
    main()

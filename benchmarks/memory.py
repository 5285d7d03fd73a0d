"""How much memory the worker takes for all vectors of a project: reading them, indexing, mapping.

usage: python benchmarks/memory.py [--records 200000] [--dimensions 384] [--only read index sketch]

Made-up records with random unit vectors in a SQLite database of their own, made in a process of its
own. Each step runs in a new process too, and memory is the most that process ever held, the product
itself included. 1,000,000 records take 3 GB of the disk.
"""

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from results_store import Stopwatch, peak_memory_mb, store_rows
from sqlalchemy import insert

from app.db import schema
from app.db.session import read_session, write_session
from app.maps.drawing import draw_sketch
from app.ml.vectors import unit_rows
from app.models import Project, Record
from app.search.embedding import load_all_vectors
from app.search.index_revisions import write_index
from app.search.vectors import as_bytes, store_vectors
from app.search.versions import get_or_create_raw_version
from app.settings import DEFAULT_MODEL, settings

AT_ONCE = 10_000


@dataclass(frozen=True)
class Line:
    """What a step took; memory_mb is the most that its process held, before_mb what it held before
    the step."""

    records: int
    dimensions: int
    step: str
    seconds: float
    cpu_seconds: float
    before_mb: float
    memory_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS))
    asked = parser.parse_args()
    n, dimensions = asked.records, asked.dimensions
    with tempfile.TemporaryDirectory(prefix="likewise-memory-") as folder:
        version_id = alone(make_records, folder, n, dimensions)
        print(f"{n:,} records, {dimensions} dimensions, {n * dimensions * 4 / 1e6:,.0f} MB")
        lines = [alone(measure, folder, name, version_id, n, dimensions) for name in asked.only]
    for line in lines:
        print(
            f"{line.step:8} {line.seconds:7.1f} s ({line.cpu_seconds:.1f} s of processors)"
            f"{line.before_mb:7.0f} MB before, {line.memory_mb:6.0f} MB at most"
        )
    store_rows("memory", [asdict(line) for line in lines], by=("records", "dimensions", "step"))


def alone(work: Callable[..., Any], folder: str, *about: object) -> Any:
    """Return what `work` returns, done in a new process that works on this data folder."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=_use, initargs=(folder,)) as process:
        return process.submit(work, *about).result()


def _use(folder: str) -> None:
    os.environ["LIKEWISE_DATA_DIR"] = folder
    os.environ["LIKEWISE_DATABASE_URL"] = f"sqlite:///{Path(folder) / 'likewise.sqlite3'}"
    settings.cache_clear()


def make_records(n: int, dimensions: int) -> int:
    """Make the id of the raw encoder of a new project with so many records and their vectors."""
    schema.upgrade()
    with write_session() as db:
        project = Project(slug="memory", name="Memory", base_model=DEFAULT_MODEL, min_labels=25)
        db.add(project)
        db.flush()
        version_id, project_id = get_or_create_raw_version(db, project).id, project.id
    rng = np.random.default_rng(0)
    for start in range(0, n, AT_ONCE):
        numbers = range(start, min(n, start + AT_ONCE))
        hashes = [f"{number:064x}" for number in numbers]
        records = [
            {
                "project_id": project_id,
                "external_id": f"r{number}",
                "text": f"text {number}",
                "content_hash": content_hash,
                "fields": {},
            }
            for number, content_hash in zip(numbers, hashes, strict=True)
        ]
        with write_session() as db:
            ids = db.scalars(
                insert(Record).returning(Record.id, sort_by_parameter_order=True), records
            )
            known = list(zip(ids.all(), hashes, strict=True))
        vectors = unit_rows(rng.standard_normal((len(numbers), dimensions), dtype=np.float32))
        store_vectors(version_id, known, dict(zip(hashes, as_bytes(vectors), strict=True)))
    return version_id


def measure(name: str, version_id: int, n: int, dimensions: int) -> Line:
    """Measure what this step takes in this process."""
    before, watch = peak_memory_mb(), Stopwatch()
    STEPS[name](version_id)
    spent = watch.lap()
    return Line(n, dimensions, name, spent.seconds, spent.cpu_seconds, before, peak_memory_mb())


def read_all(version_id: int) -> None:
    """Read what a run, a renewal of suggestions and a map begin with."""
    with read_session() as db:
        load_all_vectors(db, version_id)


STEPS: dict[str, Callable[[int], None]] = {
    "read": read_all,
    "index": write_index,
    "sketch": draw_sketch,
}

if __name__ == "__main__":
    main()

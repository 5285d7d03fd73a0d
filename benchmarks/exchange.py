"""How fast 20,000 records go in and out, and how long an import holds the write lock.

usage: python -m benchmarks.exchange [--n 20000] [--postgres URL]

Reads AG News from $LIKEWISE_SHARED (or ../shared beside the checkout) if it is there, otherwise the
sample project's messages. Prints a table and a JSON object. Goals on 2 cores: import 5 s, export
2 s, lock 50 ms.
"""

import argparse
import csv
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet
from results_store import AGNEWS, store_results
from sqlalchemy import Connection, event

from app.db import schema
from app.db.session import engine, write_session
from app.exchange.exports.export import write_export
from app.exchange.imports.imports import queue_import, receive_import, run_import
from app.exchange.imports.mapping import Mapping
from app.models import Project
from app.projects.sample import sample_messages
from app.settings import settings


def agnews(n: int) -> list[dict[str, str]]:
    return [
        {"id": f"{part}-{number}", **row}
        for part in ("train", "val", "test")
        for number, row in enumerate(json.loads((AGNEWS / f"{part}.json").read_text()))
    ][:n]


def sample(n: int) -> list[dict[str, str]]:
    messages = sample_messages(min(n, 3200))
    return [
        {
            "id": f"{k}",
            "text": f"{message.text} ({k})",
            "label": message.intent,
            "channel": message.channel,
        }
        for k in range(n)
        for message in [messages[k % len(messages)]]
    ]


def write_files(rows: list[dict[str, str]], folder: Path) -> dict[str, Path]:
    paths = {name: folder / f"in.{name}" for name in ("csv", "json", "jsonl", "parquet")}
    with paths["csv"].open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    paths["json"].write_text(json.dumps(rows))
    paths["jsonl"].write_text("".join(json.dumps(row) + "\n" for row in rows))
    parquet.write_table(pyarrow.Table.from_pylist(rows), paths["parquet"])
    return paths


@contextmanager
def lock_holds() -> Iterator[list[float]]:
    """Seconds that each write transaction lasted, from BEGIN IMMEDIATE to the end of COMMIT."""
    held: list[float] = []

    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("is_write"):
            connection.info["write_began"] = time.perf_counter()

    def on_end(dbapi_connection: Any, record: Any) -> None:
        began = record.info.pop("write_began", None)
        if began is not None:
            held.append(time.perf_counter() - began)

    event.listen(engine(), "begin", on_begin)
    event.listen(engine(), "checkin", on_end)
    yield held
    event.remove(engine(), "begin", on_begin)
    event.remove(engine(), "checkin", on_end)


def new_project(slug: str) -> Project:
    with write_session() as db:
        project = Project(slug=slug, name=slug, base_model="none", min_labels=25)
        db.add(project)
    return project


def time_import(project: Project, path: Path) -> dict[str, float]:
    with lock_holds() as held:
        began = time.perf_counter()
        with write_session() as db:
            found = receive_import(db, project, None, path.name, path)
        with write_session() as db:
            queue_import(db, found, Mapping.model_validate(found.mapping))
        run_import(found.id)
        seconds = time.perf_counter() - began
    held.sort()
    return {
        "seconds": round(seconds, 2),
        "longest_lock_ms": round(1000 * held[-1], 1),
        "p99_lock_ms": round(1000 * held[int(0.99 * (len(held) - 1))], 1),
    }


def time_export(project: Project, path: Path, **options: Any) -> dict[str, float]:
    began = time.perf_counter()
    write_export(project, path, path.suffix[1:], **options)
    return {"seconds": round(time.perf_counter() - began, 2)}


def measure(n: int) -> dict[str, dict[str, float]]:
    rows = agnews(n) if AGNEWS.is_dir() else sample(n)
    folder = settings().data_dir
    results: dict[str, dict[str, float]] = {}
    for name, path in write_files(rows, folder).items():
        project = new_project(name)
        results[f"import {name}"] = time_import(project, path)
    results["import csv again"] = time_import(project, folder / "in.csv")
    for name in ("csv", "jsonl", "parquet"):
        results[f"export {name}"] = time_export(project, folder / f"out.{name}")
    results["export annotations"] = time_export(project, folder / "a.csv", rows="annotations")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--postgres", default="", help="URL of an empty database; else SQLite")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIKEWISE_DATA_DIR"] = folder
        os.environ["LIKEWISE_DATABASE_URL"] = arguments.postgres
        settings.cache_clear()
        schema.upgrade()
        results = measure(arguments.n)
    for name, numbers in results.items():
        print(f"{name:20}" + "".join(f"  {key} {value:8}" for key, value in numbers.items()))
    store_results("exchange", {"n": arguments.n, "results": results})


if __name__ == "__main__":
    main()

"""How much purer is search after a head run on 25 labels? Through the command line, end to end.

20,000 records are imported and embedded once; then, for each of three draws, 25 random records of
the training file are labeled, a head run is made, vectors are exported, and the share of like
neighbours among the nearest 10, 100 and 1,000 is measured on the test records' true labels.

    python benchmarks/loop.py [--draws 3] [--keep FOLDER]

--keep  a folder for the embedded records: the next call starts from there

The records are not part of the repository: see benchmarks/README.md.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from results_store import AGNEWS, ROOT, SHARED, store_results
from scores import choose_queries, purity

from app.ml.vectors import unit_rows

FILES = ("train", "val", "test")
N_LABELS = 25
METRICS = ("top_10", "top_100", "top_1000", "r_precision")
LIKEWISE = [sys.executable, "-m", "app.cli"]
Row = dict[str, str]


def likewise(folder: Path, *words: str) -> Any:
    environment = {k: v for k, v in os.environ.items() if k != "LIKEWISE_DATABASE_URL"}
    done = subprocess.run(
        [*LIKEWISE, *words, "--json"],
        env=environment | {"LIKEWISE_DATA_DIR": str(folder)},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"likewise {' '.join(words)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def records() -> list[Row]:
    rows = []
    for name in FILES:
        stored = json.loads((AGNEWS / f"{name}.json").read_text())
        rows += [{"id": f"{name}-{n}", **record} for n, record in enumerate(stored)]
    return rows


def write(path: Path, columns: list[str], rows: list[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def embedded(folder: Path, rows: list[Row], place: Path) -> float:
    """Import and embed all records, unlabeled, unless the folder holds them already."""
    if (folder / "likewise.sqlite3").exists():
        return 0.0
    file = write(place / "records.csv", ["id", "Title", "Description"], rows)
    start = time.perf_counter()
    likewise(
        folder, "import", "agnews", str(file), "--text", "Title,Description", "--id", "id", "--wait"
    )
    return time.perf_counter() - start


def scores(folder: Path, gold: Path, place: Path) -> dict[str, float]:
    vectors = place / "vectors.parquet"
    likewise(folder, "export", "agnews", str(vectors), "--vectors")
    return score_vectors(vectors, gold)


def score_vectors(vectors: Path, gold: Path) -> dict[str, float]:
    """Score the neighbours of test records among test records, by their true labels.

    vectors  Parquet with the columns `id` and `vector`; gold: CSV with `id` and `label`
    """
    with gold.open(newline="", encoding="utf-8") as opened:
        labels = {row["id"]: row["label"] for row in csv.DictReader(opened)}
    rows = pq.read_table(vectors, columns=["id", "vector"]).to_pylist()
    rows = sorted((r for r in rows if r["id"].startswith("test-")), key=lambda r: str(r["id"]))
    exported = unit_rows(np.array([row["vector"] for row in rows], np.float32))
    _, classes = np.unique([labels[row["id"]] for row in rows], return_inverse=True)
    scores = purity(exported, classes.astype(np.int64), choose_queries(np.arange(len(rows))))
    return {name: round(scores[name], 4) for name in METRICS if name in scores}


def draw(base: Path, rows: list[Row], gold: Path, seed: int, place: Path) -> dict[str, float]:
    """Label 25 random training records in a copy of the base, train, and score."""
    folder = place / f"draw-{seed}"
    shutil.copytree(base, folder)
    labeled = random.Random(seed).sample(
        [r for r in rows if r["id"].startswith("train-")], N_LABELS
    )
    columns = ["id", "Title", "Description", "label"]
    file = write(place / f"labels-{seed}.csv", columns, labeled)
    likewise(
        folder,
        "import",
        "agnews",
        str(file),
        "--text",
        "Title,Description",
        "--id",
        "id",
        "--label",
        "label",
        "--wait",
    )
    run = likewise(folder, "train", "agnews", "--method", "head", "--wait")
    told = scores(folder, gold, place)
    shutil.rmtree(folder)
    return told | {"run_seconds": round(run["seconds"], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    if not AGNEWS.is_dir():
        print(f"No records in {SHARED}: set LIKEWISE_SHARED. Nothing was measured.")
        return
    rows = records()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        base = options.keep or place / "base"
        seconds = embedded(base, rows, place)
        gold = write(place / "gold.csv", ["id", "label"], rows)
        table = {"raw": scores(base, gold, place)}
        for seed in range(options.draws):
            table[f"draw {seed}"] = draw(base, rows, gold, seed, place)
    report(table, seconds)


def report(table: dict[str, dict[str, float]], seconds: float) -> None:
    columns = ("top_10", "top_100", "top_1000", "run_seconds")
    drawn = [told for name, told in table.items() if name != "raw"]
    if drawn:
        table["mean"] = {
            c: round(sum(t[c] for t in drawn) / len(drawn), 4) for c in columns if c in drawn[0]
        }
    print(f"{len(drawn)} draws of {N_LABELS} labels; imported and embedded in {seconds:.0f} s")
    print("        " + "".join(c.rjust(13) for c in columns))
    for name, told in table.items():
        print(name.ljust(8) + "".join(str(told.get(c, "–")).rjust(13) for c in columns))
    store_results("loop", {"n_labels": N_LABELS, "embed_seconds": round(seconds), "draws": table})


if __name__ == "__main__":
    main()

"""How much purer is search after a head run on 25 labels? Through the command line, end to end.

20,000 records are imported and embedded once; then, for each of three draws, 25 random records of
the training file are labeled, a head run is made, vectors are exported, and the share of like
neighbours among the nearest 10, 100 and 1,000 is measured on the test records' true labels.

    python benchmarks/loop.py [--draws 3] [--keep FOLDER]

--keep  a folder for the embedded records: the next call starts from there

Records and scorer are not part of the repository: LIKEWISE_SHARED names the folder they are in.
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

from kept import AGNEWS, ROOT, SHARED, keep

FILES = ("train", "val", "test")
N_LABELS = 25
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
    scorer = [sys.executable, str(SHARED / "tools" / "score.py"), str(vectors), str(gold)]
    said = subprocess.run(
        [*scorer, "--only", "test-"], check=True, capture_output=True, text=True
    ).stdout
    told: dict[str, float] = json.loads(said)
    return told


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
        table["mean"] = {c: round(sum(t[c] for t in drawn) / len(drawn), 4) for c in columns}
    print(f"{len(drawn)} draws of {N_LABELS} labels; imported and embedded in {seconds:.0f} s")
    print("        " + "".join(c.rjust(13) for c in columns))
    for name, told in table.items():
        print(name.ljust(8) + "".join(str(told.get(c, "–")).rjust(13) for c in columns))
    keep("loop", {"n_labels": N_LABELS, "embed_seconds": round(seconds), "draws": table})


if __name__ == "__main__":
    main()

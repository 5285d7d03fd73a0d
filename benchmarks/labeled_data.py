"""Records whose true labels are known, as files that the product imports without labels."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from results_store import AGNEWS, ROOT, SHARED

ATIS = SHARED / "data" / "atis" / "intents.csv"
LIKEWISE = [sys.executable, "-m", "app.cli"]
PROJECT = "effort"


@dataclass(frozen=True)
class LabeledData:
    """texts and labels by external id."""

    name: str
    texts: dict[str, str]
    labels: dict[str, str]

    def embed(self, folder: Path) -> None:
        """Import the texts, unlabeled, and wait for their vectors, unless the folder has them."""
        if (folder / "likewise.sqlite3").exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "records.csv"
        with file.open("w", newline="", encoding="utf-8") as opened:
            rows = csv.writer(opened)
            rows.writerow(["id", "text"])
            rows.writerows(self.texts.items())
        words = ["import", PROJECT, str(file), "--text", "text", "--id", "id", "--wait"]
        subprocess.run([*LIKEWISE, *words], check=True, cwd=ROOT, env=environment(folder))


def environment(folder: Path) -> dict[str, str]:
    """Of a process that works on that data folder, with SQLite."""
    kept = {k: v for k, v in os.environ.items() if k != "LIKEWISE_DATABASE_URL"}
    return kept | {"LIKEWISE_DATA_DIR": str(folder)}


def truth(name: str) -> LabeledData | None:
    """Return the named records, or None (after a word about it) where they are not to be had."""
    file = {"agnews": AGNEWS / "test.json", "atis": ATIS}[name]
    if not file.exists():
        print(f"No {file.name} in {SHARED}: set LIKEWISE_SHARED. {name} was not measured.")
        return None
    pairs = _news(file) if name == "agnews" else _queries(file)
    ids = [f"r-{row}" for row in range(len(pairs))]
    texts, labels = ([pair[place] for pair in pairs] for place in (0, 1))
    return LabeledData(
        name, dict(zip(ids, texts, strict=True)), dict(zip(ids, labels, strict=True))
    )


def _news(file: Path) -> list[tuple[str, str]]:
    rows = json.loads(file.read_text())
    return [(f"{row['Title']}. {row['Description']}", row["label"]) for row in rows]


def _queries(file: Path) -> list[tuple[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return [(row["query"], row["intent"]) for row in csv.DictReader(opened)]

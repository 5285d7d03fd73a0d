"""Run every benchmark on small, generated data, to see that each still works. It measures nothing.

usage: python benchmarks/smoke.py [--only NAME ...]

The scripts run in a copy of this folder, so that neither the results kept here nor the pages that
show them change. What needs a browser is left out where there is none.
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

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
WORDS = {
    "Business": "market shares profit bank merger oil prices investors quarter sales",
    "Sci/Tech": "software computer internet scientists space phone virus chip search web",
    "Sports": "game season team coach match league win player score final",
    "World": "minister election troops peace police court border talks president attack",
    "atis_flight": "fly flights boston denver leaving morning arriving nonstop",
    "atis_airfare": "cheapest fare cost ticket price dollars round trip",
    "atis_ground_service": "taxi limousine rental car downtown airport transportation bus",
    "atis_airline": "which airline carrier serves operates united delta american",
    "atis_abbreviation": "what does code mean stand for restriction abbreviation fare",
    "atis_aircraft": "type aircraft plane boeing seats used jet kind",
    "atis_flight_time": "departure times schedule what time arrive takes off",
    "atis_quantity": "how many number of flights airports stops first class",
}
NEWS = {"test": 260, "train": 120, "val": 40}
N_QUERIES = 240
RUNS: dict[str, list[str]] = {
    "tuning": ["--cache", "{cache}", "--only", "atis", "--labels", "25", "--draws", "1"],
    "calibration": ["--cache", "{cache}", "--only", "agnews", "--labels", "25", "--draws", "1"],
    "unseen": ["--cache", "{cache}", "--only", "sports or not", "--labels", "25", "--draws", "1"],
    "scale": ["--cache", "{cache}", "--records", "400", "--labels", "25"],
    "memory": ["--records", "2000"],
    "deep": ["--cache", "{cache}", "--dataset", "atis", "--labels", "25", "--subset", "40"],
    "embedding": ["--texts", "100"],
    "reranking": ["--cache", "{cache}", "--datasets", "atis", "--labels", "25", "--seeds", "3"],
    "sessions": ["--records", "2000", "--labels", "200", "--rounds", "1"],
    "exchange": ["--n", "200"],
    "loop": ["--draws", "1"],
    "effort": ["--data", "atis", "--ways", "next", "--look", "0"],
    "map": ["--cache", "{cache}", "--records", "400", "--only", "layout"],
    "labeling": ["--cache", "{cache}", "--parts", "paced", "--records", "400", "--seconds", "3"],
    "pages": ["--cache", "{cache}", "--parts", "busy", "--records", "400", "--rounds", "2"],
    "figures": [],
}
BROWSER_RUNS: dict[str, list[str]] = {
    "labeling": ["--cache", "{cache}", "--parts", "keys", "--records", "2000"],
    "map": ["--cache", "{cache}", "--points", "1000", "--only", "open"],
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS))
    names = parser.parse_args().only
    runs = [(name, RUNS[name]) for name in names]
    if Path(CHROMIUM).exists():
        runs += [(name, options) for name, options in BROWSER_RUNS.items() if name in names]
    else:
        print(f"Left out what needs a browser: there is no {CHROMIUM}.")
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        write_data(place / "shared")
        shutil.copytree(ROOT / "benchmarks", place / "copy" / "benchmarks")
        shutil.copytree(ROOT / "docs", place / "copy" / "docs")
        failed = [name for name, options in runs if not run(name, options, place)]
    if failed:
        print("Failed:", ", ".join(failed))
    return 1 if failed else 0


def run(name: str, options: list[str], place: Path) -> bool:
    """Run one script and print its name, its seconds and, where it failed, what it said."""
    environment = os.environ | {
        "LIKEWISE_SHARED": str(place / "shared"),
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(place),
    }
    environment.pop("LIKEWISE_DATA_DIR", None)
    environment.pop("LIKEWISE_DATABASE_URL", None)
    words = [option.format(cache=place / "cache") for option in options]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", *words],
        cwd=place / "copy",
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    is_good = done.returncode == 0 and "was measured" not in done.stdout
    print(
        f"{name:12} {' '.join(options[-4:]):40} {time.perf_counter() - start:6.1f} s  "
        f"{'ok' if is_good else 'FAILED'}",
        flush=True,
    )
    if not is_good:
        print(done.stdout[-3000:])
    return is_good


def write_data(shared: Path) -> None:
    """Write news and queries as the scripts expect them under LIKEWISE_SHARED."""
    rng = random.Random(0)
    topics = [name for name in WORDS if not name.startswith("atis_")]
    intents = [name for name in WORDS if name.startswith("atis_")]
    news, queries = shared / "data" / "agnews", shared / "data" / "atis"
    news.mkdir(parents=True)
    queries.mkdir(parents=True)
    for split, n in NEWS.items():
        rows = [
            {"Title": say(rng, label, 3), "Description": say(rng, label, 7), "label": label}
            for label in rng.choices(topics, k=n)
        ]
        (news / f"{split}.json").write_text(json.dumps(rows))
    with (queries / "intents.csv").open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["query", "intent"])
        for label in rng.choices(intents, weights=[8] + [1] * (len(intents) - 1), k=N_QUERIES):
            writer.writerow([say(rng, label, 6), label])


def say(rng: random.Random, label: str, n: int) -> str:
    """Make up a text of n words of this label."""
    return " ".join(rng.choices(WORDS[label].split(), k=n))


if __name__ == "__main__":
    sys.exit(main())

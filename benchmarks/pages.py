"""How quickly pages answer: a project of 20,000 records while runs go on, and one of 200,000.

usage: python benchmarks/pages.py [--parts busy large] [--records 20000] [--large 200000]
                                  [--rounds 20] [--cache FOLDER]

The product's own server, asked over HTTP by a logged-in admin for every page that a person opens,
one after another. Told of each: the median and the 95th percentile, and what it cost the web
process, in milliseconds of one processor: that says more where others use the machine, too.

busy   the worker has one head run after the other to carry out
large  10,000 labels, two head versions with their figures; no worker, as between two runs
"""

import argparse
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpora import CACHE
from prepared_project import COOKIE, SLUG, PreparedProject, ServedProject, prepare_project
from prepared_project import N_LABELED as FEW_LABELED
from results_store import load_rows, store_results

Figures = dict[str, Any]
N_LABELED = 10_000
N_RUNS = 2
PROJECT = f"/projects/{SLUG}"


class Browser:
    """A logged-in browser without pictures."""

    def __init__(self, serving: ServedProject) -> None:
        self.serving = serving

    def get(self, path: str) -> float:
        """Milliseconds until the whole page is there."""
        request = urllib.request.Request(
            self.serving.address + path, headers={"Cookie": f"likewise={COOKIE}"}
        )
        began = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            answer.read()
        return 1000 * (time.perf_counter() - began)


def measured(browser: Browser, path: str, rounds: int) -> Figures:
    """One page; its first opening is not counted."""
    browser.get(path)
    before = browser.serving.cpu_seconds()
    times = [browser.get(path) for _ in range(rounds)]
    cpu_seconds = browser.serving.cpu_seconds() - before
    return {
        "n": rounds,
        "p50_ms": round(statistics.median(times), 1),
        "p95_ms": round(statistics.quantiles(times, n=20)[18], 1),
        "cpu_ms": round(1000 * cpu_seconds / rounds, 1),
    }


def pages_of(serving: ServedProject, n_runs: int) -> dict[str, str]:
    """Every page that a person opens, by name."""
    similar = serving.ask("POST", "/sessions", {"seed_kind": "record", "record_ids": [1]})["url"]
    pages = {
        "projects": "/",
        "project": PROJECT,
        "records": f"{PROJECT}/records",
        "records, a common word": f"{PROJECT}/records?q=the",
        "records, a rare word": f"{PROJECT}/records?q=zebra",
        "records, phrase, newest first": f"{PROJECT}/records?q=%22oil+price%22+-iraq&sort=newest",
        "records like one": f"{PROJECT}/records?record=3",
        "records like one, with words": f"{PROJECT}/records?record=3&q=the",
        "records of a label": f"{PROJECT}/records?label=1&state=labeled",
        "records, unlabeled": f"{PROJECT}/records?state=unlabeled",
        "records, least sure first": f"{PROJECT}/records?state=unlabeled&sort=unsure",
        "how many match": f"{PROJECT}/records/count?state=unlabeled&q=oil",
        "record": f"{PROJECT}/records/2",
        "sessions": f"{PROJECT}/sessions",
        "session, list": similar,
        "session, card": f"{similar}?view=card",
        "labels": f"{PROJECT}/labels",
        "map": f"{PROJECT}/map",
        "map, as a list": f"{PROJECT}/map/list",
        "progress": f"{PROJECT}/progress",
        "agreement": f"{PROJECT}/progress/agreement",
        "training": f"{PROJECT}/training",
        "versions": f"{PROJECT}/versions",
        "imports": f"{PROJECT}/imports",
        "exports": f"{PROJECT}/exports",
        "notices": "/notifications",
        "webhooks": f"{PROJECT}/notifications",
        "users": "/users",
        "me": "/me",
    }
    if n_runs:
        run = f"{PROJECT}/training/runs/{n_runs}"
        pages |= {"run": run, "run, its figures": f"{run}/figures"}
        pages |= {"versions, compared": f"{PROJECT}/versions/compare?a=1&b=2"}
        pages |= {"versions, tried": f"{PROJECT}/versions/try"}
    return pages


def opened(serving: ServedProject, rounds: int, n_runs: int = 0) -> Figures:
    browser = Browser(serving)
    pages = pages_of(serving, n_runs)
    found = {name: measured(browser, path, rounds) for name, path in pages.items()}
    has_torch = serving.has_torch()
    # A text to search for is what the encoder is for; loading it takes seconds, once.
    for name, mode in (("records, by meaning", "meaning"), ("records, by both", "both")):
        found[name] = measured(browser, f"{PROJECT}/records?q=oil+prices&mode={mode}", rounds)
    return {"records": serving.desk.n, "pages": found, "torch_in_web": has_torch}


def busy(desk: PreparedProject, rounds: int) -> Figures:
    with ServedProject(desk).running() as serving:
        return opened(serving, rounds)


def large(desk: PreparedProject, rounds: int) -> Figures:
    with ServedProject(desk).running(is_busy=False) as serving:
        for _ in range(N_RUNS):
            # Measured worse or not at all: there shall be several versions.
            serving.ask("POST", "/runs", {"method": "head", "is_forced": True})
            while serving.ask("GET", "/readiness")["moving"] is not None:
                time.sleep(1)
    with ServedProject(desk, "--no-worker").running(is_busy=False) as serving:
        return opened(serving, rounds, N_RUNS)


PARTS: dict[str, Callable[[PreparedProject, int], Figures]] = {"busy": busy, "large": large}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cache", type=Path, default=CACHE)
    asked = parser.parse_args()
    kept: Any = load_rows("pages") or {}
    known = {part: kept[part] for part in PARTS if part in kept}
    for part in asked.parts:
        is_large = part == "large"
        n = asked.large if is_large else asked.records
        with tempfile.TemporaryDirectory() as folder:
            labels = N_LABELED if is_large else FEW_LABELED
            desk = prepare_project(Path(folder), n, n_labeled=labels, cache=asked.cache)
            known[part] = PARTS[part](desk, asked.rounds)
        print(f"{part}: {n:,} records, torch in the web process: {known[part]['torch_in_web']}")
        for name, row in known[part]["pages"].items():
            print(f"    {name:30} " + "  ".join(f"{key} {row[key]:7}" for key in row), flush=True)
    store_results("pages", known)


if __name__ == "__main__":
    main()

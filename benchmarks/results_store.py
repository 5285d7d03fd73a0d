"""What every benchmark does alike: where real records are, and how figures are kept."""

import json
import os
import platform
import re
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("LIKEWISE_SHARED", ROOT.parent / "shared"))
AGNEWS = SHARED / "data" / "agnews"
RESULTS = ROOT / "benchmarks" / "results"


def store_results(name: str, figures: Any) -> None:
    """Write benchmarks/results/NAME.json: the figures, with the machine and the day."""
    machine = {
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    kept = {"day": datetime.now(UTC).date().isoformat(), "machine": machine, "figures": figures}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(kept, indent=2) + "\n")
    print(f"Kept in {path.relative_to(ROOT)}.")


def load_rows(name: str) -> list[dict[str, Any]]:
    """Load the rows in results/NAME.json; none if there is no such file."""
    path = RESULTS / f"{name}.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text())["figures"] if path.exists() else []
    return rows


def store_rows(name: str, rows: list[dict[str, Any]], *, by: tuple[str, ...]) -> None:
    """Put these rows into results/NAME.json, each in place of an older one with the same values
    of these columns, in their order."""

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[column] for column in by)

    known = {key(row): row for row in load_rows(name)} | {key(row): row for row in rows}
    store_results(name, [known[each] for each in sorted(known)])


class Spent(NamedTuple):
    """Seconds by the clock, and of the processors, all threads together: the second says more where
    others use the machine too."""

    seconds: float
    cpu_seconds: float


class Stopwatch:
    """Measures lap after lap."""

    def __init__(self) -> None:
        self._clock, self._cpu = time.perf_counter(), time.process_time()

    def lap(self) -> Spent:
        """Return what was spent since the lap before."""
        clock, cpu = time.perf_counter(), time.process_time()
        spent = Spent(clock - self._clock, cpu - self._cpu)
        self._clock, self._cpu = clock, cpu
        return spent


def peak_memory_mb() -> float:
    """Return the most memory that this process ever held, in MB of 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux counts what the parent held, too, in the figure that getrusage gives.
        held = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if held:
            return int(held[1]) * 1024 / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6

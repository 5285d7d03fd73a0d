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


def keep(name: str, figures: Any) -> None:
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
        """What was spent since the lap before."""
        clock, cpu = time.perf_counter(), time.process_time()
        spent = Spent(clock - self._clock, cpu - self._cpu)
        self._clock, self._cpu = clock, cpu
        return spent


def most_memory_mb() -> float:
    """The most memory that this process ever held, in MB of 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux counts what the parent held, too, in the figure that getrusage gives.
        held = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if held:
            return int(held[1]) * 1024 / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6

"""What every benchmark does alike: where real records are, and how figures are kept."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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

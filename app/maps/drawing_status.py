"""How far a map is, as the worker last said: one small file per version, for pages to read.

Nothing depends on it. It is replaced whole, so a reader never sees half of it.
"""

import json
import time
from dataclasses import asdict, dataclass

from app.files import replace_text
from app.storage import data_subdir

STALE_SECONDS = 600.0


@dataclass(frozen=True)
class DrawingStatus:
    """How far a version's map is: share in [0, 1]; error: why it stopped, if it did."""

    share: float = 0.0
    error: str | None = None
    said_at: float = 0.0  # Unix time in seconds.


def read_status(version_id: int) -> DrawingStatus:
    """What the worker last said about this version's map; nothing if that is long ago."""
    try:
        status = DrawingStatus(
            **json.loads((data_subdir("maps") / f"{version_id}.json").read_text())
        )
    except (OSError, ValueError, TypeError):
        return DrawingStatus()
    return status if time.time() - status.said_at < STALE_SECONDS else DrawingStatus()


def write_status(version_id: int, drawing: DrawingStatus) -> None:
    """Replace what pages read about this version's map."""
    path = data_subdir("maps") / f"{version_id}.json"
    replace_text(path, json.dumps(asdict(drawing) | {"said_at": time.time()}))

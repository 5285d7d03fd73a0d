"""How fast embedding goes, as the worker last said: one small file per project, for pages to read.

Nothing depends on it. It is replaced whole, so a reader never sees half of it.
"""

import json
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.files import replace_text
from app.storage import data_subdir

WINDOW_SECONDS = 30.0
# After so long without a word the worker is taken to do something else, or to be gone.
SILENT_SECONDS = 90.0


@dataclass(frozen=True)
class EmbeddingStatus:
    """per_second: texts; None when nothing moves. error: why embedding stopped, if it failed."""

    per_second: float | None = None
    error: str | None = None
    reported_at: float = 0.0  # Unix time in seconds.


class EmbeddingPace:
    """Counts what was embedded in the last half minute; used around the work, as a context."""

    def __init__(self, project_id: int) -> None:
        self._project_id = project_id
        self._marks: deque[tuple[float, int]] = deque()

    def __enter__(self) -> Self:
        self._marks.append((time.monotonic(), 0))
        return self

    def add(self, n: int) -> None:
        """So many more are stored now."""
        now = time.monotonic()
        self._marks.append((now, n))
        while len(self._marks) > 2 and self._marks[0][0] < now - WINDOW_SECONDS:
            self._marks.popleft()
        began, _ = self._marks[0]
        counted = sum(n for _, n in list(self._marks)[1:])
        write_status(self._project_id, EmbeddingStatus(per_second=counted / max(now - began, 1e-3)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            write_status(self._project_id, EmbeddingStatus())


def write_status(project_id: int, status: EmbeddingStatus) -> None:
    """Replace what pages read about this project."""
    path = _path(project_id)
    replace_text(path, json.dumps(asdict(status) | {"reported_at": time.time()}))


def read_status(project_id: int) -> EmbeddingStatus:
    """What the worker last said; no rate if that is long ago."""
    try:
        status = EmbeddingStatus(**json.loads(_path(project_id).read_text()))
    except (OSError, ValueError, TypeError):
        return EmbeddingStatus()
    if time.time() - status.reported_at > SILENT_SECONDS:
        return EmbeddingStatus(error=status.error, reported_at=status.reported_at)
    return status


def _path(project_id: int) -> Path:
    return data_subdir("embedding") / f"{project_id}.json"

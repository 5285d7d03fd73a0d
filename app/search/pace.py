"""How fast embedding goes, as the worker last said: one small file per project, for pages to read.

Nothing depends on it. It is replaced whole, so a reader never sees half of it.
"""

import json
import os
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.artifacts import folder

WINDOW_SECONDS = 30.0
# After so long without a word the worker is taken to do something else, or to be gone.
SILENT_SECONDS = 90.0


@dataclass(frozen=True)
class Said:
    """per_second: texts; None when nothing moves. error: why embedding stopped, if it failed."""

    per_second: float | None = None
    error: str | None = None
    said_at: float = 0.0  # Unix time in seconds.


class Pace:
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
        say(self._project_id, Said(per_second=counted / max(now - began, 1e-3)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            say(self._project_id, Said())


def say(project_id: int, said: Said) -> None:
    """Replace what pages read about this project."""
    path = _path(project_id)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(asdict(said) | {"said_at": time.time()}))
    part.replace(path)


def pace_of(project_id: int) -> Said:
    """What the worker last said; no rate if that is long ago."""
    try:
        said = Said(**json.loads(_path(project_id).read_text()))
    except (OSError, ValueError, TypeError):
        return Said()
    if time.time() - said.said_at > SILENT_SECONDS:
        return Said(error=said.error, said_at=said.said_at)
    return said


def _path(project_id: int) -> Path:
    return folder("embedding") / f"{project_id}.json"

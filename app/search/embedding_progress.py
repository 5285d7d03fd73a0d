"""Speed of embedding, as last reported by the worker."""

import time
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy.orm import Session

from app.jobs import status
from app.jobs.status import StatusKind

WINDOW_SECONDS = 30.0
# Without a report for this long, the worker is assumed to do something else.
SILENT_SECONDS = 90.0


@dataclass(frozen=True)
class EmbeddingStatus:
    """per_second: texts; None while nothing is running. error: why embedding failed, if it did."""

    per_second: float | None = None
    error: str | None = None


def find_failure_time(db: Session, project_id: int) -> datetime | None:
    """Return when embedding or indexing last failed, or None."""
    report = status.read_status(StatusKind.EMBEDDING, project_id, db)
    return None if report is None or report.payload["error"] is None else report.reported_at


class EmbeddingPace:
    """Measure the embedding rate of the last half minute; a context manager around the work."""

    def __init__(self, project_id: int) -> None:
        self._project_id = project_id
        self._marks: deque[tuple[float, int]] = deque()

    def __enter__(self) -> Self:
        self._marks.append((time.monotonic(), 0))
        return self

    def add(self, n: int) -> None:
        """Add n stored embeddings."""
        now = time.monotonic()
        self._marks.append((now, n))
        while len(self._marks) > 2 and self._marks[0][0] < now - WINDOW_SECONDS:
            self._marks.popleft()
        began, _ = self._marks[0]
        counted = sum(n for _, n in list(self._marks)[1:])
        rate = counted / max(now - began, 1e-3)
        write_status(self._project_id, EmbeddingStatus(per_second=rate), is_progress=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            write_status(self._project_id, EmbeddingStatus())


def write_status(project_id: int, embedding: EmbeddingStatus, *, is_progress: bool = False) -> None:
    """Replace the status of this project."""
    status.write_status(
        StatusKind.EMBEDDING, project_id, asdict(embedding), is_progress=is_progress
    )


def read_status(db: Session, project_id: int) -> EmbeddingStatus:
    """Read the worker's last report, without a rate if it is old or the worker is offline."""
    report = status.read_status(StatusKind.EMBEDDING, project_id, db)
    if report is None:
        return EmbeddingStatus()
    embedding = EmbeddingStatus(**report.payload)
    if report.is_orphaned or report.age > timedelta(seconds=SILENT_SECONDS):
        return EmbeddingStatus(error=embedding.error)
    return embedding

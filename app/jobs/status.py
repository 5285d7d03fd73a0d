"""What workers report about their work, for pages to show: one row for each thing, replaced whole.

Reports of progress about one thing are stored at most once a second, and dropped where the database
is busy. What a report loses is a retry that comes too early, or a number on a page.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import Busy
from app.jobs.workers import has_ended
from app.models import WorkerStatus, utc_now

SECONDS_BETWEEN = 1.0
# A younger report is believed without asking whether its worker still lives.
FRESH = timedelta(seconds=10)


class StatusKind(StrEnum):
    """What a report is about; subject_id is the project's, the version's, or 0."""

    EMBEDDING = "embedding"
    EMBEDDING_SPEED = "embedding_speed"
    MAP = "map"
    DEVICE = "device"
    ATTEMPT_EMBED = "attempt_embed"
    ATTEMPT_MAP = "attempt_map"


@dataclass(frozen=True)
class StatusReport:
    """payload as it was reported; is_orphaned: the worker that reported it is gone."""

    payload: dict[str, Any]
    reported_at: datetime
    is_orphaned: bool

    @property
    def age(self) -> timedelta:
        """Since when."""
        return utc_now() - self.reported_at


_executor_ids: list[str] = []
_stored_at: dict[tuple[str, int], float] = {}


def set_executor(executor_id: str | None) -> None:
    """From now on this process reports as the worker with this lease, or as none."""
    _executor_ids[:] = [] if executor_id is None else [executor_id]


def write_status(
    kind: StatusKind, subject_id: int, payload: dict[str, Any], *, is_progress: bool = False
) -> None:
    """Replace the report about this subject, in a transaction of its own.

    is_progress  another will follow: it may be skipped if the last one was stored just now
    """
    key, now = (kind, subject_id), time.monotonic()
    if is_progress and now - _stored_at.get(key, float("-inf")) < SECONDS_BETWEEN:
        return
    values = {
        "payload": payload,
        "executor_id": _executor_ids[0] if _executor_ids else None,
        "reported_at": utc_now(),
    }
    row = (WorkerStatus.kind == kind, WorkerStatus.subject_id == subject_id)
    try:
        with write_session() as db:
            if db.execute(update(WorkerStatus).where(*row).values(**values)).rowcount == 0:  # type: ignore[attr-defined]
                db.execute(insert(WorkerStatus).values(kind=kind, subject_id=subject_id, **values))
    except (Busy, IntegrityError):
        return  # Another worker was quicker, or the next report will do.
    if is_progress:
        _stored_at[key] = now
    else:
        _stored_at.pop(key, None)


def read_status(
    kind: StatusKind, subject_id: int, db: Session | None = None
) -> StatusReport | None:
    """Read the newest report about this subject; None before the first."""
    if db is None:
        with read_session() as own:
            return read_status(kind, subject_id, own)
    query = select(WorkerStatus.payload, WorkerStatus.executor_id, WorkerStatus.reported_at)
    row = db.execute(
        query.where(WorkerStatus.kind == kind, WorkerStatus.subject_id == subject_id)
    ).one_or_none()
    if row is None:
        return None
    is_old = utc_now() - row.reported_at > FRESH
    is_orphaned = is_old and row.executor_id is not None and has_ended(row.executor_id)
    return StatusReport(row.payload, row.reported_at, is_orphaned)

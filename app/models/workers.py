"""What workers last reported."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now


class WorkerStatus(Base):
    """The newest report about one thing: how fast embedding goes, how far a map is, on what a
    worker computes. Pages show it, and nothing else depends on it. Written only by app.jobs.status.

    `kind`: a StatusKind. `subject_id`: of the project or version; 0 for none. `executor_id`: the
    worker that reported, as its lease names it; null outside of workers.
    """

    __tablename__ = "worker_status"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    subject_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    executor_id: Mapped[str | None] = mapped_column(String(64))
    reported_at: Mapped[datetime] = mapped_column(default=utc_now)

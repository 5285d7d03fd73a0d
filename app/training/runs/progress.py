"""Progress reports of a run: its row holds stage, progress and counts; its events are the log."""

import time
from dataclasses import dataclass

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from app.db.session import write_session
from app.errors import Busy
from app.jobs.steps import JobCancelled
from app.ml.examples import Count, Report
from app.models import RunEvent, TrainingRun
from app.models.enums import RunStatus

SECONDS_BETWEEN = 0.25
LEAST_SECONDS = 3.0
"""A rate that was measured for less than this is not shown."""

MIN_COUNTED = 50
"""Nor is the rate of fewer units."""


@dataclass(frozen=True)
class _Line:
    """The newest log line and the count at which it began."""

    message: str
    began_at: float
    n_begun: int


class RunReport:
    """The Report of one stage: called often, stored four times a second.

    Raises JobCancelled as soon as the run is to be cancelled, or has ended.
    """

    def __init__(self, run_id: int, stage: str) -> None:
        self._run_id = run_id
        self._stage = stage
        self._reported_at = 0.0
        self._line = _Line("", 0.0, 0)

    def __call__(self, progress: float, message: str, count: Count | None = None, /) -> None:
        """Store the progress of the stage in [0, 1], a message, and a count."""
        now = time.monotonic()
        if now - self._reported_at < SECONDS_BETWEEN:
            return
        self._reported_at = now
        try:
            self._store(progress, message, count)
        except Busy:
            # A busy database must not lose the work: the next report stores the progress.
            return

    def scale(self, share: float) -> Report:
        """Report to this with the progress of a part that is this share of the stage."""

        def report(progress: float, message: str, count: Count | None = None, /) -> None:
            self(share * progress, message, count)

        return report

    def log(self, message: str) -> None:
        """Add a line to the log at once."""
        with write_session() as db:
            self._add_line(db, message, None)

    def _store(self, progress: float, message: str, count: Count | None) -> None:
        with write_session() as db:
            is_new = message != self._line.message
            if is_new:
                self._add_line(db, message, count)
            updated = db.execute(
                update(TrainingRun)
                .where(
                    TrainingRun.id == self._run_id,
                    TrainingRun.status == RunStatus.RUNNING,
                    TrainingRun.cancel_requested_at.is_(None),
                )
                .values(
                    progress=min(max(progress, 0.0), 1.0),
                    n_done=count and count.n_done,
                    n_total=count and count.n_total,
                    unit=count and count.unit,
                    per_minute=count and self._compute_rate(count),
                )
            )
            if updated.rowcount == 0:  # type: ignore[attr-defined]
                raise JobCancelled

    def _compute_rate(self, count: Count) -> float | None:
        """Return units per minute since the line began; None if too early."""
        seconds = time.monotonic() - self._line.began_at
        if seconds < LEAST_SECONDS or count.n_total < MIN_COUNTED:
            return None
        return 60 * (count.n_done - self._line.n_begun) / seconds

    def _add_line(self, db: Session, message: str, count: Count | None) -> None:
        self._line = _Line(message, time.monotonic(), count.n_done if count else 0)
        db.execute(insert(RunEvent).values(run_id=self._run_id, stage=self._stage, message=message))


def format_run_count(run: TrainingRun) -> str:
    """Format count and speed: "step 30 of 250, 12 a minute"; "" if uncounted."""
    if run.n_done is None or run.n_total is None or run.unit is None:
        return ""
    counted = f"{run.n_done:,} of {run.n_total:,}"
    text = f"{counted} records" if run.unit == "record" else f"{run.unit} {counted}"
    rate = run.per_minute or 0.0
    return f"{text}, {rate:,.0f} a minute" if rate >= 1 else text

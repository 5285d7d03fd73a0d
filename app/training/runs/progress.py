"""How a run tells what it does: its row holds stage and progress, its events are the log."""

import re
import time

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from app.db.session import write_session
from app.errors import Busy
from app.jobs.steps import JobCancelled
from app.models import RunEvent, TrainingRun
from app.models.enums import RunStatus

SECONDS_BETWEEN = 0.25
LEAST_SECONDS = 3.0
"""A pace that was measured for less than this says nothing."""

MIN_COUNTED = 50
"""Nor does the pace of fewer."""


class RunReport:
    """The Report of one stage: tuning calls it often, the database hears it four times a second.

    Raises JobCancelled as soon as somebody asked for the run to be cancelled, or it has ended.
    """

    def __init__(self, run_id: int, stage: str) -> None:
        self._run_id = run_id
        self._stage = stage
        self._reported_at = 0.0
        self._last_line = ""
        self._line_id: int | None = None
        self._began = (0.0, 0)

    def __call__(self, progress: float, sentence: str) -> None:
        """Progress of the stage in [0, 1], and one sentence about what goes on."""
        now = time.monotonic()
        if now - self._reported_at < SECONDS_BETWEEN:
            return
        self._reported_at = now
        try:
            self._store(progress, sentence)
        except Busy:
            # A busy database is no reason to lose the work: the next report will say it.
            return

    def log(self, sentence: str) -> None:
        """Add a line to the log, whatever the time."""
        self._last_line = _strip_numbers(sentence)
        with write_session() as db:
            self._line_id = self._add_line(db, sentence)

    def _store(self, progress: float, sentence: str) -> None:
        with write_session() as db:
            updated = db.execute(
                update(TrainingRun)
                .where(
                    TrainingRun.id == self._run_id,
                    TrainingRun.status == RunStatus.RUNNING,
                    TrainingRun.cancel_requested_at.is_(None),
                )
                .values(progress=min(max(progress, 0.0), 1.0))
            )
            if updated.rowcount == 0:  # type: ignore[attr-defined]
                raise JobCancelled
            if _strip_numbers(sentence) != self._last_line:
                self._line_id = self._add_line(db, sentence)
            elif self._line_id is not None:
                # Only its numbers are new: the line counts on, and tells how fast.
                line = update(RunEvent).where(RunEvent.id == self._line_id)
                db.execute(line.values(message=f"{sentence}{self._pace(sentence)}"))
        self._last_line = _strip_numbers(sentence)

    def _pace(self, sentence: str) -> str:
        """How many a minute since the line began; nothing while that is too early to say."""
        began_at, done_then = self._began
        seconds, done = time.monotonic() - began_at, _parse_count(sentence) - done_then
        per_minute = 60 * done / seconds if seconds >= LEAST_SECONDS else 0.0
        return f", {per_minute:,.0f} a minute" if per_minute >= 1 else ""

    def _add_line(self, db: Session, sentence: str) -> int:
        """The id of a new line of the log."""
        self._began = (time.monotonic(), _parse_count(sentence))
        line = insert(RunEvent).values(run_id=self._run_id, stage=self._stage, message=sentence)
        return db.scalars(line.returning(RunEvent.id)).one()


def _parse_count(sentence: str) -> int:
    """What the sentence has counted to, as in "step 30 of 250"; 0 where it counts little."""
    counted = re.search(r"([\d,]+) of ([\d,]+)$", sentence)
    done, total = (int(each.replace(",", "")) for each in counted.groups()) if counted else (0, 0)
    return done if total >= MIN_COUNTED else 0


def _strip_numbers(sentence: str) -> str:
    """The sentence without its numbers: "pass 3 of 8" is no news after "pass 2 of 8"."""
    return re.sub(r"\d+", "", sentence)

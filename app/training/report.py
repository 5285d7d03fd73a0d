"""How a run tells what it does: its row holds stage and progress, its events are the log."""

import re
import time

from sqlalchemy import insert, update

from app.database import transaction
from app.errors import Busy
from app.jobs import JobCancelled
from app.models import RunEvent, TrainingRun

SECONDS_BETWEEN = 0.25


class RunReport:
    """The Report of one stage: tuning calls it often, the database hears it four times a second.

    Raises JobCancelled as soon as somebody asked for the run to be cancelled, or it has ended.
    """

    def __init__(self, run_id: int, stage: str) -> None:
        self._run_id = run_id
        self._stage = stage
        self._told_at = 0.0
        self._last_line = ""

    def __call__(self, progress: float, sentence: str) -> None:
        """Progress of the stage in [0, 1], and one sentence about what goes on."""
        now = time.monotonic()
        if now - self._told_at < SECONDS_BETWEEN:
            return
        self._told_at = now
        try:
            self._tell(progress, sentence)
        except Busy:
            # A busy database is no reason to lose the work: the next report will say it.
            return

    def say(self, sentence: str) -> None:
        """Add a line to the log, whatever the time."""
        self._last_line = _shape(sentence)
        with transaction() as db:
            db.execute(insert(RunEvent).values(self._line(sentence)))

    def _tell(self, progress: float, sentence: str) -> None:
        with transaction() as db:
            told = db.execute(
                update(TrainingRun)
                .where(
                    TrainingRun.id == self._run_id,
                    TrainingRun.status == "running",
                    TrainingRun.cancel_asked_at.is_(None),
                )
                .values(progress=min(max(progress, 0.0), 1.0))
            )
            if told.rowcount == 0:  # type: ignore[attr-defined]
                raise JobCancelled
            if _shape(sentence) != self._last_line:
                db.execute(insert(RunEvent).values(self._line(sentence)))
        self._last_line = _shape(sentence)

    def _line(self, sentence: str) -> dict[str, object]:
        return {"run_id": self._run_id, "stage": self._stage, "message": sentence}


def _shape(sentence: str) -> str:
    """The sentence without its numbers: "pass 3 of 8" is no news after "pass 2 of 8"."""
    return re.sub(r"\d+", "", sentence)

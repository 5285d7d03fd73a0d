"""What nobody asked for and is due all the same: runs, suggestions, deliveries, embedding, maps.

Decision: what is due is derived from rows each time, never noted, so any number of workers may look
at the same ones. Maps are drawn last, by a worker that stays, while nothing else is moving.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import Conflict
from app.jobs import status
from app.jobs.engine import JobEngine
from app.jobs.status import StatusKind
from app.maps import drawing
from app.models import Project, utc_now
from app.notifications import delivery as delivering
from app.search import index_maintenance as upkeep
from app.training import suggestion_refresh as refreshing
from app.training.runs import runs
from app.training.runs.readiness import find_due_projects

log = structlog.get_logger()


class Scheduler:
    """Starts what is due as jobs of one worker's engine."""

    def __init__(self, engine: JobEngine) -> None:
        self._engine = engine
        self._upkeep: tuple[int, int] | None = None
        self._drawing: tuple[int, int] | None = None
        self._last_project = 0
        self._renewing: dict[int, int] = {}
        self._damaged: set[int] = set()

    def find_damaged_indexes(self) -> None:
        """Note the projects whose files a crash or a bad disk has damaged."""
        with read_session() as db:
            self._damaged = set(upkeep.list_damaged_projects(db))

    def enqueue_due(self) -> None:
        """Start what is due now, maps excepted."""
        self._request_due_runs()
        self._renew_suggestions()
        self._start_deliveries()
        self._start_upkeep()

    def draw_maps(self) -> None:
        """Start the next map that is due; one at a time for this worker."""
        if self._drawing is not None and self._engine.is_alive("map", *self._drawing):
            return
        with read_session() as db:
            due = drawing.list_due_maps(db)
        self._drawing = self._start_first("map", due)

    def _request_due_runs(self) -> None:
        with read_session() as db:
            due = find_due_projects(db)
        for project in due:
            try:
                with write_session() as db:
                    runs.request_run(db, project)
            except Conflict as conflict:
                # Another worker, or an admin, was quicker.
                log.info("worker.run_not_requested", project=project.slug, why=conflict.sentence)

    def _renew_suggestions(self) -> None:
        """Queue refreshes; the newest action and ended runs number the attempt."""
        with read_session() as db:
            due = refreshing.find_due_refreshes(db)
        for project_id, attempt in due:
            before = self._renewing.get(project_id)
            if before is None or not self._engine.is_alive("renew", project_id, before):
                self._engine.start("renew", project_id, attempt=attempt)
                self._renewing[project_id] = attempt

    def _start_deliveries(self) -> None:
        with read_session() as db:
            due = delivering.list_due_deliveries(db, utc_now())
        for delivery_id, attempt in due:
            self._engine.start("deliver", delivery_id, attempt=attempt)

    def _start_upkeep(self) -> None:
        """One project at a time for this worker, in turn, so that imports find room beside it."""
        if self._upkeep is not None and self._engine.is_alive("embed", *self._upkeep):
            return
        with read_session() as db:
            waiting = [
                each.id
                for each in _round_robin(db, self._last_project)
                if self._needs_upkeep(db, each)
            ]
        self._upkeep = self._start_first("embed", waiting)
        if self._upkeep is not None:
            self._last_project = self._upkeep[0]
            self._damaged.discard(self._last_project)

    def _start_first(self, kind: str, subject_ids: Sequence[int]) -> tuple[int, int] | None:
        """Start the job of the first subject that no worker is at: its id and attempt."""
        for subject_id in subject_ids:
            attempt = _last_attempt(kind, subject_id)
            if attempt and self._engine.is_alive(kind, subject_id, attempt):
                continue
            # False: another worker was quicker, or our note of the attempt was lost.
            has_started = self._engine.start(kind, subject_id, attempt=attempt + 1)
            _note_attempt(kind, subject_id, attempt + 1)
            if has_started:
                return subject_id, attempt + 1
        return None

    def _needs_upkeep(self, db: Session, project: Project) -> bool:
        return project.id in self._damaged or upkeep.needs_maintenance(db, project)


def _round_robin(db: Session, after_id: int) -> list[Project]:
    """Every project, beginning with the one after `after_id`."""
    projects = db.scalars(select(Project).order_by(Project.id)).all()
    return sorted(projects, key=lambda project: (project.id <= after_id, project.id))


def _last_attempt(kind: str, subject_id: int) -> int:
    """Return the number of the newest such job, for all workers."""
    report = status.read_status(_ATTEMPTS[kind], subject_id)
    return 0 if report is None else int(report.payload["attempt"])


def _note_attempt(kind: str, subject_id: int, attempt: int) -> None:
    status.write_status(_ATTEMPTS[kind], subject_id, {"attempt": attempt})


_ATTEMPTS = {"embed": StatusKind.ATTEMPT_EMBED, "map": StatusKind.ATTEMPT_MAP}

"""Compares rows with jobs: what is queued or due in the database is carried out by the engine.

Decision: the dispatcher only compares rows with jobs. A queued import or run becomes a job; a row
whose job ended without finishing it is marked failed; chores are what is due unasked. So any number
of workers may dispatch the same rows, and a killed one leaves nothing that has to be undone.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from app.db.session import read_session
from app.errors import Unreachable
from app.exchange.imports import imports as importing
from app.exchange.imports.uploads import delete_old_uploads
from app.installation import WrongFolder, check_folder, confirm_folder
from app.jobs.engine import JobEngine
from app.jobs.scheduler import Scheduler
from app.jobs.steps import JobCancelled
from app.maps import drawing
from app.models import Import, TrainingRun
from app.notifications import delivery as delivering
from app.search import index_maintenance as upkeep
from app.settings import settings
from app.training import suggestion_refresh as refreshing
from app.training.pipeline import steps as pipeline
from app.training.runs import runs
from app.training.runs.readiness import MOVING
from app.versions.retention import delete_surplus_versions

log = structlog.get_logger()

QUEUES = ("light", "train", "map")
DISPATCH_SECONDS = 0.5
# Looking for missing vectors reads whole tables: it may take so much of the time between looks.
SCHEDULING_TIME_SHARE = 0.1
AFTER_TROUBLE_SECONDS = 5.0
TIDY_SECONDS = 3600.0
RETENTION_DAYS = 7.0


@dataclass(frozen=True)
class RowKind:
    """Rows that are carried out as jobs, and how one is marked failed."""

    name: str
    table: type[Import] | type[TrainingRun]
    fail: Callable[[int, str], None]


ROW_KINDS = (
    RowKind("import", Import, importing.mark_failed),
    RowKind("run", TrainingRun, runs.fail_run),
)


class Dispatcher:
    """One process's dispatcher, and its part of the job engine."""

    def __init__(
        self, stop: threading.Event, listens_to: Sequence[str] = QUEUES, *, draws_maps: bool = False
    ) -> None:
        """draws_maps: for a worker that stays; nobody waits for a map."""
        self.troubles: dict[int, str] = {}
        self._stop = stop
        self._draws_maps = draws_maps
        self._look_at = self._tidy_at = 0.0
        config = settings()
        self._engine = JobEngine(config.database_url, config.data_dir, listens_to=tuple(listens_to))
        self._scheduler = Scheduler(self._engine)
        self._register_jobs()

    def _register_jobs(self) -> None:
        embedding = (("embed", self._embed), ("index", upkeep.index_if_due))
        maps = (("sketch", self._sketch), ("draw", self._draw))
        for name, steps, queue, on_failure in (
            ("import", importing.STEPS, "light", importing.mark_failed),
            ("run", pipeline.STEPS, "train", runs.fail_run),
            ("embed", embedding, "light", self._note_trouble),
            ("renew", refreshing.STEPS, "light", refreshing.log_failure),
            ("deliver", delivering.STEPS, "light", delivering.note_crashed_attempt),
            ("map", maps, "map", drawing.note_failure),
        ):
            self._engine.register_job(name, steps, queue=queue, on_failure=on_failure)

    def launch(self) -> None:
        """Serve the queues, and look which files a crash or a bad disk has damaged.

        Raises WrongFolder before any file is touched.
        """
        check_folder()
        self._engine.launch()
        upkeep.remove_orphans()
        self._scheduler.find_damaged_indexes()

    def stop(self) -> bool:
        """Let running steps come to an end. False if one still runs after 10 seconds."""
        self._stop.set()
        return self._engine.stop()

    def dispatch_until(self, is_done: Callable[[], bool]) -> None:
        """Dispatch until `done` or stopped. Whatever goes wrong is logged, and tried again.

        Raises WrongFolder once the database was given another data folder.
        """
        while not self._stop.is_set() and not is_done():
            pause = DISPATCH_SECONDS
            try:
                self.dispatch()
            except WrongFolder:
                raise
            except Unreachable as error:
                log.warning("worker.database_unreachable", why=error.reason)
                pause = AFTER_TROUBLE_SECONDS
            except Exception:  # The worker's edge: a restarting database must not end it.
                log.exception("worker.dispatch_failed")
                pause = AFTER_TROUBLE_SECONDS
            self._stop.wait(pause)

    def find_trouble(self, project_id: int | None) -> str | None:
        """Why the project, or any if None, could not be embedded or indexed; None: it could.

        A full disk is trouble for all: even the failure of a job cannot be written down then.
        """
        if self._engine.full_disk is not None:
            return self._engine.full_disk
        if project_id is not None:
            return self.troubles.get(project_id)
        return next(iter(self.troubles.values()), None)

    def dispatch(self) -> None:
        """Compare rows with jobs once. Raises WrongFolder."""
        confirm_folder()
        for kind in ROW_KINDS:
            for row_id, attempt in _list_unfinished(kind):
                self._ensure_job(kind, row_id, attempt)
        if time.monotonic() >= self._look_at:
            began = time.monotonic()
            self._run_scheduler()
            took = time.monotonic() - began
            self._look_at = time.monotonic() + max(DISPATCH_SECONDS, took / SCHEDULING_TIME_SHARE)
        if time.monotonic() >= self._tidy_at:
            self._tidy()
            self._tidy_at = time.monotonic() + TIDY_SECONDS

    def _run_scheduler(self) -> None:
        self._scheduler.enqueue_due()
        # What people wait for goes first.
        if self._draws_maps and not any(_list_unfinished(kind) for kind in ROW_KINDS):
            self._scheduler.draw_maps()

    def _tidy(self) -> None:
        self._engine.delete_ended_before(RETENTION_DAYS)
        delete_old_uploads()
        delivering.delete_old_deliveries()
        delete_surplus_versions()

    def _ensure_job(self, kind: RowKind, row_id: int, attempt: int) -> None:
        """Have a job carry the row out; mark it failed if its job ended without finishing it."""
        if self._engine.is_alive(kind.name, row_id, attempt):
            return
        if self._engine.start(kind.name, row_id, attempt=attempt):
            return
        # Another worker may have started it between the two questions.
        if self._engine.is_alive(kind.name, row_id, attempt):
            return
        if (row_id, attempt) in _list_unfinished(kind):
            log.error("worker.job_lost", kind=kind.name, id=row_id, attempt=attempt)
            kind.fail(row_id, f"The {kind.name} ended unexpectedly; it can be tried again.")

    def _embed(self, project_id: int) -> None:
        upkeep.embed_some(project_id, self._check_stopped)

    def _sketch(self, version_id: int) -> None:
        drawing.draw_sketch(version_id, self._check_stopped)

    def _draw(self, version_id: int) -> None:
        drawing.draw_map(version_id, self._check_stopped)

    def _check_stopped(self, *_progress: float) -> None:
        if self._stop.is_set():
            raise JobCancelled

    def _note_trouble(self, project_id: int, sentence: str) -> None:
        self.troubles[project_id] = sentence
        upkeep.record_error(project_id, sentence)


def _list_unfinished(kind: RowKind) -> list[tuple[int, int]]:
    """(id, attempt) of the rows that are queued or running."""
    table = kind.table
    with read_session() as db:
        rows = db.execute(
            select(table.id, table.attempt).where(table.status.in_(MOVING)).order_by(table.id)
        )
        return [(row.id, row.attempt) for row in rows]

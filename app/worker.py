"""The other process: it sees what is queued or missing in the database, and has it carried out.

Decision: the dispatcher only compares rows with jobs. A queued import or run becomes a job; a row
whose job ended without finishing it is marked failed; a project whose records lack vectors, or
whose index lacks records, gets a job that embeds and indexes; a project with enough new labels
gets a run. So any number of workers may dispatch the same rows, and a killed one leaves nothing
that has to be undone. Maps are drawn last, by a worker that stays, while no run is moving.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import faiss
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.artifacts import folder
from app.database import reading, transaction
from app.engine import Engine
from app.errors import AppError, Conflict, StorageFull, clear_disk_error
from app.exchange import importing
from app.exchange.uploads import forget_old_files
from app.jobs import JobCancelled, Step
from app.maps import drawing
from app.models import Import, Project, TrainingRun, utc_now
from app.notices import delivering
from app.search import upkeep
from app.settings import settings
from app.training import loop, refreshing, runs
from app.training.devices import note_device
from app.training.readiness import due_projects
from app.versions.keeping import tidy_versions

log = structlog.get_logger()

QUEUES = ("light", "train", "map")
DISPATCH_SECONDS = 0.5
# Looking for missing vectors reads whole tables: it may take so much of the time between looks.
LOOKING_SHARE = 0.1
AFTER_TROUBLE_SECONDS = 5.0
TIDY_SECONDS = 3600.0
KEPT_DAYS = 7.0
NICENESS = 10
MOVING = ("queued", "running")


class WorkFailed(AppError):
    """What was waited for cannot come about: the sentence says why."""

    status = 500


@dataclass(frozen=True)
class Kind:
    """Rows that are carried out as jobs, and how one is marked failed."""

    name: str
    table: type[Import] | type[TrainingRun]
    fail: Callable[[int, str], None]


KINDS = (Kind("import", Import, importing.fail), Kind("run", TrainingRun, runs.fail))


class Worker:
    """One process's dispatcher, and its part of the job engine."""

    def __init__(
        self, stop: threading.Event, listens_to: Sequence[str] = QUEUES, *, draws_maps: bool = False
    ) -> None:
        """draws_maps: for a worker that stays; nobody waits for a map."""
        self.troubles: dict[int, str] = {}
        self._stop = stop
        self._full_disk: str | None = None
        self._upkeep: tuple[int, int] | None = None
        self._drawing: tuple[int, int] | None = None
        self._draws_maps = draws_maps
        self._last_project = 0
        self._renewing: dict[int, int] = {}
        self._look_at = self._tidy_at = 0.0
        self._damaged: set[int] = set()
        here = settings()
        self._engine = Engine(here.database_url, here.data_dir, listens_to=tuple(listens_to))
        embedding = (("embed", self._embed), ("index", upkeep.index_if_due))
        maps = (("sketch", drawing.draw_sketch), ("draw", self._draw))
        for name, steps, queue, on_failure in (
            ("import", importing.STEPS, "light", importing.fail),
            ("run", loop.STEPS, "train", runs.fail),
            ("embed", embedding, "light", self._note_trouble),
            ("renew", refreshing.STEPS, "light", refreshing.fail),
            ("deliver", delivering.STEPS, "light", delivering.give_up),
            ("map", maps, "map", drawing.note_trouble),
        ):
            watched = tuple((step, partial(self._carry_out, action)) for step, action in steps)
            self._engine.job(name, watched, queue=queue, on_failure=on_failure)

    def launch(self) -> None:
        """Serve the queues, and look which files a crash or a bad disk has damaged."""
        self._engine.launch()
        upkeep.remove_orphans()
        with reading() as db:
            self._damaged = set(upkeep.damaged_projects(db))

    def stop(self) -> bool:
        """Let running steps come to an end. False if one still runs after 10 seconds."""
        self._stop.set()
        return self._engine.stop()

    def dispatch_on(self, done: Callable[[], bool]) -> None:
        """Dispatch until `done` or stopped. Whatever goes wrong is logged, and tried again."""
        while not self._stop.is_set() and not done():
            pause = DISPATCH_SECONDS
            try:
                self.dispatch()
            except Exception:  # The worker's edge: a restarting database must not end it.
                log.exception("worker.dispatch_failed")
                pause = AFTER_TROUBLE_SECONDS
            self._stop.wait(pause)

    def trouble_of(self, project_id: int | None) -> str | None:
        """Why the project, or any if None, could not be embedded or indexed; None: it could.

        A full disk is trouble for all: even the failure of a job cannot be written down then.
        """
        if self._full_disk is not None:
            return self._full_disk
        if project_id is not None:
            return self.troubles.get(project_id)
        return next(iter(self.troubles.values()), None)

    def dispatch(self) -> None:
        """Compare rows with jobs once."""
        for kind in KINDS:
            for row_id, attempt in _moving(kind):
                self._see_to(kind, row_id, attempt)
        if time.monotonic() >= self._look_at:
            began = time.monotonic()
            self._request_due_runs()
            self._renew_suggestions()
            self._start_deliveries()
            self._start_upkeep()
            self._draw_maps()
            took = time.monotonic() - began
            self._look_at = time.monotonic() + max(DISPATCH_SECONDS, took / LOOKING_SHARE)
        if time.monotonic() >= self._tidy_at:
            self._engine.forget_before(KEPT_DAYS)
            forget_old_files()
            delivering.forget_old_deliveries()
            tidy_versions()
            self._tidy_at = time.monotonic() + TIDY_SECONDS

    def _see_to(self, kind: Kind, row_id: int, attempt: int) -> None:
        """Have a job carry the row out; mark it failed if its job ended without finishing it."""
        if self._engine.is_alive(kind.name, row_id, attempt):
            return
        if self._engine.start(kind.name, row_id, attempt=attempt):
            return
        # Another worker may have started it between the two questions.
        if self._engine.is_alive(kind.name, row_id, attempt):
            return
        if (row_id, attempt) in _moving(kind):
            log.error("worker.job_lost", kind=kind.name, id=row_id, attempt=attempt)
            kind.fail(row_id, f"The {kind.name} ended unexpectedly; it can be tried again.")

    def _request_due_runs(self) -> None:
        with reading() as db:
            due = due_projects(db)
        for project in due:
            try:
                with transaction() as db:
                    runs.request_run(db, project)
            except Conflict as conflict:
                # Another worker, or an admin, was quicker.
                log.info("worker.run_not_requested", project=project.slug, why=conflict.sentence)

    def _renew_suggestions(self) -> None:
        """The newest act numbers the attempt: no label that came later waits for an older try."""
        with reading() as db:
            due = refreshing.due_renewals(db)
        for project_id, act_id in due:
            before = self._renewing.get(project_id)
            if before is None or not self._engine.is_alive("renew", project_id, before):
                self._engine.start("renew", project_id, attempt=act_id)
                self._renewing[project_id] = act_id

    def _start_deliveries(self) -> None:
        with reading() as db:
            due = delivering.due_deliveries(db, utc_now())
        for delivery_id, attempt in due:
            self._engine.start("deliver", delivery_id, attempt=attempt)

    def _start_upkeep(self) -> None:
        """One project at a time for this worker, in turn, so that imports find room beside it."""
        if self._upkeep is not None and self._engine.is_alive("embed", *self._upkeep):
            return
        with reading() as db:
            waiting = [
                each.id for each in _in_turn(db, self._last_project) if self._needs(db, each)
            ]
        self._upkeep = self._start_first("embed", waiting)
        if self._upkeep is not None:
            self._last_project = self._upkeep[0]
            self._damaged.discard(self._last_project)

    def _draw_maps(self) -> None:
        """One at a time for this worker; what people wait for, runs, goes first."""
        is_busy = self._drawing is not None and self._engine.is_alive("map", *self._drawing)
        if not self._draws_maps or is_busy or any(_moving(kind) for kind in KINDS):
            return
        with reading() as db:
            due = drawing.due_maps(db)
        self._drawing = self._start_first("map", due)

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

    def _needs(self, db: Session, project: Project) -> bool:
        return project.id in self._damaged or upkeep.needs_upkeep(db, project)

    def _carry_out(self, action: Step, subject_id: int) -> None:
        try:
            action(subject_id)
        except (StorageFull, OSError) as error:
            known = clear_disk_error(error) if isinstance(error, OSError) else error
            if isinstance(known, StorageFull):
                self._full_disk = known.sentence
            raise known from error

    def _embed(self, project_id: int) -> None:
        upkeep.embed_some(project_id, self._go_on)

    def _draw(self, encoder_id: int) -> None:
        drawing.draw(encoder_id, self._go_on)

    def _go_on(self, *_progress: float) -> None:
        if self._stop.is_set():
            raise JobCancelled

    def _note_trouble(self, project_id: int, sentence: str) -> None:
        self.troubles[project_id] = sentence
        upkeep.note_trouble(project_id, sentence)


def run_worker(stop: threading.Event, listens_to: Sequence[str] = QUEUES) -> None:
    """Work until `stop` is set, or SIGTERM or Ctrl+C comes. The tables are up to date already.

    A step that does not end within 10 seconds is cut off with this process; another worker, or
    the next start, repeats it.
    """
    _make_room_for_pages()
    note_device()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    worker = Worker(stop, listens_to, draws_maps=True)
    worker.launch()
    log.info("worker.ready", queues=list(listens_to))
    worker.dispatch_on(lambda: False)
    if not worker.stop():
        log.warning("worker.cut_off")
        sys.stdout.flush()
        os._exit(0)
    log.info("worker.stopped")


def work_until(done: Callable[[], bool], project_id: int | None = None) -> None:
    """Work in this process, beside whatever workers there are, until `done` says so.

    Raises WorkFailed when the records of that project, or of any if None, cannot be embedded or
    indexed, since what is waited for might never come.
    """
    worker = Worker(threading.Event())
    worker.launch()
    try:
        worker.dispatch_on(lambda: worker.trouble_of(project_id) is not None or done())
    finally:
        has_ended = worker.stop()
    trouble = worker.trouble_of(project_id)
    if trouble is None or done():
        return
    if not has_ended:
        # The engine waits for room to write in, and would keep this process from its end.
        sys.stderr.write(f"{trouble}\n")
        sys.stderr.flush()
        os._exit(1)
    raise WorkFailed(trouble)


def _make_room_for_pages() -> None:
    """Leave one core to the web process, and yield the others whenever it wants them."""
    n_threads = max(1, (os.cpu_count() or 1) - 1)
    os.environ["OMP_NUM_THREADS"] = str(n_threads)  # Torch reads it when it is loaded.
    faiss.omp_set_num_threads(n_threads)
    os.nice(NICENESS)


def _moving(kind: Kind) -> list[tuple[int, int]]:
    """(id, attempt) of the rows that are queued or running."""
    table = kind.table
    with reading() as db:
        rows = db.execute(
            select(table.id, table.attempt).where(table.status.in_(MOVING)).order_by(table.id)
        )
        return [(row.id, row.attempt) for row in rows]


def _in_turn(db: Session, after_id: int) -> list[Project]:
    """Every project, beginning with the one after `after_id`."""
    projects = db.scalars(select(Project).order_by(Project.id)).all()
    return sorted(projects, key=lambda project: (project.id <= after_id, project.id))


def _last_attempt(kind: str, subject_id: int) -> int:
    """The number of the newest such job, for all workers that share the data folder."""
    path = _attempts_of(kind) / f"{subject_id}.attempt"
    return int(path.read_text()) if path.exists() else 0


def _note_attempt(kind: str, subject_id: int, attempt: int) -> None:
    path = _attempts_of(kind) / f"{subject_id}.attempt"
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(str(attempt))
    part.replace(path)


def _attempts_of(kind: str) -> Path:
    return folder({"embed": "embedding", "map": "maps"}[kind])

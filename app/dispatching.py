"""Compares rows with jobs: what is queued or due in the database is carried out by the engine.

Decision: the dispatcher only compares rows with jobs. A queued import or run becomes a job; a row
whose job ended without finishing it is marked failed; chores are what is due unasked. So any number
of workers may dispatch the same rows, and a killed one leaves nothing that has to be undone.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import select

from app.chores import Chores
from app.database import reading
from app.engine import Engine
from app.errors import StorageFull, Unreachable, clear_disk_error
from app.exchange import importing
from app.exchange.uploads import forget_old_files
from app.installation import WrongFolder, check_folder, confirm_folder
from app.jobs import JobCancelled, Step
from app.maps import drawing
from app.models import Import, TrainingRun
from app.notices import delivering
from app.search import upkeep
from app.settings import settings
from app.training import loop, refreshing, runs
from app.training.readiness import MOVING
from app.versions.keeping import tidy_versions

log = structlog.get_logger()

QUEUES = ("light", "train", "map")
DISPATCH_SECONDS = 0.5
# Looking for missing vectors reads whole tables: it may take so much of the time between looks.
LOOKING_SHARE = 0.1
AFTER_TROUBLE_SECONDS = 5.0
TIDY_SECONDS = 3600.0
KEPT_DAYS = 7.0


@dataclass(frozen=True)
class Kind:
    """Rows that are carried out as jobs, and how one is marked failed."""

    name: str
    table: type[Import] | type[TrainingRun]
    fail: Callable[[int, str], None]


KINDS = (Kind("import", Import, importing.fail), Kind("run", TrainingRun, runs.fail))


class Dispatcher:
    """One process's dispatcher, and its part of the job engine."""

    def __init__(
        self, stop: threading.Event, listens_to: Sequence[str] = QUEUES, *, draws_maps: bool = False
    ) -> None:
        """draws_maps: for a worker that stays; nobody waits for a map."""
        self.troubles: dict[int, str] = {}
        self._stop = stop
        self._full_disk: str | None = None
        self._draws_maps = draws_maps
        self._look_at = self._tidy_at = 0.0
        here = settings()
        self._engine = Engine(here.database_url, here.data_dir, listens_to=tuple(listens_to))
        self._chores = Chores(self._engine)
        self._name_jobs()

    def _name_jobs(self) -> None:
        embedding = (("embed", self._embed), ("index", upkeep.index_if_due))
        maps = (("sketch", self._sketch), ("draw", self._draw))
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
        """Serve the queues, and look which files a crash or a bad disk has damaged.

        Raises WrongFolder before any file is touched.
        """
        check_folder()
        self._engine.launch()
        upkeep.remove_orphans()
        self._chores.look_for_damage()

    def stop(self) -> bool:
        """Let running steps come to an end. False if one still runs after 10 seconds."""
        self._stop.set()
        return self._engine.stop()

    def dispatch_on(self, done: Callable[[], bool]) -> None:
        """Dispatch until `done` or stopped. Whatever goes wrong is logged, and tried again.

        Raises WrongFolder once the database was given another data folder.
        """
        while not self._stop.is_set() and not done():
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
        """Compare rows with jobs once. Raises WrongFolder."""
        confirm_folder()
        for kind in KINDS:
            for row_id, attempt in _moving(kind):
                self._see_to(kind, row_id, attempt)
        if time.monotonic() >= self._look_at:
            began = time.monotonic()
            self._do_chores()
            took = time.monotonic() - began
            self._look_at = time.monotonic() + max(DISPATCH_SECONDS, took / LOOKING_SHARE)
        if time.monotonic() >= self._tidy_at:
            self._tidy()
            self._tidy_at = time.monotonic() + TIDY_SECONDS

    def _do_chores(self) -> None:
        self._chores.start_due()
        # What people wait for goes first.
        if self._draws_maps and not any(_moving(kind) for kind in KINDS):
            self._chores.draw_maps()

    def _tidy(self) -> None:
        self._engine.forget_before(KEPT_DAYS)
        forget_old_files()
        delivering.forget_old_deliveries()
        tidy_versions()

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

    def _sketch(self, encoder_id: int) -> None:
        drawing.draw_sketch(encoder_id, self._go_on)

    def _draw(self, encoder_id: int) -> None:
        drawing.draw(encoder_id, self._go_on)

    def _go_on(self, *_progress: float) -> None:
        if self._stop.is_set():
            raise JobCancelled

    def _note_trouble(self, project_id: int, sentence: str) -> None:
        self.troubles[project_id] = sentence
        upkeep.note_trouble(project_id, sentence)


def _moving(kind: Kind) -> list[tuple[int, int]]:
    """(id, attempt) of the rows that are queued or running."""
    table = kind.table
    with reading() as db:
        rows = db.execute(
            select(table.id, table.attempt).where(table.status.in_(MOVING)).order_by(table.id)
        )
        return [(row.id, row.attempt) for row in rows]

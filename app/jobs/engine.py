"""The durable job engine: work that outlives the process which began it. DBOS, behind this door.

Decision: our own rows are the truth and the outbox. Pages and commands only write rows with
status queued; the worker's dispatcher starts a job for each, and cancelling is a column that the
job's own step looks at. So no process but the worker imports dbos, and a lost job database costs
nothing but repeated steps.
Decision: a job's steps take one id and return nothing. What they find out is in the database and
in files, so no Python object is ever stored, and nothing is unpickled. A step that was killed is
repeated; one that finished is not.
Decision: on SQLite the jobs have a file of their own, jobs.sqlite3, opened with the same SQLite
engine and by the same rule as the records: WAL only where WAL is safe, otherwise DELETE.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import error as dbos_error
from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bound_contextvars

from app.db.session import engine_for, set_pragmas, sqlite_module
from app.errors import AppError, StorageFull, translate_disk_error
from app.jobs.leases import (
    Lease,
    PeerMonitor,
    create_lease_table,
    end_leases,
    forget_leases,
    startup_lock,
)
from app.jobs.recovery import create_restart_table, forget_restarts, recover_jobs
from app.jobs.status import set_executor
from app.jobs.steps import JobCancelled, JobFinished, Step, failpoint
from app.jobs.workers import jobs_database_url

log = logging.getLogger(__name__)

# How many jobs of a queue one worker carries at a time.
QUEUES = {"light": 2, "train": 1, "map": 1}
# A constant: the default, a hash of the code, would strand every running job at an upgrade.
# Raise it only when the steps of a kind change, and after the old jobs have ended.
APPLICATION_VERSION = "1"
POLL_SECONDS = 0.5
REAP_SECONDS = 3.0
DRAIN_SECONDS = 10
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class JobFailed(Exception):
    """A step failed, and on_failure was told; carries the same sentence."""


@dataclass(frozen=True)
class _JobKind:
    name: str
    steps: tuple[tuple[str, Step], ...]
    queue: str
    on_failure: Callable[[int, str], None]


class JobEngine:
    """One worker's part in carrying out jobs. Register every kind, then launch; one per process."""

    def __init__(self, database_url: str, data_dir: Path, *, listens_to: tuple[str, ...]) -> None:
        """listens_to: the queues to serve, of "light" (imports, embedding), "train" and "map"."""
        if unknown := set(listens_to) - QUEUES.keys():
            raise ValueError(f"There is no queue {', '.join(sorted(unknown))}.")
        self._url = jobs_database_url(database_url, data_dir)
        self._data_dir = data_dir
        self._listens_to = listens_to
        self._kinds: dict[str, _JobKind] = {}
        self._workflows: dict[str, Step] = {}
        # Why the last step that found the disk full failed; a full disk is trouble for all jobs.
        self.full_disk: str | None = None
        self._running: set[str] = set()
        self._stopping = threading.Event()

    def register_job(
        self,
        kind: str,
        steps: Sequence[tuple[str, Step]],
        *,
        queue: str,
        on_failure: Callable[[int, str], None],
    ) -> None:
        """Say what a job of that kind does, before launch: its steps in order, for one subject id.

        A step that raises JobCancelled ends the job quietly. Any other exception ends it as failed
        and calls on_failure(subject_id, sentence), which may be called again after a crash.
        """
        if queue not in QUEUES:
            raise ValueError(f"There is no queue {queue}.")
        self._kinds[kind] = _JobKind(kind, tuple(steps), queue, on_failure)

    def launch(self) -> None:
        """Take a lease, take over what dead workers left, and serve the queues from now on."""
        with startup_lock(self._data_dir):
            self._leases = engine_for(self._url)
            create_lease_table(self._leases)
            create_restart_table(self._leases)
            self._lease = Lease(self._leases, self._data_dir, self._listens_to)
            self._lease.acquire()
            set_executor(self._lease.executor_id)
            self._store = _make_store(self._url)
            self._launch_dbos()
        self._watch = PeerMonitor(self._leases, self._data_dir, self._lease.executor_id)
        self._reaper = threading.Thread(target=self._reap_until_stopped, name="reaper", daemon=True)
        self._reaper.start()

    def stop(self) -> bool:
        """Take no more jobs and wait up to 10 seconds for the running ones.

        False: a step still runs. Then leave the process with os._exit, and other workers, or the
        next start, take the job over at its last finished step.
        """
        self._stopping.set()
        self._reaper.join()
        DBOS.destroy(workflow_completion_timeout_sec=DRAIN_SECONDS, destroy_registry=True)
        if self._running:
            return False
        self._lease.release()
        set_executor(None)
        self._store.dispose()
        return True

    def start(self, kind: str, subject_id: int, *, attempt: int = 1) -> bool:
        """Queue the job; False if this attempt was ever started before, by whichever worker."""
        job_id = _job_id(kind, subject_id, attempt)
        try:
            with SetWorkflowID(job_id, workflow_id_reuse_policy="reject"):
                DBOS.enqueue_workflow(self._kinds[kind].queue, self._workflows[kind], subject_id)
        except dbos_error.DBOSWorkflowIDInUseError:
            return False
        return True

    def is_alive(self, kind: str, subject_id: int, attempt: int = 1) -> bool:
        """Return True while the job waits or runs, or will run again because its worker died.

        False with an unfinished row means that the job ended without saying so: it may be marked
        failed. Read the row after asking, because a job finishes its row before it ends.
        """
        status = DBOS.get_workflow_status(_job_id(kind, subject_id, attempt))
        return status is not None and status.status not in _ENDED

    def delete_ended_before(self, days: float) -> int:
        """Delete the traces of jobs and workers that ended more than so many days ago.

        Returns the number of jobs. A forgotten attempt could be started again.
        """
        cutoff = datetime.now(UTC) - timedelta(days=days)
        n_forgotten = 0
        while ended := DBOS.list_workflows(
            status=_ENDED,
            completed_before=cutoff.isoformat(),
            limit=500,
            load_input=False,
            load_output=False,
        ):
            job_ids = [workflow.workflow_id for workflow in ended]
            DBOS.delete_workflows(job_ids)
            forget_restarts(self._leases, job_ids)
            n_forgotten += len(ended)
        forget_leases(self._leases, cutoff)
        return n_forgotten

    def _launch_dbos(self) -> None:
        logger = logging.getLogger("dbos")
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())  # Else DBOS adds one that prints.
        logger.addFilter(_is_unlogged)
        DBOS(config=self._config())
        for kind in self._kinds.values():
            workflow = DBOS.workflow(name=kind.name, max_recovery_attempts=None)
            self._workflows[kind.name] = workflow(self._make_workflow(kind))
        DBOS.listen_queues(list(self._listens_to))
        DBOS.launch()
        for queue, width in QUEUES.items():
            DBOS.register_queue(queue, worker_concurrency=width, polling_interval_sec=POLL_SECONDS)

    def _config(self) -> DBOSConfig:
        return {
            "name": "likewise",
            "system_database_engine": self._store,
            "serializer": DBOSPortableJSONSerializer(),
            "application_version": APPLICATION_VERSION,
            "executor_id": self._lease.executor_id,
            # As every module; without a level DBOS would log at INFO.
            "log_level": logging.getLevelName(logging.getLogger().getEffectiveLevel()),
            "enable_otlp": False,
        }

    def _make_workflow(self, kind: _JobKind) -> Step:
        def run_job(subject_id: int) -> None:
            """DBOS replays it after a crash and skips every step that it has on record."""
            running = f"{kind.name}-{subject_id}"
            self._running.add(running)
            try:
                with bound_contextvars(job=kind.name, subject_id=subject_id):
                    for name, action in kind.steps:
                        ending = DBOS.run_step(
                            {"name": name}, self._run_step, kind.name, name, action, subject_id
                        )
                        if ending is not None:
                            return _end_job(kind, subject_id, ending)
            finally:
                self._running.discard(running)

        return run_job

    def _run_step(
        self, kind: str, name: str, action: Step, subject_id: int
    ) -> dict[str, str] | None:
        """None, or how the step ended: as JSON, which a restart brings back, unlike exceptions."""
        failpoint(f"{kind}.{name}.before")
        try:
            action(subject_id)
        except JobCancelled:
            return {"cancelled": name}
        except JobFinished:
            return {"finished": name}
        except AppError as error:
            log.warning("Step %s of %s %d failed: %s", name, kind, subject_id, error)
            return {"failed": self._note_full_disk(error).sentence}
        except Exception as error:  # The worker's edge: whatever went wrong is written on the row.
            log.exception("Step %s of %s %d failed", name, kind, subject_id)
            return {"failed": self._describe_failure(name, error)}
        failpoint(f"{kind}.{name}.after")
        return None

    def _describe_failure(self, name: str, error: Exception) -> str:
        translated = translate_disk_error(error) if isinstance(error, OSError) else error
        if isinstance(translated, AppError):
            return self._note_full_disk(translated).sentence
        if isinstance(translated, MemoryError):
            return (
                f"The step {name} needs more memory than this machine has to give. {error}".strip()
            )
        return f"The step {name} failed: {type(error).__name__}: {error}"

    def _note_full_disk(self, error: AppError) -> AppError:
        if isinstance(error, StorageFull):
            self.full_disk = error.sentence
        return error

    def _reap_until_stopped(self) -> None:
        """For ever: a worker may die at any time, and a database may restart under the reaper."""
        while not self._stopping.is_set():
            try:
                self._reap()
            except (SQLAlchemyError, OSError, dbos_error.DBOSException) as error:
                log.warning("Dead workers' jobs could not be taken over: %s", error)
            self._stopping.wait(REAP_SECONDS)

    def _reap(self) -> None:
        running = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        dead = self._watch.find_dead({run.executor_id for run in running if run.executor_id})
        if not dead:
            return
        recover_jobs(self._leases, self._data_dir, dead)
        end_leases(self._leases, dead, self._data_dir)


def _end_job(kind: _JobKind, subject_id: int, ending: dict[str, str]) -> None:
    """End the job after a step that was its last. Raises JobFailed if that step failed."""
    if "failed" not in ending:
        return
    DBOS.run_step(
        {"name": "on_failure", "retries_allowed": True, "max_attempts": 5},
        kind.on_failure,
        subject_id,
        ending["failed"],
    )
    raise JobFailed(ending["failed"])


def _is_unlogged(record: logging.LogRecord) -> bool:
    """Return False for a failure that _run_step has logged already, with its cause."""
    return not (record.exc_info and record.exc_info[0] is JobFailed)


def _job_id(kind: str, subject_id: int, attempt: int) -> str:
    return f"{kind}-{subject_id}-{attempt}"


def _make_store(url: str) -> sqlalchemy.Engine:
    """DBOS' own connections. It begins write transactions by the driver's isolation level."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(
            parsed, pool_size=10, max_overflow=10, pool_pre_ping=True, hide_parameters=True
        )
    store = create_engine(
        parsed, module=sqlite_module(), pool_size=10, max_overflow=10, hide_parameters=True
    )
    event.listen(store, "connect", _on_connect)
    return store


def _on_connect(raw: Any, _record: Any) -> None:
    raw.isolation_level = "IMMEDIATE"
    set_pragmas(raw, busy_seconds=30)

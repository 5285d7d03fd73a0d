"""Takes over the jobs of dead workers, through the job engine's public calls.

Decision: DBOS.resume_workflow does not check that a job is still the dead worker's, and forgets how
often it was started. So one process recovers at a time, and looks at the jobs anew when it is its
turn: on Postgres under an advisory lock; on SQLite, whose workers share a machine, under a lock on
a file. Restarts are counted in a table of our own.
"""

import fcntl
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from dbos import DBOS
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    text,
    update,
)

from app.jobs.leases import SCHEMA

log = logging.getLogger(__name__)

# A job that kills its worker again and again (out of memory) is given up after so many restarts.
MAX_RESTARTS = 20
_RECOVERY_LOCK = 719_230_412


@lru_cache(maxsize=2)
def _table(schema: str | None) -> Table:
    return Table(
        "job_restarts",
        MetaData(schema=schema),
        Column("job_id", String, primary_key=True),
        Column("n_restarts", Integer, nullable=False),
    )


def restart_table(engine: Engine) -> Table:
    """Return the table as this database names it: SQLite has no schemas."""
    return _table(None if engine.dialect.name == "sqlite" else SCHEMA)


def create_restart_table(engine: Engine) -> None:
    """Create the table if there is none; the schema is there already."""
    with engine.execution_options(is_write=True).begin() as db:
        if engine.dialect.name != "sqlite":
            db.execute(text(f"SELECT pg_advisory_xact_lock({_RECOVERY_LOCK})"))
        restart_table(engine).create(db, checkfirst=True)


def recover_jobs(engine: Engine, data_dir: Path, dead: Sequence[str]) -> None:
    """Put the jobs that these workers were at back in their queues.

    One that was restarted MAX_RESTARTS times is cancelled; its row is then marked failed.
    """
    with _recovery_lock(engine, data_dir):
        jobs = DBOS.list_workflows(
            status="PENDING", executor_id=list(dead), load_input=False, load_output=False
        )
        for job in jobs:
            if _count_restart(engine, job.workflow_id) > MAX_RESTARTS:
                log.error("Job %s was given up after %d restarts", job.workflow_id, MAX_RESTARTS)
                DBOS.cancel_workflow(job.workflow_id)
            else:
                DBOS.resume_workflow(job.workflow_id, queue_name=job.queue_name)


def forget_restarts(engine: Engine, job_ids: Collection[str]) -> None:
    """Delete the counts of jobs that are forgotten."""
    table = restart_table(engine)
    with engine.execution_options(is_write=True).begin() as db:
        db.execute(delete(table).where(table.c.job_id.in_(job_ids)))


def _count_restart(engine: Engine, job_id: str) -> int:
    """Count one more restart of this job; the number of them."""
    table = restart_table(engine)
    own = table.c.job_id == job_id
    with engine.execution_options(is_write=True).begin() as db:
        counted = update(table).where(own).values(n_restarts=table.c.n_restarts + 1)
        if db.execute(counted).rowcount == 0:
            db.execute(insert(table).values(job_id=job_id, n_restarts=1))
        return int(db.execute(select(table.c.n_restarts).where(own)).scalar_one())


@contextmanager
def _recovery_lock(engine: Engine, data_dir: Path) -> Iterator[None]:
    if engine.dialect.name == "sqlite":
        with (data_dir / "workers" / "recovering.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    else:
        with engine.begin() as db:
            db.execute(text(f"SELECT pg_advisory_xact_lock({_RECOVERY_LOCK})"))
            yield

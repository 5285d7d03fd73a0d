"""Which worker processes are there: one row and one locked file for each, and who has died.

Decision: nobody's death is concluded by comparing clocks, which jump. On the same machine a
worker is dead when the kernel has let go of the lock on its file, so `kill -9` is seen at once,
in containers too, and a reused process id fools nobody. From another machine it is dead when its
beats have stood still for SILENCE_SECONDS by the observer's own monotonic clock. The same rule
takes over from a frozen worker, and from one whose forked child still holds the lock.
"""

import fcntl
import logging
import os
import platform
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

SCHEMA = "dbos"  # Beside the job engine's own tables, out of sight of our migrations.
RENEW_SECONDS = 5.0
SILENCE_SECONDS = 75.0  # torch may hold the interpreter's lock, and so the beat, for a minute.
_CREATE_LOCK = 719_230_411


@lru_cache(maxsize=2)
def _table(schema: str | None) -> Table:
    return Table(
        "worker_leases",
        MetaData(schema=schema),
        Column("executor_id", String, primary_key=True),
        Column("host", String, nullable=False),
        Column("machine", String, nullable=False),
        Column("pid", Integer, nullable=False),
        Column("queues", String, nullable=False),
        Column("beats", Integer, nullable=False),
        Column("last_seen_at", DateTime(timezone=True), nullable=False),
        Column("ended_at", DateTime(timezone=True)),
    )


def lease_table(engine: Engine) -> Table:
    """Return the table as this database names it: SQLite has no schemas."""
    return _table(None if engine.dialect.name == "sqlite" else SCHEMA)


def create_lease_table(engine: Engine) -> None:
    """Create the table if there is none. Safe when several workers start at once."""
    with _write_transaction(engine) as db:
        if engine.dialect.name != "sqlite":
            # CREATE ... IF NOT EXISTS is not atomic on Postgres: two at once may collide.
            db.execute(text(f"SELECT pg_advisory_xact_lock({_CREATE_LOCK})"))
            db.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        lease_table(engine).create(db, checkfirst=True)


def read_leases(engine: Engine) -> Sequence[RowMapping]:
    """Every lease, the last seen first; empty where no worker ever started."""
    table = lease_table(engine)
    if not inspect(engine).has_table(table.name, schema=table.schema):
        return []
    with engine.connect() as db:
        return db.execute(select(table).order_by(table.c.last_seen_at.desc())).mappings().all()


def end_leases(engine: Engine, executor_ids: Collection[str], data_dir: Path) -> None:
    """Note that these workers are gone. Their rows stay, so that a page can say since when."""
    table = lease_table(engine)
    ended = update(table).where(table.c.executor_id.in_(executor_ids), table.c.ended_at.is_(None))
    with _write_transaction(engine) as db:
        db.execute(ended.values(ended_at=datetime.now(UTC)))
    for executor_id in executor_ids:
        _lock_path(data_dir, executor_id).unlink(missing_ok=True)


def forget_leases(engine: Engine, before: datetime) -> None:
    """Delete the rows of workers that ended before that moment."""
    table = lease_table(engine)
    with _write_transaction(engine) as db:
        db.execute(delete(table).where(table.c.ended_at < before))


class Lease:
    """This process's own row, beaten by a thread, and its own file, locked until it ends."""

    def __init__(self, engine: Engine, data_dir: Path, queues: Sequence[str]) -> None:
        self.executor_id = uuid4().hex  # A new one at each start: nobody else's jobs are ours.
        self._engine = engine
        self._data_dir = data_dir
        self._queues = ",".join(queues)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_stopped, name="lease", daemon=True)
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Lock the file, write the row and begin to beat."""
        path = _lock_path(self._data_dir, self.executor_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w")  # Python's files are not inherited by commands we start.
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._beat()
        self._thread.start()

    def release(self) -> None:
        """End the lease. Only when nothing of this process's jobs runs any more."""
        self._stop.set()
        self._thread.join()
        end_leases(self._engine, [self.executor_id], self._data_dir)
        if self._file is not None:
            self._file.close()

    def _beat_until_stopped(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            try:
                self._beat()
            except SQLAlchemyError as error:
                # The database may be restarting; SILENCE_SECONDS leaves room for many tries.
                log.warning("The worker's lease could not be renewed: %s", error)

    def _beat(self) -> None:
        table = lease_table(self._engine)
        beat = {"last_seen_at": datetime.now(UTC), "ended_at": None}
        own = update(table).where(table.c.executor_id == self.executor_id)
        with _write_transaction(self._engine) as db:
            if db.execute(own.values(beats=table.c.beats + 1, **beat)).rowcount == 0:
                db.execute(insert(table).values(beats=0, **self._describe_process(), **beat))

    def _describe_process(self) -> dict[str, Any]:
        return {
            "executor_id": self.executor_id,
            "host": platform.node(),
            "machine": _machine_id(),
            "pid": os.getpid(),
            "queues": self._queues,
        }


class PeerMonitor:
    """What one worker has seen of the others, by its own monotonic clock."""

    def __init__(self, engine: Engine, data_dir: Path, own_id: str) -> None:
        self._engine = engine
        self._data_dir = data_dir
        self._own_id = own_id
        self._seen: dict[str, tuple[int, float]] = {}  # executor id → beats, first seen (seconds)

    def find_dead(self, owners: Collection[str]) -> list[str]:
        """Find the workers that are gone, among those with a lease and the owners of running
        jobs."""
        now = time.monotonic()  # Before the look: a pause of ours must not count as their silence.
        leases = {row["executor_id"]: row for row in read_leases(self._engine)}
        ended = {key for key, row in leases.items() if row["ended_at"] is not None}
        others = ((leases.keys() - ended) | set(owners)) - {self._own_id}
        self._seen = {key: self._sighting(key, leases.get(key), now) for key in others}
        return [
            key
            for key in sorted(others)
            if (key in leases and is_dead_on_this_machine(leases[key], self._data_dir))
            or now - self._seen[key][1] >= SILENCE_SECONDS
        ]

    def _sighting(self, key: str, lease: RowMapping | None, now: float) -> tuple[int, float]:
        beats = -1 if lease is None else lease["beats"]
        before = self._seen.get(key)
        return before if before is not None and before[0] == beats else (beats, now)


def is_dead_on_this_machine(lease: RowMapping, data_dir: Path) -> bool:
    """Return True if the lease is of this machine and no process holds its file."""
    if lease["machine"] != _machine_id():
        return False
    try:
        with _lock_path(data_dir, lease["executor_id"]).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False  # Alive, or with another data directory, where only its silence tells.
    return True


@contextmanager
def startup_lock(data_dir: Path) -> Iterator[None]:
    """Hold back the other workers of this machine that are just starting."""
    path = data_dir / "workers" / "starting.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock_path(data_dir: Path, executor_id: str) -> Path:
    return data_dir / "workers" / f"{executor_id}.lock"


@lru_cache(maxsize=1)
def _machine_id() -> str:
    """Return the running kernel: containers on one machine share it, and its file locks."""
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    return boot_id.read_text().strip() if boot_id.exists() else platform.node()


@contextmanager
def _write_transaction(engine: Engine) -> Iterator[Any]:
    with engine.execution_options(is_write=True).begin() as db:
        yield db

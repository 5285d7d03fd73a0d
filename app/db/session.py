"""One engine per database, and the only two ways in: reading() and transaction().

Decision: nobody calls commit() but transaction(). A write transaction on SQLite begins IMMEDIATE,
because a deferred one that turns into a write fails at once with SQLITE_BUSY, whatever the timeout.
Decision: WAL only on an engine that cannot lose rows in it (3.51.3 or newer, or the mended 3.50.7
and 3.44.6); otherwise the slower, safe DELETE journal.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    ExceptionContext,
    Executable,
    create_engine,
    event,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from app.db.errors import clear_error, clear_value_error
from app.db.write_queue import FairLock, TransactionLock
from app.errors import Busy
from app.settings import settings

PATIENCE_SECONDS = 10
"""How long a request waits for a connection, its turn or the lock."""
IDS_PER_STATEMENT = 500
# By libpq's names: when a host that no longer answers counts as gone.
_PATIENT = {
    "connect_timeout": PATIENCE_SECONDS,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def sqlite_module() -> ModuleType:
    """Return the newest SQLite at hand: the bundled one where it is installed, else Python's
    own."""
    try:
        # Linux only; elsewhere Python's own engine serves.
        from pysqlite3 import dbapi2
    except ImportError:
        return sqlite3
    return dbapi2  # type: ignore[no-any-return]


def is_wal_safe(version: tuple[int, ...]) -> bool:
    """Return False for the engines whose WAL reset can lose committed rows (3.7.0 to 3.51.2)."""
    mended = {(3, 50): (3, 50, 7), (3, 44): (3, 44, 6)}
    return version >= mended.get((version[0], version[1]), (3, 51, 3))


def _on_connect(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # The driver must not begin transactions by itself; _on_begin does.
    set_pragmas(raw, PATIENCE_SECONDS, "cache_size = -65536", "temp_store = MEMORY")


def set_pragmas(raw: Any, busy_seconds: int, *more: str) -> None:
    """Make a SQLite connection wait for others that long, sync each commit, check foreign keys."""
    journal = "WAL" if is_wal_safe(sqlite_module().sqlite_version_info) else "DELETE"
    cursor = raw.cursor()
    for pragma in (
        f"busy_timeout = {1000 * busy_seconds}",
        f"journal_mode = {journal}",
        "synchronous = FULL",
        "foreign_keys = ON",
        *more,
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if (lock := options.get("turn")) is not None:
        lock.acquire()
    is_write = options.get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def _on_error(context: ExceptionContext) -> None:
    known = clear_value_error(context.original_exception)
    if known is not None:
        raise known from context.original_exception


def make_engine(url: str) -> Engine:
    """Make an engine for SQLite or Postgres with our safety settings on every connection."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=20,
            max_overflow=20,
            pool_timeout=PATIENCE_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={key: value for key, value in _PATIENT.items() if key not in parsed.query},
        )
        event.listen(engine, "handle_error", _on_error)
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        parsed,
        module=sqlite_module(),
        connect_args={"check_same_thread": False},
        pool_size=20,
        max_overflow=30,
        pool_timeout=PATIENCE_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    event.listen(engine, "handle_error", _on_error)
    return engine


@cache
def engine_for(url: str) -> Engine:
    """Return the one engine of this process for that database."""
    return make_engine(url)


@cache
def _write_lock_for(_url: str) -> FairLock:
    return FairLock(PATIENCE_SECONDS)


def engine() -> Engine:
    """Return the engine of the settings' database."""
    return engine_for(settings().database_url)


@contextmanager
def read_session() -> Iterator[Session]:
    """Open a consistent read session without write lock. Objects stay usable after it."""
    try:
        with Session(engine(), expire_on_commit=False) as db:
            yield db
    except (OperationalError, InterfaceError) as error:
        raise clear_error(error) from error
    except NoConnection as error:
        raise Busy from error


@contextmanager
def write_session() -> Iterator[Session]:
    """All or nothing: commits when the block ends well. Keep it short, it holds the write lock."""
    lock = TransactionLock(_write_lock_for(settings().database_url))
    try:
        options = engine().execution_options(is_write=True, turn=lock)
        with Session(options, expire_on_commit=False) as db:
            yield db
            db.commit()
    except (OperationalError, InterfaceError) as error:
        raise clear_error(error) from error
    except NoConnection as error:
        raise Busy from error
    finally:
        lock.release()


def execute_core(
    db: Session, statement: Executable, **values: Any
) -> CursorResult[*tuple[Any, ...]]:
    """Return the rows that a statement, built once with bindparam(), has for these values.

    Past the ORM: building a statement anew and keeping its objects costs ten times as much time as
    the database takes for it, and a label needs twenty.
    """
    db.flush()
    return db.connection().execute(statement, values)


def id_chunks(ids: Iterable[int]) -> list[list[int]]:
    """Return the ids in order, each once, in lists short enough for one SQL statement."""
    # NumPy's int64 is no int to the database drivers.
    ordered = sorted({int(each) for each in ids})
    return [ordered[i : i + IDS_PER_STATEMENT] for i in range(0, len(ordered), IDS_PER_STATEMENT)]


def _request_read_session() -> Iterator[Session]:
    with read_session() as db:
        yield db


def _request_write_session() -> Iterator[Session]:
    with write_session() as db:
        yield db


# For pages that only look.
ReadDb = Annotated[Session, Depends(_request_read_session, scope="function")]
# For verbs that write. Commit before the response leaves: the browser's next request must find
# what it just wrote, and a failed commit must not answer 200.
Db = Annotated[Session, Depends(_request_write_session, scope="function")]

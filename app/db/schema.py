"""The database's tables, brought to this version at start-up, by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.db.session import engine
from app.resources import resource_folder

MIGRATIONS = str(resource_folder("migrations"))
# Any number will do, as long as all our processes ask for the same one.
ADVISORY_LOCK = 7_140_221


def _alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    return config


def _lock_migrations(connection: Connection) -> None:
    """Hold off other processes that start at the same moment; SQLite's write lock does it alone."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})


@contextmanager
def migrating() -> Iterator[Connection]:
    """Open a write transaction in which SQLite may rebuild a table that others refer to.

    Dropping the old table would otherwise delete the rows that refer to it. SQLite ignores the
    switch inside a transaction, so it is set before; what is left dangling undoes everything.
    """
    with engine().execution_options(is_write=True).connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            _set_foreign_keys(connection, "OFF")
        try:
            with connection.begin():
                yield connection
                if is_sqlite:
                    _check_foreign_keys(connection)
        finally:
            if is_sqlite:
                _set_foreign_keys(connection, "ON")


def _set_foreign_keys(connection: Connection, value: str) -> None:
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA foreign_keys = {value}")
    cursor.close()


def _check_foreign_keys(connection: Connection) -> None:
    dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if dangling is not None:
        raise ValueError(f"Table {dangling[0]}, row {dangling[1]}: the row it refers to is gone.")


def upgrade(revision: str = "head") -> None:
    """Bring the tables to `revision`, all or nothing."""
    with migrating() as connection:
        _lock_migrations(connection)
        command.upgrade(_alembic_config(connection), revision)


def downgrade(revision: str) -> None:
    """Take the tables back to `revision`, all or nothing."""
    with migrating() as connection:
        _lock_migrations(connection)
        command.downgrade(_alembic_config(connection), revision)


def is_current() -> bool:
    """Whether the tables are at this version's newest revision."""
    return _current_revision() == ScriptDirectory(MIGRATIONS).get_current_head()


def is_new() -> bool:
    """Whether the tables were never created."""
    return _current_revision() is None


def _current_revision() -> str | None:
    with engine().connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()

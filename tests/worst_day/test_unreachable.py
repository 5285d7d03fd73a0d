"""The database goes away while the server runs, and comes back."""

import logging
import os
import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy.engine import make_url

from app.accounts.tokens import create_token
from app.db.session import engine_for, write_session
from app.main import ROUTER_MODULES, create_app
from app.settings import settings
from tests.conftest import client_of, make_user
from tests.worst_day.sentences import in_shell, shown, told

pytestmark = pytest.mark.skipif(
    not os.environ.get("TEST_DATABASE_URL"), reason="SQLite is no server that could go away"
)
SENTENCE = "The database cannot be reached. Try again in a few seconds."


class Forwarder:
    """Passes a port of this machine on to the test's Postgres, until it is cut."""

    def __init__(self, family: int, address: str | tuple[str, int]) -> None:
        self._family, self._address = family, address
        self._ends: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._accept()

    def _accept(self) -> None:
        threading.Thread(target=self._serve, args=(self._door,), daemon=True).start()

    def _serve(self, door: socket.socket) -> None:
        while True:
            try:
                near, _ = door.accept()
            except OSError:
                return
            far = socket.socket(self._family)
            far.connect(self._address)
            self._ends += [near, far]
            threading.Thread(target=_carry, args=(near, far), daemon=True).start()

    def cut(self) -> None:
        """End every connection, and refuse new ones."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for end in self._ends:
            with suppress(OSError):  # It may have ended before.
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def mend(self) -> None:
        """Take connections again."""
        self._door = socket.create_server(("127.0.0.1", self.port))
        self._accept()


def _carry(near: socket.socket, far: socket.socket) -> None:
    other = {near: far, far: near}
    with near, far, suppress(OSError):
        while True:
            for end in select.select([near, far], [], [])[0]:
                block = end.recv(65536)
                if not block:
                    return
                other[end].sendall(block)


@pytest.fixture
def line(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forwarder]:
    """The way to this test's database, which the settings now name."""
    url = make_url(database)
    folder = url.query.get("host", url.host)
    assert isinstance(folder, str)
    if folder.startswith("/"):
        forwarder = Forwarder(socket.AF_UNIX, f"{folder}/.s.PGSQL.{url.port or 5432}")
    else:
        forwarder = Forwarder(socket.AF_INET, (folder, url.port or 5432))
    through = url.set(host="127.0.0.1", port=forwarder.port).difference_update_query(["host"])
    name = through.render_as_string(hide_password=False)
    monkeypatch.setenv("LIKEWISE_DATABASE_URL", name)
    settings.cache_clear()
    yield forwarder
    forwarder.cut()
    engine_for(name).dispose()


def test_an_outage_is_reported_and_ends_cleanly(
    line: Forwarder, caplog: pytest.LogCaptureFixture
) -> None:
    ada = make_user()
    with write_session() as db:
        token = create_token(db, ada, "test")
    browser = client_of(ada)
    program = TestClient(create_app(), headers={"Authorization": f"Bearer {token}"})
    assert browser.post("/projects", data={"name": "Before"}).status_code == 303
    assert program.get("/api/v1/projects").status_code == 200

    line.cut()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        answers = [
            browser.get("/"),
            browser.post("/projects", data={"name": "Meanwhile"}),
            program.get("/api/v1/projects"),
            program.post("/api/v1/projects", json={"name": "Meanwhile"}),
        ]
        fragment = browser.get("/", headers={"HX-Request": "true"})
        assert browser.get("/health").status_code == 200
    lines = [each for each in caplog.records if each.name == "app.web.errors"]

    assert [shown(each, 503) for each in answers[:2]] == [SENTENCE, SENTENCE]
    assert [told(each, 503) for each in answers[2:]] == [SENTENCE, SENTENCE]
    assert (fragment.status_code, SENTENCE in fragment.text) == (503, True)
    assert {each.headers["Retry-After"] for each in [*answers, fragment]} == {"5"}
    assert len(lines) == 5
    assert not any(each.exc_info or "\n" in each.getMessage() for each in lines)
    assert in_shell("runs", "before").startswith("The database could not be used: connection ")

    line.mend()

    assert program.post("/api/v1/projects", json={"name": "After"}).status_code == 201
    assert browser.get("/").status_code == 200
    names = [each["name"] for each in program.get("/api/v1/projects").json()]
    assert sorted(names) == ["After", "Before"]


def test_no_door_breaks(line: Forwarder) -> None:
    browser = client_of(make_user())
    line.cut()

    answers = {
        (method, route.path): browser.request(method, re.sub(r"{\w+(:\w+)?}", "1", route.path))
        for room in ROUTER_MODULES
        for route in room.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }

    statuses = {door: answer.status_code for door, answer in answers.items()}
    assert len(statuses) > 100
    assert {door for door, status in statuses.items() if status == 500} == set()
    # The others need no database before they see that a form is empty.
    assert {door[1] for door, status in statuses.items() if status != 503} <= {
        "/login",
        "/welcome/{token}",
    }


def test_a_connection_lost_within_a_request_is_reported_too(line: Forwarder) -> None:
    app = create_app()

    @app.get("/broken/{how}")
    def fail(how: str) -> None:
        with write_session() as db:
            db.connection().exec_driver_sql("SELECT 1")
            line.cut()
            if how == "statement":
                db.connection().exec_driver_sql("SELECT 1")

    for how in ("statement", "commit"):
        answer = TestClient(app, raise_server_exceptions=False).get(f"/broken/{how}")
        line.mend()
        assert shown(answer, 503) == SENTENCE, how

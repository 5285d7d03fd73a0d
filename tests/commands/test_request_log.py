"""A request's id is on its answer and on every line about it; only proxies may choose it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.accounts.tokens import create_token
from app.db.session import read_session, write_session
from app.models import Import, User
from tests.conftest import make_project

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
GENERATED = re.compile("[0-9a-f]{32}")


class Server:
    """A server in a process of its own; `lines` are there once it has ended."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.lines: list[dict[str, Any]] = []

    def get(self, path: str, came_from: str = "127.0.0.1", **headers: str) -> tuple[int, str]:
        """Status, and the request's id."""
        connection = http.client.HTTPConnection(self.where, source_address=(came_from, 0))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=named)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        ids = answer.msg.get_all("X-Request-ID", [])
        assert len(ids) == 1
        return answer.status, ids[0]


@contextmanager
def serving(log: Path, **environment: str) -> Iterator[Server]:
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--json", "--no-worker"],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        assert process.stdout is not None
        server = Server(urlsplit(json.loads(process.stdout.readline())["url"]).netloc)
        try:
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            rest = process.stdout.read()
            process.stdout.close()
    assert rest == ""
    server.lines = [json.loads(line) for line in log.read_text().splitlines()]


def about(server: Server, request_id: str) -> list[dict[str, Any]]:
    return [line for line in server.lines if line.get("request_id") == request_id]


def test_every_line_is_json_and_those_of_a_request_carry_its_id(ada: User, tmp_path: Path) -> None:
    make_project("letters")
    with write_session() as db:
        token = f"Bearer {create_token(db, ada, 'script')}"

    with serving(tmp_path / "log") as server:
        project = server.get("/api/v1/projects/letters/records", Authorization=token)
        secret = server.get("/welcome/a-secret-link")
        unknown = server.get("/nowhere/at-all")
        server.get("/health")

    assert (project[0], unknown[0]) == (200, 404)
    assert all(GENERATED.fullmatch(each[1]) for each in (project, secret, unknown))
    [line] = about(server, project[1])
    assert (line["method"], line["status"], line["project"]) == ("GET", 200, "letters")
    assert line["route"] == "/api/v1/projects/{slug}/records"
    assert line["seconds"] > 0
    assert [each["route"] for each in about(server, unknown[1])] == ["none"]
    assert all({"time", "level", "logger", "event"} <= set(each) for each in server.lines)
    assert "uvicorn.error" in {each["logger"] for each in server.lines}
    assert "a-secret-link" not in (tmp_path / "log").read_text()
    assert "/health" not in (tmp_path / "log").read_text()


def test_an_id_is_taken_from_a_trusted_proxy_if_it_is_well_formed(
    database: str, tmp_path: Path
) -> None:
    with serving(tmp_path / "log", LIKEWISE_TRUSTED_PROXIES="127.0.0.1") as server:
        chosen = {"X_Request_ID": "edge-7.a_B", "X_Forwarded_For": "203.0.113.5"}
        assert server.get("/login", **chosen)[1] == "edge-7.a_B"
        for malformed in ("", "a b", "x" * 129, "{}", "a\tb"):
            assert GENERATED.fullmatch(server.get("/login", X_Request_ID=malformed)[1])
        assert GENERATED.fullmatch(server.get("/login", "127.0.0.5", **chosen)[1])

    assert [line["route"] for line in about(server, "edge-7.a_B")] == ["/login"]


def test_without_a_trusted_proxy_no_id_is_taken(database: str, tmp_path: Path) -> None:
    with serving(tmp_path / "log") as server:
        assert GENERATED.fullmatch(server.get("/login", X_Request_ID="edge-7")[1])


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_requests_are_not_logged_above_the_info_level(
    database: str, tmp_path: Path, level: str
) -> None:
    with serving(tmp_path / "log", LIKEWISE_LOG_LEVEL=level) as server:
        assert server.get("/login")[0] == 200

    assert server.lines == []


def test_a_command_keeps_its_json_alone_on_stdout(database: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "doctor", "--claim-folder", "--json"],
        cwd=ROOT,
        env=os.environ | {"LIKEWISE_LOG_LEVEL": "DEBUG"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert isinstance(json.loads(ended.stdout), list)
    assert all(json.loads(line)["logger"] for line in ended.stderr.splitlines())
    assert ended.stderr != ""


def test_lines_of_a_job_name_it(database: str, tmp_path: Path) -> None:
    project = make_project("letters")
    with write_session() as db:
        queued = Import(
            project_id=project.id, file_name="a.csv", file="gone", format="csv", status="queued"
        )
        db.add(queued)
    log = tmp_path / "log"
    with log.open("w") as stderr:
        worker = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "worker"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        while worker.poll() is None and import_status(queued.id) != "failed":
            time.sleep(0.2)
        worker.terminate()
        output, _ = worker.communicate()

    assert output == ""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    of_job = [line for line in lines if line.get("job") == "import"]
    assert {line["subject_id"] for line in of_job} == {queued.id}
    assert any("failed" in line["event"] for line in of_job)
    ready = [line for line in lines if line["event"] == "worker.ready"]
    assert [line["logger"] for line in ready] == ["app.worker"]


def import_status(import_id: int) -> str:
    with read_session() as db:
        return db.get_one(Import, import_id).status

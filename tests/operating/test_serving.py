import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from sqlalchemy import select

from app.accounts.tokens import create_token
from app.database import transaction
from app.models import User
from app.operating.serving import THREADS
from tests.conftest import make_project

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
N_WRITERS = 60
# Time for all of them to come; a slow machine, where fewer have come by then, fails nothing.
SECONDS_TO_COME = 2


@pytest.fixture
def server(database: str) -> Iterator[subprocess.Popen[str]]:
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--json"],
        cwd=ROOT, env=os.environ | {THREADS: "2"},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    yield server
    server.kill()
    server.wait()
    assert server.stdout is not None
    server.stdout.close()


def url_of(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    return str(json.loads(server.stdout.readline())["url"])


def test_many_who_wait_for_the_lock_do_not_keep_its_holder_from_ending(
    ada: User, server: "subprocess.Popen[str]"
) -> None:
    url = url_of(server)
    project = make_project()
    with transaction() as db:
        token = create_token(db, ada, "first")

    def undo(_: int) -> int:
        request = urllib.request.Request(
            f"{url}/api/v1/projects/{project.slug}/annotations/undo", b"{}",
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)

    undo(0)  # From now on the token's use is not worth a write of its own.
    with ThreadPoolExecutor(N_WRITERS) as threads:
        with transaction() as db:
            db.scalars(select(User)).all()
            answers = threads.map(undo, range(N_WRITERS))
            time.sleep(SECONDS_TO_COME)

        assert list(answers) == N_WRITERS * [200]


def test_a_stopped_server_ends_after_its_worker(server: "subprocess.Popen[str]") -> None:
    with urllib.request.urlopen(f"{url_of(server)}/health") as answer:
        assert answer.status == 200
    while not (beside := psutil.Process(server.pid).children()):
        time.sleep(0.1)
    [worker] = beside
    threads = worker.environ()[THREADS]

    server.send_signal(signal.SIGTERM)
    status = server.wait()

    assert (status, worker.is_running()) == (0, False)
    assert threads == "2"  # The one thread of a search is the web process' own affair.

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import uvicorn
from sqlalchemy import select

from app.accounts.tokens import create_token
from app.commands.serve import THREADS_VARIABLE, WebServer
from app.db import session as databases
from app.db.session import write_session
from app.main import create_app
from app.models import User
from tests.conftest import PATIENCE_SECONDS, make_project

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
N_WRITERS = 48


@pytest.fixture
def serving(database: str) -> Iterator[str]:
    """The address of a server in this process, which this test's turns are shared with."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(), log_level="error", lifespan="off")
    is_ready = threading.Event()
    server = WebServer(config, is_ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    is_ready.wait()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()
    gc.unfreeze()


def test_many_who_wait_for_the_lock_do_not_keep_its_holder_from_ending(
    monkeypatch: pytest.MonkeyPatch, serving: str, ada: User, database: str
) -> None:
    # Nobody gives up, however slow the machine is.
    monkeypatch.setattr(databases, "PATIENCE_SECONDS", PATIENCE_SECONDS)
    databases._write_lock_for.cache_clear()
    project = make_project()
    with write_session() as db:
        token = create_token(db, ada, "first")

    def undo(_: int) -> int:
        request = urllib.request.Request(
            f"{serving}/api/v1/projects/{project.slug}/annotations/undo",
            b"{}",
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)

    undo(0)  # From now on the token's use is not worth a write of its own.
    with ThreadPoolExecutor(N_WRITERS) as threads:
        with write_session() as db:
            db.scalars(select(User)).all()
            answers = threads.map(undo, range(N_WRITERS))
            n_waiting = _once_all_wait(database)

        assert list(answers) == N_WRITERS * [200]
    assert n_waiting == N_WRITERS


def _once_all_wait(url: str) -> int:
    turns, until = databases._write_lock_for(url), time.monotonic() + PATIENCE_SECONDS
    while turns.n_waiting < N_WRITERS and time.monotonic() < until:
        time.sleep(0.01)
    return turns.n_waiting


def test_a_stopped_server_ends_after_its_worker(database: str) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--json"],
        cwd=ROOT,
        env=os.environ | {THREADS_VARIABLE: "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    url = json.loads(server.stdout.readline())["url"]
    with urllib.request.urlopen(f"{url}/health") as answer:
        assert answer.status == 200
    while not (beside := psutil.Process(server.pid).children()):
        time.sleep(0.1)
    [worker] = beside
    threads = worker.environ()[THREADS_VARIABLE]

    server.send_signal(signal.SIGTERM)
    status = server.wait()
    server.stdout.close()

    assert (status, worker.is_running()) == (0, False)
    assert threads == "2"  # The one thread of a search is the web process' own affair.

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from app.operating.serving import THREADS

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_stopped_server_ends_after_its_worker(database: str) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--json"],
        cwd=ROOT, env=os.environ | {THREADS: "2"},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    url = json.loads(server.stdout.readline())["url"]
    with urllib.request.urlopen(f"{url}/health") as answer:
        assert answer.status == 200
    while not (beside := psutil.Process(server.pid).children()):
        time.sleep(0.1)
    [worker] = beside
    threads = worker.environ()[THREADS]

    server.send_signal(signal.SIGTERM)
    status = server.wait()
    server.stdout.close()

    assert (status, worker.is_running()) == (0, False)
    assert threads == "2"  # The one thread of a search is the web process' own affair.

"""Serving: the tables, the first admin's link, the web process, and a worker that ends with it.

Decision: the web process is one that many wait for. What it has loaded by the time it answers is
frozen: a full garbage collection that looked through all of it held every request up for a sixth of
a second. And a search takes one thread of its own: the threads that OpenMP would put beside it have
nothing to do for one query, and spin where the worker wants to compute.
Decision: there are more threads than requests that may wait for the database. A write goes through
several, one after another, and holds the lock meanwhile: were all the others waiting for that lock,
none would be left for it to end in.
"""

import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import typer
import uvicorn
from anyio.to_thread import current_default_thread_limiter

from app.accounts.invitations import create_first_admin_token
from app.db import schema
from app.db.session import write_session
from app.errors import Invalid
from app.installation import check_folder
from app.logging_setup import configure_logging
from app.settings import settings

RESTART_PAUSE_SECONDS = 2.0
PATIENCE_SECONDS = 15
# Who watches a run live stays connected: so long a request may go on when the server is to end.
SHUTDOWN_SECONDS = 3
# Forty is usual: few enough for forty annotators to wait in, and one more in vain.
MAX_THREADS = 200
# Read by OpenMP when FAISS is loaded; once it is, only the thread that asks could be changed.
THREADS_VARIABLE = "OMP_NUM_THREADS"


def prepare_database() -> None:
    """Bring the tables up to date, if they are not."""
    if not schema.is_current():
        schema.upgrade()


def ensure_schema() -> None:
    """Make ready for work on files: tables up to date, and the data folder is the database's.

    Raises WrongFolder.
    """
    prepare_database()
    check_folder()


def base_url(host: str = "127.0.0.1", port: int = 8000) -> str:
    """Where people reach the pages."""
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104
    return settings().public_url.rstrip("/") or f"http://{shown}:{port}"


def serve(host: str, port: int, *, has_worker: bool, as_json: bool) -> None:
    """Serve pages until stopped. Raises Invalid if the port is taken."""
    configure_logging(settings().log_level)
    ensure_schema()
    listener = _listen(host, port)
    address = base_url(host, listener.getsockname()[1])
    with write_session() as db:
        token = create_first_admin_token(db)
    link = f"{address}/welcome/{token}" if token else None
    config = uvicorn.Config(
        "app.main:create_app",
        factory=True,
        # Its lines go where all go; requests are logged by app.web.request_log, with their ids.
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        # Of themselves anybody can write them, and uvicorn would believe whatever comes from
        # loopback: create_app believes the proxies that are named.
        proxy_headers=False,
    )
    server = WebServer(config, lambda: _announce_ready(address, link, as_json))
    # Uvicorn sends itself again the signal that ended it: by itself this one would end us at once.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _worker_process() if has_worker else contextlib.nullcontext():
        os.environ[THREADS_VARIABLE] = "1"
        server.run(sockets=[listener])


def run_worker_process(*, ends_with_stdin: bool) -> None:
    """Work until stopped, or until whoever holds our stdin is gone, even by kill -9."""
    # Loaded here: the web process shares this module, and never loads the job engine.
    from app.worker import run_worker

    configure_logging(settings().log_level)
    ensure_schema()
    stop = threading.Event()
    if ends_with_stdin:
        threading.Thread(target=_stop_at_end_of_stdin, args=(stop,), daemon=True).start()
    run_worker(stop)


class WebServer(uvicorn.Server):
    """Announces when it is ready."""

    def __init__(self, config: uvicorn.Config, announce_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce_ready = announce_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start uvicorn, then announce it."""
        await super().startup(sockets)
        current_default_thread_limiter().total_tokens = MAX_THREADS
        gc.collect()
        gc.freeze()
        self._announce_ready()


def _announce_ready(address: str, link: str | None, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"url": address, "first_admin": link}))
    else:
        if link:
            typer.echo(f"First admin: open {link} (works once)")
        typer.echo(f"Likewise is ready: {address}")
    sys.stdout.flush()


def _listen(host: str, port: int) -> socket.socket:
    try:
        address_info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(address_info[0], socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address_info[4])
    except OSError as error:
        raise Invalid(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    return listener


@contextlib.contextmanager
def _worker_process() -> Iterator[None]:
    """Run a worker process, started again if it dies, ended when the block ends."""
    is_over = threading.Event()
    watcher = threading.Thread(target=_supervise_worker, args=(is_over, dict(os.environ)))
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def _supervise_worker(is_over: threading.Event, environment: dict[str, str]) -> None:
    while not is_over.is_set():
        child = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "worker", "--with-parent"],
            stdin=subprocess.PIPE,
            env=environment,
        )
        while child.poll() is None and not is_over.wait(0.2):
            pass
        if child.poll() is None:
            _end_child(child)
        is_over.wait(RESTART_PAUSE_SECONDS)


def _end_child(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _stop_at_end_of_stdin(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()

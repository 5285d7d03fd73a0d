"""Lock so that one job at a time holds all vectors of a project, which limits memory.

Decision: a locked file in the data folder, so that it keeps the threads of one worker apart as well
as the workers of one machine, and the kernel lets go of it when a worker is killed. A job takes it
before it reads vectors and outside of any transaction, and takes no second one, so nobody waits in
a circle.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import structlog

from app.settings import settings

log = structlog.get_logger()

POLL_SECONDS = 0.5


def keep_waiting() -> None:
    """Wait however long it takes."""


@contextmanager
def hold_vectors(
    project_id: int, while_waiting: Callable[[], None] = keep_waiting
) -> Iterator[None]:
    """Be the only job on this machine that holds all vectors of this project.

    while_waiting  is called twice a second while another job holds them, and may raise to give up

    Leave every array of them behind inside: in a function that this block calls.
    """
    with _lock_path(project_id).open("a") as file:
        if not _try_lock(file):
            log.info("vectors.waiting", project_id=project_id)
            _wait_for(file, while_waiting)
        try:
            yield
        finally:
            # Unlock explicitly: a forked child may still have the file open.
            fcntl.flock(file, fcntl.LOCK_UN)


def _wait_for(file: IO[str], while_waiting: Callable[[], None]) -> None:
    while_waiting()
    while not _try_lock(file):
        time.sleep(POLL_SECONDS)
        while_waiting()


def _try_lock(file: IO[str]) -> bool:
    try:
        # Each call opened the file anew, so this holds between threads, too.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_path(project_id: int) -> Path:
    path = settings().data_dir / "workers" / f"vectors-{project_id}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path

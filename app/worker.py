"""The worker process: runs queued and due jobs of the database."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import faiss
import structlog

from app.errors import AppError
from app.installation import WrongFolder
from app.jobs.dispatcher import QUEUES, Dispatcher
from app.training.runs.devices import write_device

log = structlog.get_logger()

NICENESS = 10


class WorkFailed(AppError):
    """What was waited for cannot come about: the sentence says why."""

    status = 500


def run_worker(stop: threading.Event, listens_to: Sequence[str] = QUEUES) -> None:
    """Work until `stop` is set, or SIGTERM or Ctrl+C comes. The tables are up to date already.

    A step that does not end within 10 seconds is cut off with this process; another worker, or
    the next start, repeats it.
    """
    _lower_priority()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    dispatcher = Dispatcher(stop, listens_to, draws_maps=True)
    dispatcher.launch()
    write_device()
    log.info("worker.ready", queues=list(listens_to))
    try:
        dispatcher.dispatch_until(lambda: False)
    except WrongFolder as error:
        log.error("worker.wrong_folder", why=error.sentence)
        dispatcher.stop()
        raise
    if not dispatcher.stop():
        log.warning("worker.cut_off")
        sys.stdout.flush()
        os._exit(0)
    log.info("worker.stopped")


def work_until(is_done: Callable[[], bool], project_id: int | None = None) -> None:
    """Work in this process, beside whatever workers there are, until `done` says so.

    Raises WorkFailed when the records of that project, or of any if None, cannot be embedded or
    indexed, since what is waited for might never come.
    """
    dispatcher = Dispatcher(threading.Event())
    dispatcher.launch()
    try:
        dispatcher.dispatch_until(
            lambda: dispatcher.find_trouble(project_id) is not None or is_done()
        )
    finally:
        has_ended = dispatcher.stop()
    trouble = dispatcher.find_trouble(project_id)
    if trouble is None or is_done():
        return
    if not has_ended:
        # The engine waits for room to write in, and would keep this process from its end.
        sys.stderr.write(f"{trouble}\n")
        sys.stderr.flush()
        os._exit(1)
    raise WorkFailed(trouble)


def _lower_priority() -> None:
    """Leave one core to the web process, and yield the others whenever it wants them."""
    n_threads = max(1, (os.cpu_count() or 1) - 1)
    os.environ["OMP_NUM_THREADS"] = str(n_threads)  # Torch reads it when it is loaded.
    faiss.omp_set_num_threads(n_threads)
    os.nice(NICENESS)

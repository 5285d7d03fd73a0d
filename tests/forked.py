"""Processes that tests stop and kill: forked from one that has loaded the product, which would take
each of them seconds.

That one is no test's own process: threads may hold locks there, which a fork would keep for ever.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess

from tests.conftest import PATIENCE_SECONDS

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["app.worker", "sentence_transformers"])


@contextmanager
def process(
    work: Callable[..., object], *about: int | str, failpoint: str = ""
) -> Iterator[BaseProcess]:
    """A process that does `work`, in the environment of here; it does not outlive the block.

    work       a function of a module, called with what follows it
    failpoint  where it is killed, as app.jobs.steps.failpoint reads it
    """
    environment = os.environ | {"LIKEWISE_FAILPOINT": failpoint}
    begun = _forks.Process(target=_do, args=(environment, work, about))
    begun.start()
    try:
        yield begun
    finally:
        begun.kill()
        begun.join()


def status_of(begun: BaseProcess) -> int | None:
    """How the process ended, once it has: minus the signal that killed it; None: it has not."""
    begun.join(PATIENCE_SECONDS)
    return begun.exitcode


def _do(
    environment: dict[str, str], work: Callable[..., object], about: tuple[int | str, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for told in (1, 2):
        os.dup2(nowhere, told)
    work(*about)


def serve_queues() -> None:
    """A worker until SIGTERM. It does not yield to others, or a busy machine would starve it."""
    from app import worker  # Loads torch: where it is needed only.

    worker.NICENESS = 0
    worker.run_worker(threading.Event())


def carry_on(run_id: int) -> list[str]:
    """Carry a run on from the step it is at; the names of the steps taken."""
    from app.db.session import read_session
    from app.jobs.steps import JobFinished
    from app.models import TrainingRun
    from app.training.pipeline import steps as loop

    with read_session() as db:
        stage = db.get_one(TrainingRun, run_id).stage
    left = loop.STEPS[[name for name, _ in loop.STEPS].index(stage) :]
    for _, step in left:
        with suppress(JobFinished):
            step(run_id)
    return [name for name, _ in left]

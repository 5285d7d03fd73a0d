"""One job at a time holds all vectors of a project, in whatever thread or process it runs."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.jobs.steps import JobCancelled
from app.search import vector_lock
from app.search.vector_lock import hold_vectors
from app.settings import settings
from tests.conftest import PATIENCE_SECONDS
from tests.forked import process, status_of

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _quick(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_lock, "POLL_SECONDS", 0.01)


def journal() -> Path:
    return settings().data_dir / "journal.txt"


def note(line: str) -> None:
    with journal().open("a") as file:
        file.write(f"{line}\n")


def lines() -> list[str]:
    return journal().read_text().split() if journal().exists() else []


def hold_often(name: str, n: int, project_id: int = 1) -> None:
    """Come and go n times, and note it."""
    vector_lock.POLL_SECONDS = 0.01
    for _ in range(n):
        with hold_vectors(project_id):
            note(f"{name}-in")
            time.sleep(0.02)
            note(f"{name}-out")


def hold_until_killed(project_id: int) -> None:
    with hold_vectors(project_id):
        note("held")
        signal.pause()


def wait_for_line(line: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while line not in lines():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def give_up() -> None:
    raise JobCancelled


def is_held(project_id: int) -> bool:
    try:
        with hold_vectors(project_id, give_up):
            return False
    except JobCancelled:
        return True


def assert_one_at_a_time(names: set[str], n_turns: int) -> None:
    seen = lines()
    assert len(seen) == 2 * n_turns
    turns = list(zip(seen[::2], seen[1::2], strict=True))
    assert {came.removesuffix("-in") for came, _ in turns} == names
    assert [(came, gone) for came, gone in turns if came.replace("-in", "-out") != gone] == []


def test_two_threads_never_hold_them_at_once() -> None:
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(hold_often, name, 8) for name in ("first", "second")]:
            job.result(PATIENCE_SECONDS)

    assert_one_at_a_time({"first", "second"}, 16)


def test_two_processes_never_hold_them_at_once() -> None:
    with process(hold_often, "first", 8) as one, process(hold_often, "second", 8) as other:
        assert (status_of(one), status_of(other)) == (0, 0)

    assert_one_at_a_time({"first", "second"}, 16)


def test_a_killed_process_holds_nothing_any_more() -> None:
    with process(hold_until_killed, 1) as holder:
        wait_for_line("held")
        assert is_held(1)
        assert holder.pid is not None
        os.kill(holder.pid, signal.SIGKILL)
        assert status_of(holder) == -signal.SIGKILL

        assert not is_held(1)


def test_another_project_is_not_waited_for() -> None:
    with hold_vectors(1):
        assert is_held(1)
        assert not is_held(2)


def test_a_job_that_fails_lets_go() -> None:
    with pytest.raises(MemoryError), hold_vectors(1):
        raise MemoryError

    assert not is_held(1)


def test_waiting_for_a_lock_can_be_cancelled() -> None:
    asked: list[int] = []

    def give_up_at_the_third_look() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise JobCancelled

    with hold_vectors(1):
        with pytest.raises(JobCancelled), hold_vectors(1, give_up_at_the_third_look):
            pytest.fail("held twice")
        assert is_held(1)

    assert len(asked) == 3
    assert not is_held(1)


def test_who_waits_gets_them_when_the_other_is_done() -> None:
    begun = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with hold_vectors(1):

            def hold() -> str:
                with hold_vectors(1, begun.set):
                    return "held"

            job = pool.submit(hold)
            assert begun.wait(PATIENCE_SECONDS)
            assert not job.done()
        assert job.result(PATIENCE_SECONDS) == "held"

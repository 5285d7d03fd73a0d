"""What the job engine promises, on real SQLite and real Postgres, with workers that are killed."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from app.db.session import engine_for, make_engine
from app.errors import AppError
from app.jobs import engine, leases, workers
from app.jobs import steps as jobs
from app.jobs.engine import JobEngine
from app.jobs.steps import JobCancelled
from app.jobs.workers import list_workers
from tests.conftest import PATIENCE_SECONDS
from tests.forked import process, status_of
from tests.jobs_child import work_on

pytestmark = pytest.mark.once


# Both databases, or only the one that the suite was told to use.
BACKENDS = ["postgres"] if os.environ.get("TEST_DATABASE_URL") else ["sqlite", "postgres"]


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def new_url(backend: str, request: pytest.FixtureRequest) -> Iterator[Callable[[Path], str]]:
    """Makes a fresh database each time, and drops those on a server at the end."""
    if backend == "sqlite":
        yield lambda data_dir: f"sqlite:///{data_dir / 'likewise.sqlite3'}"
        return
    server = make_url(request.getfixturevalue("postgres_url")).set(drivername="postgresql+psycopg")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    made: dict[str, str] = {}

    def create(_data_dir: Path) -> str:
        name = f"jobs_{uuid4().hex}"
        with admin.connect() as db:
            db.execute(text(f"CREATE DATABASE {name}"))
        made[name] = server.set(database=name).render_as_string(hide_password=False)
        return made[name]

    yield create
    with admin.connect() as db:
        for name, url in made.items():
            engine_for(url).dispose()
            db.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def url(new_url: Callable[[Path], str], tmp_path: Path) -> str:
    return new_url(tmp_path)


@pytest.fixture
def start_worker(url: str, tmp_path: Path) -> Iterator[Callable[..., BaseProcess]]:
    """Starts worker processes; kills at the end those that are left, each by its own handle."""
    with ExitStack() as started:

        def start(*wanted: str, failpoint: str = "") -> BaseProcess:
            about = (url, str(tmp_path), *wanted)
            return started.enter_context(process(work_on, *about, failpoint=failpoint))

        yield start


def journal(data_dir: Path) -> list[str]:
    """The lines that steps wrote, without the process id at their end."""
    path = data_dir / "journal.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.rpartition(" ")[0] for line in lines if not line.startswith("ready")]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.05)


def test_a_killed_job_resumes_at_the_step_it_was_in(
    start_worker: Callable[..., BaseProcess], tmp_path: Path
) -> None:
    killed = start_worker("three:7", failpoint="three.second.after:kill:1")
    assert status_of(killed) == -signal.SIGKILL

    again = start_worker()
    wait_until(lambda: "third 7" in journal(tmp_path))

    assert journal(tmp_path) == ["first 7", "second 7", "second 7", "third 7"]
    again.terminate()
    assert status_of(again) == 0
    assert (tmp_path / "said.txt").read_bytes() == b""


def test_another_worker_finishes_what_a_killed_one_began(
    start_worker: Callable[..., BaseProcess], tmp_path: Path
) -> None:
    (tmp_path / "hold").touch()
    start_worker("waiting:1", "waiting:2")
    start_worker("waiting:1", "waiting:2")
    wait_until(lambda: {"held 1", "held 2"} <= set(journal(tmp_path)))
    lines = (tmp_path / "journal.txt").read_text().splitlines()
    owner = next(int(line.split()[-1]) for line in lines if line.startswith("held 1"))

    os.kill(owner, signal.SIGKILL)
    (tmp_path / "hold").unlink()
    wait_until(lambda: {"third 1", "third 2"} <= set(journal(tmp_path)))

    counts = {line: journal(tmp_path).count(line) for line in journal(tmp_path)}
    assert counts == {
        "first 1": 1,
        "held 1": 2,
        "third 1": 1,
        "first 2": 1,
        "held 2": 1,
        "third 2": 1,
    }


def test_a_worker_that_is_stopped_leaves_its_long_step_to_the_next(
    start_worker: Callable[..., BaseProcess], url: str, tmp_path: Path
) -> None:
    (tmp_path / "hold").touch()
    stopped = start_worker("waiting:1")
    wait_until(lambda: "held 1" in journal(tmp_path))

    stopped.terminate()
    assert status_of(stopped) == 3
    assert [worker.is_serving for worker in list_workers(url, tmp_path)] == [False]
    (tmp_path / "hold").unlink()
    start_worker()
    wait_until(lambda: "third 1" in journal(tmp_path))

    assert journal(tmp_path) == ["first 1", "held 1", "held 1", "third 1"]


class Shop:
    """One engine of this process, with a kind of job for each way a job can end."""

    def __init__(self, url: str, data_dir: Path) -> None:
        self.url = url
        self.data_dir = data_dir
        self.done: list[tuple[str, int]] = []
        self.failures: list[tuple[int, str]] = []
        self.overlaps: list[int] = []
        self._busy = threading.Lock()
        self.engine = JobEngine(url, data_dir, listens_to=("light", "train"))
        self._add("plain", self._note("one"))
        self._add("cancelled", self._note("begun"), self._cancel, self._note("never"))
        self._add("wrong file", self._refuse, self._note("never"))
        self._add("broken", self._break)
        self._add("alone", self._be_alone, queue="train")

    def _add(self, kind: str, *steps: jobs.Step, queue: str = "light") -> None:
        named = [(f"step{number}", step) for number, step in enumerate(steps)]
        self.engine.register_job(kind, named, queue=queue, on_failure=self._fail)

    def _note(self, name: str) -> jobs.Step:
        return lambda subject_id: self.done.append((name, subject_id))

    def _fail(self, subject_id: int, sentence: str) -> None:
        self.failures.append((subject_id, sentence))

    def _cancel(self, subject_id: int) -> None:
        raise JobCancelled

    def _refuse(self, subject_id: int) -> None:
        raise AppError("The file is empty.")

    def _break(self, subject_id: int) -> None:
        raise ValueError("no such column")

    def _be_alone(self, subject_id: int) -> None:
        if not self._busy.acquire(blocking=False):
            self.overlaps.append(subject_id)
            return
        time.sleep(0.3)
        self._busy.release()

    def carry_out(self, kind: str, subject_id: int) -> None:
        assert self.engine.start(kind, subject_id)
        wait_until(lambda: not self.engine.is_alive(kind, subject_id))


@pytest.fixture(scope="module")
def shop(
    new_url: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    data_dir = tmp_path_factory.mktemp("shop")
    shop = Shop(new_url(data_dir), data_dir)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "POLL_SECONDS", 0.1)
        shop.engine.launch()
    yield shop
    assert shop.engine.stop()
    assert not [worker for worker in list_workers(shop.url, data_dir) if worker.is_serving]


@pytest.fixture
def job_tables(shop: Shop) -> Iterator[Database]:
    store = make_engine(workers.jobs_database_url(shop.url, shop.data_dir))
    yield store
    store.dispose()


def test_pages_see_who_serves(shop: Shop) -> None:
    (worker,) = list_workers(shop.url, shop.data_dir)

    assert worker.is_serving
    assert worker.name.endswith(f":{os.getpid()}")
    assert worker.queues == ("light", "train")
    assert abs((datetime.now(UTC) - worker.last_seen_at).total_seconds()) < PATIENCE_SECONDS


def test_the_engine_logs_at_the_level_of_everything_else(shop: Shop) -> None:
    root = logging.getLogger()

    assert logging.getLogger("dbos").getEffectiveLevel() == root.level == logging.WARNING


def test_a_failed_step_reports_its_reason_once(shop: Shop) -> None:
    shop.carry_out("wrong file", 11)

    assert [sentence for subject, sentence in shop.failures if subject == 11] == [
        "The file is empty."
    ]
    assert ("never", 11) not in shop.done


def test_an_unexpected_error_names_its_step_and_is_logged_once(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.carry_out("broken", 12)

    assert (12, "The step step0 failed: ValueError: no such column") in shop.failures
    logged = [record.getMessage() for record in caplog.records]
    assert [line for line in logged if "broken" in line] == ["Step step0 of broken 12 failed"]


def test_a_cancelled_job_ends_without_failing(shop: Shop) -> None:
    shop.carry_out("cancelled", 13)

    assert [name for name, subject in shop.done if subject == 13] == ["begun"]
    assert 13 not in [subject for subject, _ in shop.failures]


def test_a_job_that_many_start_runs_once(shop: Shop) -> None:
    barrier = threading.Barrier(8)

    def start(_: int) -> bool:
        barrier.wait()
        return shop.engine.start("plain", 14)

    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(start, range(8)))
    wait_until(lambda: not shop.engine.is_alive("plain", 14))

    assert sorted(answers) == [False] * 7 + [True]
    assert shop.done.count(("one", 14)) == 1


def test_another_attempt_runs_again(shop: Shop) -> None:
    shop.carry_out("plain", 15)

    assert shop.engine.start("plain", 15, attempt=2)
    wait_until(lambda: not shop.engine.is_alive("plain", 15, attempt=2))

    assert shop.done.count(("one", 15)) == 2


def test_a_worker_trains_one_at_a_time(shop: Shop) -> None:
    for subject_id in (16, 17, 18):
        assert shop.engine.start("alone", subject_id)
    wait_until(lambda: not any(shop.engine.is_alive("alone", n) for n in (16, 17, 18)))

    assert shop.overlaps == []


def test_a_job_nobody_started_is_not_alive(shop: Shop) -> None:
    assert not shop.engine.is_alive("plain", 999)


def test_nothing_is_pickled(shop: Shop, job_tables: Database) -> None:
    for number, kind in enumerate(("plain", "cancelled", "wrong file", "broken")):
        shop.carry_out(kind, 20 + number)

    schema = None if job_tables.dialect.name == "sqlite" else "dbos"
    texts = []
    with job_tables.connect() as db:
        for table in inspect(job_tables).get_table_names(schema):
            rows = db.execute(text(f'SELECT * FROM {"" if schema is None else "dbos."}"{table}"'))
            texts += [value for row in rows for value in row if isinstance(value, str)]

    assert "portable_json" in texts
    assert "py_pickle" not in texts
    # A pickle of any protocol in use, in base64, begins with one of these.
    assert not [value for value in texts if value.startswith(("gAM", "gAS", "gAV"))]


def test_a_job_that_kills_its_workers_again_and_again_is_given_up(
    start_worker: Callable[..., BaseProcess], tmp_path: Path
) -> None:
    for _ in range(3):
        killed = start_worker("three:7", failpoint="three.second.before:kill:1")
        assert status_of(killed) == -signal.SIGKILL

    last = start_worker("three:7", "three:8")
    wait_until(lambda: "third 8" in journal(tmp_path))

    assert "third 7" not in journal(tmp_path)
    assert journal(tmp_path).count("first 7") == 1
    last.terminate()
    assert status_of(last) == 0


def test_old_jobs_are_forgotten(shop: Shop) -> None:
    shop.carry_out("plain", 30)
    assert not shop.engine.start("plain", 30)
    time.sleep(1.1)  # SQLite's clock, as the engine reads it, counts whole seconds.

    assert shop.engine.delete_ended_before(days=1) == 0
    assert shop.engine.delete_ended_before(days=0) > 0

    assert shop.engine.start("plain", 30)
    wait_until(lambda: shop.done.count(("one", 30)) == 2)


def test_a_worker_elsewhere_is_dead_only_after_long_silence(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not the shop's tables: its reaper would bury the worker before the test looks.
    store = make_engine(workers.jobs_database_url(url, tmp_path))
    leases.create_lease_table(store)
    table = leases.lease_table(store)
    far = {"host": "far", "machine": "another kernel", "pid": 1, "queues": "train"}
    seen = {"beats": 4, "last_seen_at": datetime(2001, 1, 1, tzinfo=UTC)}
    with store.execution_options(is_write=True).begin() as db:
        db.execute(table.insert().values(executor_id="far", **far, **seen))
    watch = leases.PeerMonitor(store, tmp_path, own_id="me")

    assert watch.find_dead([]) == []
    monkeypatch.setattr(leases, "SILENCE_SECONDS", 0.2)
    time.sleep(0.3)
    with store.execution_options(is_write=True).begin() as db:
        db.execute(table.update().where(table.c.executor_id == "far").values(beats=5))
    assert "far" not in watch.find_dead([])
    time.sleep(0.3)
    assert "far" in watch.find_dead([])

    leases.end_leases(store, ["far"], tmp_path)
    assert "far" not in watch.find_dead([])
    store.dispose()


def test_before_any_worker_there_is_none(url: str, tmp_path: Path) -> None:
    assert list_workers(url, tmp_path) == []


def test_pages_do_not_load_the_job_engine() -> None:
    check = "import sys, app.main; sys.exit('dbos' in sys.modules or 'torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0

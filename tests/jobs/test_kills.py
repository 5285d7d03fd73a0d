"""Killed at any named step, the loop loses nothing, doubles nothing, and goes on where it was."""

import csv
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.accounts.tokens import create_token
from app.db.session import read_session, write_session
from app.exchange.imports.imports import STEPS as IMPORT_STEPS
from app.models import (
    Activation,
    Annotation,
    Consensus,
    Embedding,
    Import,
    Label,
    Project,
    Record,
    TrainingRun,
    Version,
)
from app.training.pipeline.steps import STEPS as RUN_STEPS
from tests.conftest import PATIENCE_SECONDS, free_port, make_user
from tests.forked import process, serve_queues
from tests.tiny_encoder import save_tiny_encoder

pytestmark = pytest.mark.sweep

LIKEWISE = str(Path(sys.executable).parent / "likewise")
APP = Path(__file__).resolve().parents[2] / "app"
KINDS = ("alpha", "beta", "gamma")
# Killed at in tests/training/test_deep_runs.py: a head run does not come by.
OF_DEEP_RUNS = {"run.tune.loss", "run.tune.embedding"}
N = 90
N_LABELED = 30


def around(kind: str, name: str, *inside: str) -> list[str]:
    """A job's step: before it, the named moments within, and after it."""
    return [f"{kind}.{name}.before", *inside, f"{kind}.{name}.after"]


def named_steps() -> list[str]:
    """Every failpoint of the product, in the order in which the loop comes by."""
    chunk = ("import.chunk.before_commit", "import.chunk.after_commit")
    vectors = ("embed.before_store", "embed.after_store")
    index = ("index.before_store", "index.after_store", "index.after_publish")
    steps = [point for name, _ in IMPORT_STEPS for point in around("import", name, *chunk)]
    steps += around("embed", "embed", *vectors) + around("embed", "index", *index)
    for name, _ in RUN_STEPS:
        steps += around("run", name, f"run.{name}.inside")
    return steps


def test_every_failpoint_of_the_code_is_among_the_named_steps() -> None:
    code = "\n".join(path.read_text() for path in APP.rglob("*.py"))
    plain = set(re.findall(r'failpoint\("([\w.]+)"\)', code))
    patterned = set(re.findall(r'failpoint\(f"([^"]+)"\)', code))

    assert plain - set(named_steps()) == OF_DEEP_RUNS
    assert patterned == {"run.{stage}.inside", "{kind}.{name}.before", "{kind}.{name}.after"}


def write_file(path: Path) -> list[str]:
    """Ninety texts of three kinds, the first thirty labeled."""
    rng = random.Random(3)
    words = {kind: [f"{kind}{i}" for i in range(2)] for kind in KINDS}
    texts = [" ".join(rng.choices(words[KINDS[i % 3]], k=6)) for i in range(N)]
    with path.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["id", "text", "label"])
        for i, text in enumerate(texts):
            rows.writerow([f"r{i}", text, KINDS[i % 3] if i < N_LABELED else ""])
    return texts


def likewise(*words: str) -> str:
    done = subprocess.run(
        [LIKEWISE, *words], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def work(failpoint: str | None, until: Callable[[], bool]) -> int | None:
    """Run a worker until it dies or `until` holds; its exit status, None if we ended it."""
    point = f"{failpoint}:kill:1" if failpoint else ""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with process(serve_queues, failpoint=point) as worker:
        while worker.is_alive() and not until() and time.monotonic() < deadline:
            time.sleep(0.1)
        status = worker.exitcode
        worker.terminate()
        worker.join(PATIENCE_SECONDS)
    return status


def count(table: type[Any]) -> int:
    with read_session() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def is_tuned() -> bool:
    with read_session() as db:
        return db.scalar(select(Version.id).where(Version.kind == "head")) is not None


def has_auto_training(does: bool) -> None:
    with write_session() as db:
        db.execute(update(Project).values(has_auto_training=does))


def test_a_worker_killed_at_every_named_step_finishes_the_loop_once(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = write_file(tmp_path / "records.csv")
    monkeypatch.setenv("LIKEWISE_BASE_MODEL", str(save_tiny_encoder(tmp_path / "tiny", texts)))
    likewise(
        "import",
        "kinds",
        str(tmp_path / "records.csv"),
        "--text",
        "text",
        "--id",
        "id",
        "--label",
        "label",
    )

    # On Postgres a killed job waits some seconds for its reaper: the run must not overtake it.
    has_auto_training(False)
    of_run = [step for step in named_steps() if step.startswith("run.")]
    before = [step for step in named_steps() if step not in of_run]
    survived = [step for step in before if work(step, lambda: False) != -signal.SIGKILL]
    has_auto_training(True)
    survived += [step for step in of_run if work(step, lambda: False) != -signal.SIGKILL]
    work(None, is_tuned)

    assert survived == []
    assert count(Record) == count(Embedding) == N
    assert count(Annotation) == count(Consensus) == N_LABELED
    with read_session() as db:
        import_ = db.scalars(select(Import)).one()
        run = db.scalars(select(TrainingRun)).one()
        heads = db.scalars(select(Version).where(Version.kind == "head")).all()
        activated = db.scalars(select(Activation.version_id).order_by(Activation.id)).all()
    assert (import_.status, import_.n_stored, import_.n_rejected) == ("succeeded", N, 0)
    assert (run.status, run.n_examples) == ("succeeded", N_LABELED)
    assert [head.id for head in heads] == [run.version_id]
    assert activated.count(heads[0].id) == 1
    assert json.loads(likewise("verify", "--json"))["problems"] == []


class Server:
    """A web process that can be killed and started again on the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [LIKEWISE, "serve", "--no-worker", "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def post(url: str, token: str, body: dict[str, Any]) -> int:
    """Status of the answer; 0 when there was none."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def save_until_answered(server: Server, token: str, record_id: int, label_id: int) -> None:
    """What the page does: the same key until there is an answer."""
    body = {
        "key": f"label-{record_id}",
        "source": "single",
        "votes": [{"record_id": record_id, "verdict": "label", "label_ids": [label_id]}],
    }
    url = f"http://127.0.0.1:{server.port}/api/v1/projects/kinds/annotations"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status = post(url, token, body)
        if status in {200, 201}:
            return
        assert status == 0, f"the server refused a label with {status}"
        time.sleep(0.05)
    raise AssertionError("the server never came back")


def test_labels_that_were_answered_survive_a_killed_server_exactly_once(
    database: str, tmp_path: Path
) -> None:
    write_file(tmp_path / "records.csv")
    likewise(
        "import",
        "kinds",
        str(tmp_path / "records.csv"),
        "--text",
        "text",
        "--id",
        "id",
        "--wait",
        "--json",
    )
    user = make_user("ben", "annotator")
    with write_session() as db:
        token = create_token(db, user, "test")
        project = db.scalars(select(Project)).one()
        label = Label(project_id=project.id, name="a", name_key="a", colour=0, position=0)
        db.add(label)
        db.flush()
        label_id, ids = label.id, list(db.scalars(select(Record.id)).all())

    server = Server()
    chaos = random.Random(11)
    kill_after = sorted(chaos.sample(range(1, N), 4))
    answered: list[int] = []

    def annotate_all() -> None:
        for record_id in ids:
            save_until_answered(server, token, record_id, label_id)
            answered.append(record_id)

    annotator = threading.Thread(target=annotate_all)
    annotator.start()
    for n_answered in kill_after:
        while annotator.is_alive() and len(answered) < n_answered:
            time.sleep(0.001)
        time.sleep(chaos.uniform(0, 0.02))  # Somewhere within the next save.
        server.kill()
        server.start()
    annotator.join()
    server.kill()

    assert answered == ids
    with read_session() as db:
        said = db.scalars(select(Annotation.record_id)).all()
    assert sorted(said) == sorted(ids)
    assert count(Consensus) == len(ids)

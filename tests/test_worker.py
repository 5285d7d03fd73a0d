"""The worker carries what is queued or missing, on its own, and goes on where it was killed."""

import csv
import hashlib
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.exchange.imports import imports as importing
from app.exchange.imports.mapping import Mapping
from app.jobs import dispatcher as dispatching
from app.jobs import scheduler as chores
from app.jobs.engine import JobEngine
from app.models import (
    Activation,
    Consensus,
    Embedding,
    Import,
    Label,
    Project,
    Record,
    TrainingRun,
    UserAction,
    Version,
)
from app.search import embedding
from app.search import index_maintenance as upkeep
from app.search import model_cache as base_models
from app.search.embedding import load_embedding_progress
from app.search.index_revisions import needs_index
from app.search.similar import Seed, find_neighbours
from app.search.versions import find_active_version, find_raw_version
from app.settings import settings
from app.training.runs.readiness import find_due_projects
from app.worker import WorkFailed, work_until
from tests.conftest import PATIENCE_SECONDS, make_project
from tests.forked import process, serve_queues, status_of
from tests.tiny_encoder import save_tiny_encoder

WORDS = ("parcel", "refund", "password", "invoice", "lamp", "kettle", "order", "card")
TEXTS = [
    f"my {thing} and the {other} {how}"
    for thing, other, how in itertools.product(WORDS, WORDS, ("came late", "never came", "broke"))
    if thing != other
]


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("tiny"), TEXTS)


@pytest.fixture
def project(database: str, tiny_model: Path) -> Iterator[Project]:
    made = make_project()
    with write_session() as db:
        stored = db.get_one(Project, made.id)
        stored.base_model, stored.min_labels = str(tiny_model), 20
    yield stored
    base_models._loaded.clear()


def queue_import(project: Project, folder: Path, texts: list[str] = TEXTS) -> int:
    path = folder / "messages.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows((f"m{i}", text) for i, text in enumerate(texts))
    with write_session() as db:
        found = importing.receive_import(db, project, None, path.name, path)
    with write_session() as db:
        importing.queue_import(
            db, db.get_one(Import, found.id), Mapping(text_columns=["text"], id_column="id")
        )
    return found.id


def add_records(project: Project, texts: list[str]) -> None:
    with write_session() as db:
        db.add_all(
            Record(
                project_id=project.id,
                external_id=f"m{i}",
                text=text,
                content_hash=hashlib.sha256(text.encode()).hexdigest(),
            )
            for i, text in enumerate(texts)
        )


def is_searchable(project: Project) -> bool:
    """Whether every record is embedded and in the index."""
    with read_session() as db:
        encoder = find_active_version(db, project.id)
        return (
            load_embedding_progress(db, project).is_done
            and encoder is not None
            and not needs_index(db, encoder)
            and count(Record) > 0
        )


def count(table: type[Record] | type[Embedding] | type[Activation]) -> int:
    with read_session() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def waited(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_an_import_is_stored_embedded_and_searchable(project: Project, tmp_path: Path) -> None:
    import_id = queue_import(project, tmp_path)

    work_until(lambda: is_searchable(project))

    with read_session() as db:
        imported = db.get_one(Import, import_id)
        assert (imported.status, imported.n_stored) == ("succeeded", len(TEXTS))
        hits = find_neighbours(db, project, Seed("text", text=TEXTS[5]), 3)
        nearest = db.get_one(Record, hits[0].record_id)
    assert nearest.text == TEXTS[5]
    assert hits[0].similarity == pytest.approx(1, abs=2e-3)


def test_records_that_arrive_later_are_embedded_by_themselves(
    project: Project, tmp_path: Path
) -> None:
    add_records(project, TEXTS[:10])
    work_until(lambda: is_searchable(project))
    queue_import(project, tmp_path)

    work_until(lambda: count(Record) == len(TEXTS) and is_searchable(project))

    assert count(Embedding) == len(TEXTS)


def test_enough_labels_start_a_run_by_themselves(project: Project) -> None:
    add_records(project, TEXTS)
    work_until(lambda: is_searchable(project))
    label_by_first_word(project, n=24)

    work_until(lambda: bool(ended_runs(project)))

    [run] = ended_runs(project)
    assert (run.status, run.error, run.n_examples) == ("succeeded", None, 24)


def label_by_first_word(project: Project, n: int) -> None:
    with write_session() as db:
        action = UserAction(project_id=project.id, kind="label", key="k")
        labels = [
            Label(project_id=project.id, name=word, name_key=word, colour=i, position=i)
            for i, word in enumerate(WORDS[:2])
        ]
        db.add_all([action, *labels])
        db.flush()
        for i, label in enumerate(labels):
            alike = select(Record.id).where(Record.text.startswith(f"my {WORDS[i]}"))
            ids = db.scalars(alike.order_by(Record.id).limit(n // 2)).all()
            rows = [
                {
                    "project_id": project.id,
                    "record_id": each,
                    "label_id": label.id,
                    "action_id": action.id,
                }
                for each in ids
            ]
            db.execute(insert(Consensus), rows)


def ended_runs(project: Project) -> list[TrainingRun]:
    with read_session() as db:
        ours = select(TrainingRun).where(TrainingRun.project_id == project.id)
        return [run for run in db.scalars(ours) if run.finished_at is not None]


def test_a_failed_import_shows_the_reason(project: Project, tmp_path: Path) -> None:
    import_id = queue_import(project, tmp_path)
    for path in (settings().data_dir / "imports").iterdir():
        path.unlink()

    work_until(lambda: bool(import_error(import_id)))

    with read_session() as db:
        assert db.get_one(Import, import_id).status == "failed"
    assert "\n" not in (import_error(import_id) or "")


def import_error(import_id: int) -> str | None:
    with read_session() as db:
        return db.get_one(Import, import_id).error


def test_a_row_whose_job_ended_without_finishing_it_is_marked_failed(
    project: Project, tmp_path: Path
) -> None:
    import_id = queue_import(project, tmp_path, TEXTS[:5])
    work_until(lambda: import_status(import_id) == "succeeded")
    with write_session() as db:
        db.execute(update(Import).values(status="running", finished_at=None))

    work_until(lambda: import_status(import_id) != "running")

    assert import_status(import_id) == "failed"
    assert import_error(import_id) == "The import ended unexpectedly; it can be tried again."


def import_status(import_id: int) -> str:
    with read_session() as db:
        return db.get_one(Import, import_id).status


def test_a_missing_base_model_is_reported_and_retried(project: Project) -> None:
    with write_session() as db:
        db.get_one(Project, project.id).base_model = "nobody/nothing"
    with read_session() as db:
        stored = db.get_one(Project, project.id)
    add_records(stored, TEXTS[:3])

    with pytest.raises(WorkFailed, match="nobody/nothing"):
        work_until(lambda: is_searchable(stored), stored.id)

    with read_session() as db:
        assert "nobody/nothing" in (load_embedding_progress(db, stored).error or "")
        assert not upkeep.needs_maintenance(db, stored)


def test_a_flipped_bit_in_an_index_is_mended_at_the_next_start(project: Project) -> None:
    add_records(project, TEXTS[:20])
    work_until(lambda: is_searchable(project))
    [path] = (settings().data_dir / "artifacts").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)

    def is_mended() -> bool:
        with read_session() as db:
            return not upkeep.list_damaged_projects(db)

    assert not is_mended()
    work_until(is_mended)

    assert is_mended()


def test_dispatching_goes_on_after_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "AFTER_TROUBLE_SECONDS", 0.1)
    broken = iter([True])

    def break_once(db: Session) -> list[Project]:
        if next(broken, False):
            raise OSError("the database is restarting")
        return find_due_projects(db)

    monkeypatch.setattr(chores, "find_due_projects", break_once)
    add_records(project, TEXTS[:5])

    work_until(lambda: is_searchable(project))

    assert is_searchable(project)


@pytest.mark.parametrize(
    "failpoint",
    [
        "embed.before_store:kill:1",
        "embed.after_store:kill:1",
        "embed.embed.after:kill:1",
        "index.before_store:kill:1",
        "index.after_store:kill:1",
        "index.after_publish:kill:1",
    ],
)
def test_a_killed_worker_loses_and_doubles_nothing(project: Project, failpoint: str) -> None:
    add_records(project, TEXTS)

    with process(serve_queues, failpoint=failpoint) as killed:
        assert status_of(killed) == -signal.SIGKILL
    work_until(lambda: is_searchable(project))

    assert count(Embedding) == len(TEXTS)
    assert count(Activation) == 1
    with read_session() as db:
        raw = find_raw_version(db, project)
        assert raw is not None
        seed = db.scalar(select(Record.id).where(Record.text == TEXTS[0])) or 0
        hits = find_neighbours(db, project, Seed("record", record_ids=(seed,)), 1000)
    assert len({hit.record_id for hit in hits}) == len(TEXTS) - 1


def test_a_worker_stops_on_a_signal(project: Project) -> None:
    add_records(project, TEXTS[:5])
    with process(serve_queues) as worker:
        assert waited(lambda: is_searchable(project))
        worker.terminate()
        assert status_of(worker) == 0


def test_stopping_ends_embedding_after_the_current_batch(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "SLICE", 4)
    is_told = threading.Event()
    embed_slice, stop = embedding._embed, JobEngine.stop

    def embed_and_wait(encoder: Version, some: Sequence[embedding.Missing]) -> int:
        n_stored = embed_slice(encoder, some)
        is_told.wait(PATIENCE_SECONDS)
        return n_stored

    def stop_and_tell(engine: JobEngine) -> bool:
        is_told.set()
        return stop(engine)

    monkeypatch.setattr(embedding, "_embed", embed_and_wait)
    monkeypatch.setattr(JobEngine, "stop", stop_and_tell)
    add_records(project, TEXTS)

    work_until(lambda: count(Embedding) >= 4)

    assert 4 <= count(Embedding) < len(TEXTS)
    work_until(lambda: is_searchable(project))
    assert count(Embedding) == len(TEXTS)

"""Training on a bad day: no room, no memory, no worker, and versions that change under people."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from app.db.session import engine_for, read_session, write_session
from app.errors import StorageFull
from app.jobs.engine import JobEngine
from app.jobs.leases import create_lease_table, lease_table
from app.jobs.workers import jobs_database_url
from app.models import Annotation, Project, TrainingRun, User, Version
from app.search.versions import find_active_version, roll_back
from app.settings import settings
from app.training.pipeline import steps as loop
from app.training.runs import runs
from tests.conftest import client_of, make_user
from tests.training.conftest import embedded_project, label, record_ids
from tests.worst_day.test_full_disks import a_full_disk

API = "/api/v1/projects/letters"
PAGE = "/projects/letters/training"


@pytest.fixture
def project(ada: User) -> Project:
    made = embedded_project()
    label(made, ada, range(32))
    return made


def queued(project: Project, by: User | None = None) -> int:
    with write_session() as db:
        return runs.request_run(db, project, by=by).id


def finished(run_id: int) -> TrainingRun:
    for _, step in loop.STEPS:
        step(run_id)
    with read_session() as db:
        return db.get_one(TrainingRun, run_id)


@pytest.mark.parametrize("stage", ["collect", "tune", "evaluate", "reindex"])
def test_a_run_on_a_full_disk_goes_on_when_there_is_room_again(
    project: Project, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id, steps = queued(project), dict(loop.STEPS)
    for name, step in loop.STEPS:
        if name == stage:
            break
        step(run_id)

    with a_full_disk(), pytest.raises((StorageFull, OSError)):
        steps[stage](run_id)
    with read_session() as db:
        assert [each.kind for each in db.scalars(select(Version))] == ["raw"]

    run = finished(run_id)
    assert (run.status, run.error) == ("succeeded", None)
    with read_session() as db:
        kinds = [each.kind for each in db.scalars(select(Version).order_by(Version.id))]
    assert kinds == ["raw", "head"]
    left = list(Path(settings().data_dir / "artifacts").glob("*.part"))
    assert left == []


def test_a_run_without_memory_fails_in_words_and_can_be_tried_again(
    project: Project, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 3.00 GiB.")

    run_id, steps = queued(project, by=ada), dict(loop.STEPS)
    steps["collect"](run_id)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "learn", too_much)
        engine = JobEngine(settings().database_url, settings().data_dir, listens_to=())
        ending = engine._run_step("run", "tune", steps["tune"], run_id)
    assert ending is not None
    assert ending == {
        "failed": "The step tune needs more memory than this machine has to give. "
        "Unable to allocate 3.00 GiB."
    }
    runs.fail_run(run_id, ending["failed"])

    browser = client_of(ada)
    assert "more memory than this machine has" in browser.get(f"{PAGE}/runs/1").text
    assert [each["kind"] for each in browser.get("/api/v1/notifications").json()] == ["run.failed"]
    assert browser.post(f"{PAGE}/runs/1/retry").status_code == 303
    assert finished(run_id).status == "succeeded"


def test_labels_go_on_while_somebody_rolls_back(project: Project, ada: User) -> None:
    assert finished(queued(project)).status == "succeeded"
    with read_session() as db:
        tuned = find_active_version(db, project.id)
    assert tuned is not None
    ben = client_of(make_user("ben", "annotator"))
    session = ben.post(
        f"{API}/sessions", json={"seed_kind": "record", "record_ids": [record_ids(project)[0]]}
    ).json()
    before = [each["record_id"] for each in ben.get(f"{API}/sessions/{session['id']}/items").json()]

    with write_session() as db:
        back = roll_back(db, project, ada)
    says = [{"record_id": before[3], "verdict": "none"}]
    saved = ben.post(
        f"{API}/annotations", json={"key": "after", "session_id": session["id"], "votes": says}
    )

    assert saved.status_code == 200
    after = [each["record_id"] for each in ben.get(f"{API}/sessions/{session['id']}/items").json()]
    assert after == before  # Open sessions stay as they were begun.
    page = ben.get(session["url"]).text
    assert f"Version {back.number} is now active" in page
    with read_session() as db:
        annotation = db.scalars(select(Annotation).order_by(Annotation.id.desc())).first()
        assert annotation is not None
        assert (annotation.session_id, annotation.version_id) == (session["id"], tuned.id)


def test_a_page_shows_since_when_the_worker_is_offline(project: Project, ada: User) -> None:
    engine = engine_for(jobs_database_url(settings().database_url, settings().data_dir))
    create_lease_table(engine)
    ended = datetime.now(UTC) - timedelta(hours=3, minutes=5)
    with engine.execution_options(is_write=True).begin() as db:
        db.execute(
            insert(lease_table(engine)).values(
                executor_id="gone",
                host="elsewhere",
                machine="other",
                pid=7,
                beats=4,
                queues="light,train",
                last_seen_at=ended,
                ended_at=ended,
            )
        )
    queued(project)
    browser = client_of(ada)

    assert (
        "No worker is running; one was last seen 3 hours ago" in browser.get(f"{PAGE}/runs/1").text
    )
    assert "one was last seen 3 hours ago" in browser.get(PAGE).text


def test_a_second_training_request_is_refused_with_a_message(project: Project, ada: User) -> None:
    bea = client_of(make_user("bea", "admin"))
    first = client_of(ada).post(f"{PAGE}/runs", data={"method": "head"})

    second = bea.post(f"{PAGE}/runs", data={"method": "head"})

    assert (first.status_code, second.status_code) == (303, 409)
    assert "Run 1 is already queued or running." in second.text
    with read_session() as db:
        assert db.scalars(select(TrainingRun.number)).all() == [1]

"""A run watched live: what a stream tells, and that it ends with the run."""

import json
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.db.session import read_session, write_session
from app.ml.examples import Count
from app.models import Project, RunEvent, TrainingRun, User, utc_now
from app.training.runs import live
from app.training.runs.progress import RunReport
from tests.conftest import client_of, make_user

LIVE = "/projects/letters/training/runs/1/live"


@pytest.fixture
def browser(project: Project, ada: User) -> TestClient:
    client = client_of(ada)
    assert client.post("/api/v1/projects/letters/runs", json={}).status_code == 201
    return client


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    """Name and data of each event of a stream."""
    told = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if lines:
            told.append((lines["event"], json.loads(lines["data"])))
    return told


def move(**values: object) -> None:
    with write_session() as db:
        db.execute(update(TrainingRun).values(**values))


def test_the_event_stream_sends_each_change_and_ends_with_the_run(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What moves is moved between two looks, by the clock of the looks themselves."""
    moves: Iterator[dict[str, object]] = iter(
        [
            {"status": "running", "stage": "tune", "progress": 0.5, "started_at": utc_now()},
            {},
            {"status": "failed", "error": "No more room."},
        ]
    )
    honest = live.read_run_state

    def look_and_move(run_id: int) -> dict[str, object]:
        told = honest(run_id)
        if values := next(moves, None):
            move(**values)
        return told

    monkeypatch.setattr(live, "read_run_state", look_and_move)
    monkeypatch.setattr(live, "SECONDS_BETWEEN", 0.01)

    answer = browser.get(LIVE)

    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert [name for name, _ in told] == ["run", "run", "end"]
    first, second, last = (data for _, data in told)
    assert (first["stage"], first["words"], first["is_moving"]) == ("collect", "", True)
    assert (second["stage"], second["progress"], second["words"]) == ("tune", 0.5, "50 %")
    assert last["is_moving"] is False
    assert len({first["mark"], second["mark"], last["mark"]}) == 3


def test_progress_keeps_the_mark_and_shows_time_left(browser: TestClient) -> None:
    with write_session() as db:
        run = db.scalars(select(TrainingRun)).one()
        run.status, run.stage, run.progress = "running", "tune", 0.25
        long_ago = utc_now() - timedelta(minutes=5)
        since = RunEvent(run_id=run.id, stage="tune", message="Learning", happened_at=long_ago)
        db.add(since)
    with read_session() as db:
        run_id = db.scalars(select(TrainingRun.id)).one()

    before = live.read_run_state(run_id)
    move(progress=0.5)
    after = live.read_run_state(run_id)

    assert before["mark"] == after["mark"]
    assert after["words"] == "50 %, 5 min 00 s left"


def test_a_counting_stage_shows_its_rate(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(status="running", stage="tune", started_at=utc_now())
    with read_session() as db:
        run_id = db.scalars(select(TrainingRun.id)).one()
    clock = iter([100.0, 100.0, 100.0, 160.0, 160.0, 161.0, 161.0])
    monkeypatch.setattr(
        "app.training.runs.progress.time", SimpleNamespace(monotonic=lambda: next(clock))
    )
    report = RunReport(run_id, "tune")

    report(0.05, "Learning", Count(20, 1200, "step"))
    early = live.read_run_state(run_id)
    report(0.1, "Learning", Count(120, 1200, "step"))
    later = live.read_run_state(run_id)
    report(0.2, "Learned")
    done = live.read_run_state(run_id)

    assert early["words"] == "5 %, step 20 of 1,200"
    assert str(later["words"]).startswith("10 %, step 120 of 1,200, 100 a minute")
    assert early["mark"] == later["mark"] != done["mark"]
    assert "step" not in str(done["words"])


def test_a_stream_is_for_those_who_may_see_the_project(browser: TestClient) -> None:
    move(status="failed")
    with write_session() as db:
        db.execute(update(Project).values(is_open=False))
    stranger = client_of(make_user("cy", "annotator"))

    assert [name for name, _ in events(browser.get(LIVE).text)] == ["end"]
    assert stranger.get(LIVE).status_code == 404
    assert browser.get(LIVE.replace("/1/", "/7/")).status_code == 404


def test_a_line_of_the_log_that_went_on_to_its_end_counts_no_more(browser: TestClient) -> None:
    move(status="running", stage="tune", started_at=utc_now())
    move(n_done=320, n_total=3200, unit="record")
    with write_session() as db:
        run_id = db.scalars(select(TrainingRun.id)).one()
        messages = ("Learning", "Embedding records")
        db.add_all(RunEvent(run_id=run_id, stage="tune", message=each) for each in messages)

    page = browser.get("/projects/letters/training/runs/1").text

    assert "<span>Learning</span>" in page
    assert "<span>Embedding records, 320 of 3,200 records</span>" in page

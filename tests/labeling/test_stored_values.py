"""Columns with a fixed set of values hold the plain words that earlier installations stored."""

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import InstrumentedAttribute

from app.db.session import read_session, write_session
from app.models import Annotation, Import, LabelingSession, TrainingRun, User, Version
from app.models.enums import ImportStatus, Role, RunStage, RunStatus, Verdict
from tests.conftest import client_of
from tests.labeling.conftest import Desk

API = "/api/v1/projects/letters"


def store(row: Any) -> int:
    with write_session() as db:
        db.add(row)
        db.flush()
        return int(row.id)


def stored(column: InstrumentedAttribute[str], row_id: int) -> Any:
    table = column.class_.__tablename__
    statement = f"SELECT {column.key} FROM {table} WHERE id = :id"
    with read_session() as db:
        value = db.scalar(text(statement), {"id": row_id})
        matched = db.scalar(select(column.class_.id).where(column == value))
    assert matched == row_id
    return value


def test_statuses_are_stored_as_plain_words(desk: Desk) -> None:
    run = TrainingRun(project_id=desk.project.id, number=1, status=RunStatus.CANCELLED)
    moving = Import(project_id=desk.project.id, file_name="a", file="a", format="csv")

    run_id, import_id = store(run), store(moving)

    assert stored(TrainingRun.status, run_id) == "cancelled"
    assert stored(TrainingRun.stage, run_id) == "collect"
    assert stored(Import.status, import_id) == "uploaded"
    with read_session() as db:
        assert db.get_one(TrainingRun, run_id).stage == RunStage.COLLECT
        assert db.get_one(Import, import_id).status == ImportStatus.UPLOADED
    answer = client_of(desk.ada).get(f"{API}/imports/{import_id}").json()
    assert answer["status"] == "uploaded"


def test_a_role_is_stored_and_refused_by_its_word(desk: Desk) -> None:
    assert stored(User.role, desk.ada.id) in tuple(Role)
    with read_session() as db:
        assert {type(role) for role in db.scalars(select(User.role))} == {str}


@pytest.mark.parametrize("verdict", ["none", "skip"])
def test_a_verdict_is_stored_by_its_word_and_an_unknown_one_refused(
    desk: Desk, verdict: str
) -> None:
    client = client_of(desk.ada)
    say = {"record_id": desk.records[0], "verdict": verdict}

    answer = client.post(f"{API}/annotations", json={"key": "a", "votes": [say]})

    assert answer.json()["records"][0]["verdict"] == verdict
    with read_session() as db:
        row = db.scalars(select(Annotation)).one()
    assert (row.verdict, row.source, Verdict(row.verdict).value) == (verdict, "single", verdict)
    body = {"key": "b", "votes": [say | {"verdict": "maybe"}]}
    assert client.post(f"{API}/annotations", json=body).status_code == 422
    bulk = {"key": "c", "source": "import", "votes": [say]}
    assert client.post(f"{API}/annotations", json=bulk).status_code == 422


def test_a_session_kind_and_a_version_kind_are_stored_as_plain_words(desk: Desk) -> None:
    client = client_of(desk.ada)
    session = client.post(f"{API}/sessions", json={"seed_kind": "random", "k": 2}).json()

    assert stored(LabelingSession.seed_kind, session["id"]) == "random"
    encoder = Version(project_id=desk.project.id, number=1, kind="raw", base_model="m")
    assert stored(Version.kind, store(encoder)) == "raw"

"""The tables can be brought up, taken down and brought up again, and are what the models say."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.devices import find_device, remember_device
from app.accounts.users import create_user
from app.db import schema
from app.db.session import engine, read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.comments import store_comment
from app.labeling.sessions.sessions import start_session
from app.models import (
    Base,
    Comment,
    Evaluation,
    LabelingSession,
    LoginAttempt,
    Record,
    SavedSearch,
    TrainingRun,
    UserAction,
    Version,
    hash_normalized,
)
from tests.conftest import make_project
from tests.labeling.conftest import Desk, add_records, make_desk


@pytest.fixture
def desk(database: str) -> Desk:
    return make_desk()


def test_migrations_go_up_down_and_up_again(database: str) -> None:
    schema.downgrade("base")
    assert set(inspect(engine()).get_table_names()) <= {"alembic_version"}
    assert not schema.is_current()

    schema.upgrade()

    assert set(Base.metadata.tables) <= set(inspect(engine()).get_table_names())
    assert schema.is_current()


def test_migrated_tables_equal_the_models(database: str) -> None:
    with engine().connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert differences == []


def test_keys_belong_to_projects_and_go_back_with_all_references(desk: Desk) -> None:
    first = desk.label(desk.ada, (0, 0), key="k")
    second = desk.label(desk.ben, (0, 1), key="k")
    other = make_project("mail")
    says = [AnnotationInput(add_records(other, ["a mail"])[0], "none")]
    with write_session() as db:
        third = annotate(db, other, desk.ada.id, says, key="k", request_hash="hash")
        annotate(db, other, desk.ada.id, says, key="l")
    with read_session() as db:
        before = list_annotations(db)
    assert len(before) == 4

    schema.downgrade("0002")
    with read_session() as db:
        keys = {row.id: row.key for row in db.execute(text("SELECT id, key FROM acts"))}
        assert list_annotations(db, "act_id") == before
    schema.upgrade()

    assert [keys[action.id] for action in (first, second)] == ["k", "k"]
    assert keys[third.id] == f"act-{third.id}-k"
    with read_session() as db:
        assert list_annotations(db) == before
        assert db.scalars(select(UserAction.request_hash)).all() == 4 * [None]
        assert [action.key for action in db.scalars(select(UserAction).order_by(UserAction.id))][
            3
        ] == "l"
    assert desk.label(desk.ada, (0, 0), key="k").id == first.id
    with write_session() as db:
        assert annotate(db, other, desk.ada.id, says, key="k").id not in keys


def list_annotations(db: Session, action_column: str = "action_id") -> list[tuple[object, ...]]:
    columns = f"id, {action_column}, record_id, label_id"
    rows = db.execute(text(f"SELECT {columns} FROM annotations ORDER BY id"))
    return [tuple(row) for row in rows]


def test_old_names_come_back_on_the_way_down_and_rows_stay(desk: Desk) -> None:
    action = desk.label(desk.ada, (0, 0), key="k")
    session = start_session(desk.project, desk.ada, "random", k=2)
    with write_session() as db:
        db.get_one(LabelingSession, session.id).seed_kind = "holdout"
        store_comment(
            db, desk.project, desk.ada.id, desk.records[0], "comment", body="Why?", key="c"
        )
        request = {"q": "late"}
        row = SavedSearch(project_id=desk.project.id, name="Late", name_key="late", request=request)
        version = Version(project_id=desk.project.id, number=7, kind="raw", base_model="m")
        run = TrainingRun(
            project_id=desk.project.id,
            number=1,
            holdout_until="8",
            n_done=3,
            n_total=8,
            unit="pass",
        )
        db.add_all([row, version, run])
        db.flush()
        for metric in ("accuracy", "holdout_accuracy"):
            values = {"role": "tuned", "n": 9, "value": 0.5, "low": 0.4, "high": 0.6}
            db.add(Evaluation(run_id=run.id, version_id=version.id, metric=metric, **values))

    schema.downgrade("0006")

    with read_session() as db:
        assert db.scalar(text("SELECT count(*) FROM acts WHERE acted_at IS NOT NULL")) == 2
        assert db.scalar(text("SELECT audit_until FROM training_runs")) == "8"
        seed_kind = text("SELECT seed_kind FROM labeling_sessions WHERE id = :id")
        assert db.scalar(seed_kind, {"id": session.id}) == "audit"
        kinds = db.scalars(text("SELECT kind FROM acts ORDER BY id")).all()
        assert kinds == ["single", "remark"]
        metrics = db.scalars(text("SELECT metric FROM evaluations ORDER BY id")).all()
        assert metrics == ["accuracy", "audit_accuracy"]
        assert db.scalar(text("SELECT count(*) FROM remarks r JOIN acts a ON a.id = r.act_id")) == 1
        with pytest.raises(IntegrityError):
            db.execute(text("INSERT INTO remarks SELECT * FROM remarks"))

    schema.upgrade()

    with read_session() as db:
        assert list_annotations(db)[0][1] == action.id
        assert db.scalars(select(SavedSearch.request)).all() == [request]
        assert db.get_one(LabelingSession, session.id).seed_kind == "holdout"
        assert db.scalars(select(Evaluation.metric).order_by(Evaluation.id)).all() == [
            "accuracy",
            "holdout_accuracy",
        ]
        assert db.scalars(select(Comment.body)).all() == ["Why?"]
        assert db.execute(select(TrainingRun.n_done, TrainingRun.unit)).one() == (None, None)
        assert db.scalars(select(UserAction.kind).order_by(UserAction.id)).all() == [
            "single",
            "comment",
        ]
    again = SavedSearch(project_id=desk.project.id, name="Late", name_key="late")
    with pytest.raises(IntegrityError), write_session() as db:
        db.add(again)
    desk.label(desk.ada, (1, 0), key="l")


def test_a_migration_that_would_leave_rows_dangling_is_undone(desk: Desk) -> None:
    desk.label(desk.ada, (0, 0), key="k")

    with pytest.raises((ValueError, IntegrityError)), schema.migrating() as connection:
        connection.execute(text("DELETE FROM labels"))

    with read_session() as db:
        assert db.scalar(text("SELECT count(*) FROM labels")) == 3
    with pytest.raises(IntegrityError), write_session() as db:
        db.execute(text("DELETE FROM labels"))


def test_devices_come_and_go_with_the_tries_made_from_them(database: str) -> None:
    with write_session() as db:
        ada = create_user(db, "Ada", "admin", "a sentence to remember")
        device = remember_device(db, ada, "")
        known = find_device(db, ada, device)
        db.add(LoginAttempt(name_key="ada", address="10.0.0.1", device_id=known))
        db.add(LoginAttempt(name_key="ada", address="10.0.0.2"))

    schema.downgrade("0003")
    schema.upgrade()

    with write_session() as db:
        assert find_device(db, ada, device) is None
        tries = db.scalars(select(LoginAttempt)).all()
        assert [(each.address, each.device_id) for each in tries] == [("10.0.0.2", None)]
        assert find_device(db, ada, remember_device(db, ada, device)) is not None


def test_records_that_are_there_get_the_hash_of_their_normalized_text(database: str) -> None:
    project_id = make_project().id
    schema.downgrade("0002")
    texts = ["Great fit", " GREAT\n fit ", "Great fit 😍", "", "Straße"]
    row = text(
        "INSERT INTO records (project_id, external_id, text, content_hash, fields, created_at, "
        "updated_at) VALUES (:p, :id, :text, 'x', '{}', :now, :now)"
    )
    with engine().execution_options(is_write=True).begin() as connection:
        for i, each in enumerate(texts):
            given = {"p": project_id, "id": f"r{i}", "text": each, "now": "2026-01-01 00:00:00"}
            connection.execute(row, given)

    schema.upgrade()

    with read_session() as db:
        stored = db.scalars(select(Record.normalized_hash).order_by(Record.id)).all()
    assert stored == [hash_normalized(each) for each in texts]
    assert stored[0] == stored[1]
    assert len(set(stored)) == 4
    schema.downgrade("0002")
    schema.upgrade()

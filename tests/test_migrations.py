"""The tables can be brought up, taken down and brought up again, and are what the models say."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select, text

from app import schema
from app.database import engine, reading
from app.models import Base, Record, hash_normalized
from tests.conftest import make_project


def test_migrations_go_up_down_and_up_again(database: str) -> None:
    schema.downgrade("base")
    assert set(inspect(engine()).get_table_names()) <= {"alembic_version"}
    assert not schema.is_current()

    schema.upgrade()

    assert set(Base.metadata.tables) <= set(inspect(engine()).get_table_names())
    assert schema.is_current()


def test_the_migrated_tables_are_what_the_models_say(database: str) -> None:
    with engine().connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert differences == []


def test_records_that_are_there_get_the_hash_of_their_normalized_text(database: str) -> None:
    schema.downgrade("0002")
    project_id = make_project().id
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

    with reading() as db:
        stored = db.scalars(select(Record.normalized_hash).order_by(Record.id)).all()
    assert stored == [hash_normalized(each) for each in texts]
    assert stored[0] == stored[1]
    assert len(set(stored)) == 4
    schema.downgrade("0002")
    schema.upgrade()

"""The tables can be brought up, taken down and brought up again, and are what the models say."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from app import schema
from app.database import engine
from app.models import Base


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

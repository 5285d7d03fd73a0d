"""Alembic's door to our tables. Run through app.db.schema, or by the alembic command."""

from alembic import context

from app.db.schema import migrating
from app.models import Base

# The job engine keeps its own tables, which are not ours to migrate.
JOB_ENGINE_SCHEMA = "dbos"


def _is_ours(name: str | None, type_: str, parents: object) -> bool:
    if type_ == "schema":
        return name != JOB_ENGINE_SCHEMA
    return type_ != "table" or name in Base.metadata.tables


def run() -> None:
    """Migrate on the connection that app.db.schema lends, or on one of our own."""
    lent = context.config.attributes.get("connection")
    if lent is not None:
        _run_on(lent)
        return
    with migrating() as connection:
        _run_on(connection)


def _run_on(connection: object) -> None:
    context.configure(
        connection=connection,  # type: ignore[arg-type]
        target_metadata=Base.metadata,
        include_name=_is_ours,
        render_as_batch=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()

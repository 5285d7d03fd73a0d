"""Export labels and vectors from one read transaction, so that labeling can continue."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from sqlalchemy.orm import Session

from app.db.session import read_session
from app.errors import Invalid, translate_disk_error
from app.exchange.exports.tables import ExportTable, annotation_table, record_table, vector_table
from app.exchange.exports.writers import WRITERS
from app.models import Project
from app.records.filters import Filters
from app.search.suggestion_filters import resolve_suggestion_filters

Rows = Literal["records", "annotations"]
FORMATS = tuple(WRITERS)
NO_FILTERS = Filters()


def write_export(
    project: Project,
    target: Path | BinaryIO,
    format: str,  # noqa: A002 - the word that pages, commands and programs use
    *,
    with_vectors: bool = False,
    rows: str = "records",
    filters: Filters = NO_FILTERS,
) -> None:
    """Write the project's records, or every annotation, as csv, jsonl or parquet.

    with_vectors  Parquet of records only: `vector` of the active version instead of the fields
    A path is written to a temporary name and renamed, so it never holds half an export.

    Raises Invalid for unsupported combinations, Conflict while vectors are missing, StorageFull.
    """
    make_table = _choose_table(format, rows, with_vectors=with_vectors)
    with _open_target(target) as stream, snapshot_session() as db:
        narrowed_filters = resolve_suggestion_filters(db, project, filters)
        WRITERS[format](make_table(db, project, narrowed_filters), stream)


@contextmanager
def snapshot_session() -> Iterator[Session]:
    """Open a session whose statements all see one snapshot; Postgres needs an isolation level."""
    with read_session() as db:
        if db.get_bind().dialect.name == "postgresql":
            db.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield db


def _choose_table(
    format_: str, rows: str, *, with_vectors: bool
) -> Callable[[Session, Project, Filters], ExportTable]:
    if format_ not in FORMATS:
        raise Invalid(f"format must be one of: {', '.join(FORMATS)}.")
    if rows not in get_args(Rows):
        raise Invalid(f"rows must be one of: {', '.join(get_args(Rows))}.")
    if not with_vectors:
        return record_table if rows == "records" else annotation_table
    if format_ != "parquet" or rows != "records":
        raise Invalid("Vectors can only be exported as Parquet with one row per record.")
    return vector_table


@contextmanager
def _open_target(target: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(target, Path):
        yield target
        return
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        part.rename(target)
    except OSError as error:
        raise translate_disk_error(error) from error
    finally:
        part.unlink(missing_ok=True)

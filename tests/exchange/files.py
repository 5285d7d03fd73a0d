"""Files to import, and the way they take."""

import csv
import io
import json
from typing import Any

import pyarrow
from pyarrow import parquet
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.errors import AppError
from app.exchange.imports.imports import mark_failed, queue_import, receive_import, run_import
from app.exchange.imports.mapping import Mapping
from app.models import Consensus, Import, ImportReject, Label, Project, Record

Rows = list[dict[str, Any]]


def as_csv(rows: Rows, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_json(rows: Rows) -> bytes:
    return json.dumps(rows, indent=1).encode()


def as_jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(rows: Rows) -> bytes:
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue())


FORMATS = {"csv": as_csv, "json": as_json, "jsonl": as_jsonl, "parquet": as_parquet}


def received(
    project: Project, content: bytes, name: str = "file.csv", user_id: int | None = None
) -> Import:
    with write_session() as db:
        return receive_import(db, project, user_id, name, io.BytesIO(content))


def queued(
    project: Project,
    content: bytes,
    name: str = "file.csv",
    *,
    user_id: int | None = None,
    **changes: Any,
) -> int:
    found = received(project, content, name, user_id)
    mapping = Mapping.model_validate(found.mapping | changes)
    with write_session() as db:
        return queue_import(db, found, mapping).id


def imported(project: Project, content: bytes, name: str = "file.csv", **changes: Any) -> Import:
    """What became of the file, as the worker would carry it out."""
    import_id = queued(project, content, name, **changes)
    try:
        run_import(import_id)
    except AppError as error:
        mark_failed(import_id, error.sentence)
    return the_import(import_id)


def the_import(import_id: int) -> Import:
    with read_session() as db:
        return db.get_one(Import, import_id)


def counts(found: Import) -> tuple[int, int, int, int]:
    """stored, updated, unchanged, rejected; their sum is always what was read."""
    parts = (found.n_stored, found.n_updated, found.n_unchanged, found.n_rejected)
    assert sum(parts) == found.n_read
    return parts


def texts(project: Project) -> dict[str, str]:
    with read_session() as db:
        rows = db.execute(
            select(Record.external_id, Record.text).where(Record.project_id == project.id)
        )
        return dict(rows.all())


def all_fields(project: Project) -> dict[str, Any]:
    with read_session() as db:
        rows = db.execute(
            select(Record.external_id, Record.fields).where(Record.project_id == project.id)
        )
        return dict(rows.all())


def labels(project: Project) -> dict[str, set[str]]:
    """Consensus by external id."""
    found: dict[str, set[str]] = {}
    with read_session() as db:
        rows = db.execute(
            select(Record.external_id, Label.name)
            .join(Consensus, Consensus.record_id == Record.id)
            .join(Label, Label.id == Consensus.label_id)
            .where(Record.project_id == project.id)
        )
        for external_id, name in rows:
            found.setdefault(external_id, set()).add(name)
    return found


def rejects(found: Import) -> list[tuple[int, str | None, str]]:
    with read_session() as db:
        rows = db.scalars(
            select(ImportReject).where(ImportReject.import_id == found.id).order_by(ImportReject.id)
        )
        return [(row.line, row.column, row.reason) for row in rows]

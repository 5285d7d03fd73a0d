"""Store records sent to the API like the rows of a file."""

import uuid
from collections.abc import Sequence

from app.db.session import write_session
from app.exchange.imports.file_labels import LabelAuthor, ensure_labels
from app.exchange.imports.json_rows import is_too_deep
from app.exchange.imports.parsed_rows import MAX_DEPTH, Reject
from app.exchange.imports.record_parser import (
    ParsedRecord,
    RowRejected,
    build_record,
    check_text,
    parse_labels,
)
from app.exchange.imports.record_writer import ImportCounts, store_records
from app.exchange.schemas import RecordIn
from app.models import Project, UserAction


def upsert(
    project: Project, user_id: int, records: Sequence[RecordIn]
) -> tuple[ImportCounts, list[Reject]]:
    """Store or update the records in one transaction; `line` of a reject counts from 1."""
    read = [_parse(number, each, project) for number, each in enumerate(records, 1)]
    items = [each for each in read if isinstance(each, ParsedRecord)]
    rejects = [each for each in read if isinstance(each, Reject)]
    labels: dict[str, int] = {}
    names = [name for item in items for name in item.labels or ()]
    ensure_labels(project.id, names, user_id, labels)
    with write_session() as db:
        author = None
        if names:
            key = f"records-{uuid.uuid4().hex}"
            action = UserAction(project_id=project.id, user_id=user_id, kind="import", key=key)
            db.add(action)
            db.flush()
            author = LabelAuthor(user_id, action.id)
        return store_records(db, project.id, items, labels, author), rejects


def _parse(number: int, record: RecordIn, project: Project) -> ParsedRecord | Reject:
    try:
        if is_too_deep(record.fields):
            raise RowRejected(f"nested deeper than {MAX_DEPTH} levels", "fields")
        external_id = record.external_id
        return build_record(
            None if external_id is None else check_text(external_id, "external_id").strip(),
            check_text(record.text, "text"),
            record.fields,
            parse_labels(record.label, "", "label"),
            is_multi_label=project.is_multi_label,
            text_column="text",
        )
    except RowRejected as refused:
        return Reject(number, refused.column, refused.reason)

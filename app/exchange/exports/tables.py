"""Tables of an export: columns, and batches of rows read in one transaction.

Columns of records: id (the external id), text, label, label_source (single, page, import or rule;
with an empty label: "none of these"), suggestion, suggestion_score, then the fields. A field that
is named like one of these is exported as fields.NAME. Several labels are joined by "|"; JSONL has
a list of them in a multi-label project.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.models import Annotation, Consensus, Project, Record, User, UserAction, Version
from app.projects.labels import list_all_labels
from app.records.conditions import build_conditions
from app.records.filters import Filters
from app.search.embedding import count_missing
from app.search.indexes import LoadedVersion, NotIndexed, open_version
from app.search.suggestions import NONE, Suggestions
from app.search.vectors import load_vectors
from app.search.versions import find_active_version
from app.storage import CorruptFile
from app.web.wording import format_count

BATCH = 1000
CellKind = Literal["text", "labels", "whole", "number", "vector", "any"]
Batch = list[dict[str, Any]]
RECORD_COLUMNS: dict[str, CellKind] = {
    "id": "text",
    "text": "text",
    "label": "labels",
    "label_source": "text",
    "suggestion": "text",
    "suggestion_score": "number",
}
ANNOTATION_COLUMNS: dict[str, CellKind] = {
    "id": "text",
    "text": "text",
    "label": "text",
    "verdict": "text",
    "user": "text",
    "source": "text",
    "act": "whole",
    "session": "whole",
    "rank": "whole",
    "similarity": "number",
    "version": "whole",
    "suggestion": "text",
    "suggestion_score": "number",
    "milliseconds": "whole",
    "annotated_at": "text",
    "withdrawn_at": "text",
}


@dataclass(frozen=True)
class ExportTable:
    """Columns with their types, and the rows in batches; read them inside the transaction."""

    columns: dict[str, CellKind]
    batches: Iterator[Batch]
    is_multi_label: bool


def record_table(db: Session, project: Project, filters: Filters) -> ExportTable:
    """Return one row per record, with its fields."""
    fields = {name: _column_name(name) for name in _list_field_names(db, project.id, filters)}
    suggestions = _load_suggestions(db, project.id)
    columns = RECORD_COLUMNS | dict.fromkeys(fields.values(), "any")

    def with_fields(rows: list[Record]) -> Batch:
        return [{fields[name]: value for name, value in row.fields.items()} for row in rows]

    batches = _record_batches(db, project.id, filters, suggestions, with_fields)
    return ExportTable(columns, batches, project.is_multi_label)


def vector_table(db: Session, project: Project, filters: Filters) -> ExportTable:
    """Return one row per record, with its vector by the active version instead of its fields.

    Raises Conflict while records still lack their vector.
    """
    if missing := count_missing(db, project):
        records = format_count(missing, "record")
        raise Conflict(f"Not embedded yet: {records}. Try again when embedding has finished.")
    loaded = _open_active_version(db, project.id)
    if loaded is None:
        raise NotIndexed
    base_version_id = loaded.version.base_version_id or loaded.version.id

    def with_vector(rows: list[Record]) -> Batch:
        ids, raw = load_vectors(db, base_version_id, [row.id for row in rows])
        tuned = dict(zip(ids, loaded.head.tune(raw), strict=True))
        return [{"vector": tuned[row.id]} for row in rows]

    batches = _record_batches(db, project.id, filters, loaded.suggestions, with_vector)
    return ExportTable({**RECORD_COLUMNS, "vector": "vector"}, batches, project.is_multi_label)


def annotation_table(db: Session, project: Project, filters: Filters) -> ExportTable:
    """Return one row per annotation, withdrawn ones included, with its origin."""
    batches = _annotation_batches(db, project.id, filters)
    return ExportTable(ANNOTATION_COLUMNS, batches, project.is_multi_label)


def _column_name(name: str) -> str:
    return f"fields.{name}" if name in {*RECORD_COLUMNS, "vector"} else name


def _list_field_names(db: Session, project_id: int, filters: Filters) -> list[str]:
    found: dict[str, None] = {}
    stored = select(Record.fields).where(*build_conditions(project_id, filters)).order_by(Record.id)
    for fields in db.scalars(stored.execution_options(yield_per=BATCH)):
        found |= dict.fromkeys(fields)
    return list(found)


def _open_active_version(db: Session, project_id: int) -> LoadedVersion | None:
    version = find_active_version(db, project_id)
    return None if version is None else open_version(db, version.id)


def _load_suggestions(db: Session, project_id: int) -> Suggestions:
    """Load the active version's suggestions; none if missing, so labels can still be exported."""
    try:
        loaded = _open_active_version(db, project_id)
    except (NotIndexed, CorruptFile):
        return NONE
    return loaded.suggestions if loaded else NONE


def _load_label_names(db: Session, project_id: int) -> dict[int | None, str]:
    return {label.id: label.name for label in list_all_labels(db, project_id)}


def _record_batches(
    db: Session,
    project_id: int,
    filters: Filters,
    suggestions: Suggestions,
    extra_cells: Callable[[list[Record]], Batch],
) -> Iterator[Batch]:
    names = _load_label_names(db, project_id)
    after_id = 0
    matching = select(Record).where(*build_conditions(project_id, filters)).order_by(Record.id)
    while rows := list(db.scalars(matching.where(Record.id > after_id).limit(BATCH))):
        after_id = rows[-1].id
        ids = [row.id for row in rows]
        consensus, suggested = _load_consensus(db, ids), suggestions.of(ids)
        yield [
            _record_row(row, names, consensus.get(row.id, []), suggested.get(row.id)) | added
            for row, added in zip(rows, extra_cells(rows), strict=True)
        ]
        db.expunge_all()


def _record_row(
    row: Record,
    names: dict[int | None, str],
    consensus: list[tuple[int | None, str]],
    suggestion: Any,
) -> dict[str, Any]:
    return {
        "id": row.external_id,
        "text": row.text,
        "label": [names[label_id] for label_id, _ in consensus if label_id is not None],
        "label_source": consensus[0][1] if consensus else None,
        "suggestion": names.get(suggestion.label_id) if suggestion else None,
        "suggestion_score": round(suggestion.score, 4) if suggestion else None,
    }


def _load_consensus(db: Session, ids: list[int]) -> dict[int, list[tuple[int | None, str]]]:
    found: dict[int, list[tuple[int | None, str]]] = {}
    rows = db.execute(
        select(Consensus.record_id, Consensus.label_id, UserAction.kind)
        .join(UserAction, UserAction.id == Consensus.action_id)
        .where(Consensus.record_id.in_(ids))
        .order_by(Consensus.id)
    )
    for record_id, label_id, source in rows:
        found.setdefault(record_id, []).append((label_id, source))
    return found


def _annotation_batches(db: Session, project_id: int, filters: Filters) -> Iterator[Batch]:
    names = _load_label_names(db, project_id)
    numbers = dict(
        db.execute(select(Version.id, Version.number).where(Version.project_id == project_id)).all()
    )
    annotation = (
        select(Annotation, Record.external_id, Record.text, User.name)
        .join(Record, Record.id == Annotation.record_id)
        .outerjoin(User, User.id == Annotation.user_id)
        .where(Annotation.project_id == project_id, *build_conditions(project_id, filters))
        .order_by(Annotation.id)
        .limit(BATCH)
    )
    after_id = 0
    while rows := db.execute(annotation.where(Annotation.id > after_id)).all():
        after_id = rows[-1][0].id
        yield [_annotation_row(row, names, numbers) for row in rows]
        db.expunge_all()


def _annotation_row(
    row: tuple[Annotation, str, str, str | None],
    names: dict[int | None, str],
    numbers: dict[int, int],
) -> dict[str, Any]:
    annotation, external_id, text, user = row
    return {
        "id": external_id,
        "text": text,
        "label": names.get(annotation.label_id),
        "verdict": annotation.verdict,
        "user": user,
        "source": annotation.source,
        "act": annotation.action_id,
        "session": annotation.session_id,
        "rank": annotation.rank,
        "similarity": annotation.similarity,
        "version": numbers.get(annotation.version_id or 0),
        "suggestion": names.get(annotation.suggestion_id),
        "suggestion_score": annotation.suggestion_score,
        "milliseconds": annotation.milliseconds,
        "annotated_at": annotation.annotated_at.isoformat(),
        "withdrawn_at": annotation.withdrawn_at.isoformat() if annotation.withdrawn_at else None,
    }

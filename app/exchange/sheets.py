"""What an export holds: columns, and batches of rows read in one transaction.

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

from app.artifacts import Damaged
from app.errors import Conflict
from app.models import Act, Annotation, Consensus, Encoder, Project, Record, User
from app.projects.labels import every_label
from app.records.conditions import conditions
from app.records.filters import Filters
from app.search.embedding import n_missing
from app.search.encoders import active_encoder
from app.search.indexes import NotIndexed, Version, open_version
from app.search.suggestions import NONE, Suggestions
from app.search.vectors import vectors_of

BATCH = 1000
Kind = Literal["text", "labels", "whole", "number", "vector", "any"]
Batch = list[dict[str, Any]]
RECORD_COLUMNS: dict[str, Kind] = {
    "id": "text", "text": "text", "label": "labels", "label_source": "text",
    "suggestion": "text", "suggestion_score": "number",
}  # fmt: skip
ANNOTATION_COLUMNS: dict[str, Kind] = {
    "id": "text", "text": "text", "label": "text", "verdict": "text", "user": "text",
    "source": "text", "act": "whole", "session": "whole", "rank": "whole", "similarity": "number",
    "version": "whole", "suggestion": "text", "suggestion_score": "number",
    "milliseconds": "whole", "annotated_at": "text", "withdrawn_at": "text",
}  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """Columns with what they hold, and the rows in batches; read them inside the transaction."""

    columns: dict[str, Kind]
    batches: Iterator[Batch]
    is_multi_label: bool


def record_sheet(db: Session, project: Project, filters: Filters) -> Sheet:
    """One row a record, with its fields."""
    fields = {name: _column(name) for name in _field_names(db, project.id, filters)}
    suggestions = _suggestions(db, project.id)
    columns = RECORD_COLUMNS | dict.fromkeys(fields.values(), "any")

    def with_fields(rows: list[Record]) -> Batch:
        return [{fields[name]: value for name, value in row.fields.items()} for row in rows]

    batches = _record_batches(db, project.id, filters, suggestions, with_fields)
    return Sheet(columns, batches, project.is_multi_label)


def vector_sheet(db: Session, project: Project, filters: Filters) -> Sheet:
    """One row a record, with its vector of the active version in place of its fields.

    Raises Conflict while records still lack their vector.
    """
    if missing := n_missing(db, project):
        raise Conflict(f"{missing:,} records have no vector yet. Export again once they are done.")
    version = _active_version(db, project.id)
    if version is None:
        raise NotIndexed
    raw_encoder_id = version.encoder.raw_encoder_id or version.encoder.id

    def with_vector(rows: list[Record]) -> Batch:
        ids, raw = vectors_of(db, raw_encoder_id, [row.id for row in rows])
        tuned = dict(zip(ids, version.head.tune(raw), strict=True))
        return [{"vector": tuned[row.id]} for row in rows]

    batches = _record_batches(db, project.id, filters, version.suggestions, with_vector)
    return Sheet({**RECORD_COLUMNS, "vector": "vector"}, batches, project.is_multi_label)


def annotation_sheet(db: Session, project: Project, filters: Filters) -> Sheet:
    """One row an annotation, withdrawn ones too, with where it came from."""
    batches = _annotation_batches(db, project.id, filters)
    return Sheet(ANNOTATION_COLUMNS, batches, project.is_multi_label)


def _column(name: str) -> str:
    return f"fields.{name}" if name in {*RECORD_COLUMNS, "vector"} else name


def _field_names(db: Session, project_id: int, filters: Filters) -> list[str]:
    found: dict[str, None] = {}
    stored = select(Record.fields).where(*conditions(project_id, filters)).order_by(Record.id)
    for fields in db.scalars(stored.execution_options(yield_per=BATCH)):
        found |= dict.fromkeys(fields)
    return list(found)


def _active_version(db: Session, project_id: int) -> Version | None:
    encoder = active_encoder(db, project_id)
    return None if encoder is None else open_version(db, encoder.id)


def _suggestions(db: Session, project_id: int) -> Suggestions:
    """Those of the active version, or none: what people said can always be taken away."""
    try:
        version = _active_version(db, project_id)
    except (NotIndexed, Damaged):
        return NONE
    return version.suggestions if version else NONE


def _label_names(db: Session, project_id: int) -> dict[int | None, str]:
    return {label.id: label.name for label in every_label(db, project_id)}


def _record_batches(
    db: Session,
    project_id: int,
    filters: Filters,
    suggestions: Suggestions,
    more: Callable[[list[Record]], Batch],
) -> Iterator[Batch]:
    names = _label_names(db, project_id)
    after_id = 0
    matching = select(Record).where(*conditions(project_id, filters)).order_by(Record.id)
    while rows := list(db.scalars(matching.where(Record.id > after_id).limit(BATCH))):
        after_id = rows[-1].id
        ids = [row.id for row in rows]
        agreed, guessed = _agreed(db, ids), suggestions.of(ids)
        yield [
            _record_row(row, names, agreed.get(row.id, []), guessed.get(row.id)) | added
            for row, added in zip(rows, more(rows), strict=True)
        ]
        db.expunge_all()


def _record_row(
    row: Record, names: dict[int | None, str], agreed: list[tuple[int | None, str]], guess: Any
) -> dict[str, Any]:
    return {
        "id": row.external_id,
        "text": row.text,
        "label": [names[label_id] for label_id, _ in agreed if label_id is not None],
        "label_source": agreed[0][1] if agreed else None,
        "suggestion": names.get(guess.label_id) if guess else None,
        "suggestion_score": round(guess.score, 4) if guess else None,
    }


def _agreed(db: Session, ids: list[int]) -> dict[int, list[tuple[int | None, str]]]:
    found: dict[int, list[tuple[int | None, str]]] = {}
    rows = db.execute(
        select(Consensus.record_id, Consensus.label_id, Act.kind)
        .join(Act, Act.id == Consensus.act_id)
        .where(Consensus.record_id.in_(ids))
        .order_by(Consensus.id)
    )
    for record_id, label_id, source in rows:
        found.setdefault(record_id, []).append((label_id, source))
    return found


def _annotation_batches(db: Session, project_id: int, filters: Filters) -> Iterator[Batch]:
    names = _label_names(db, project_id)
    numbers = dict(
        db.execute(select(Encoder.id, Encoder.number).where(Encoder.project_id == project_id))
        .all()
    )  # fmt: skip
    said = (
        select(Annotation, Record.external_id, Record.text, User.name)
        .join(Record, Record.id == Annotation.record_id)
        .outerjoin(User, User.id == Annotation.user_id)
        .where(Annotation.project_id == project_id, *conditions(project_id, filters))
        .order_by(Annotation.id)
        .limit(BATCH)
    )
    after_id = 0
    while rows := db.execute(said.where(Annotation.id > after_id)).all():
        after_id = rows[-1][0].id
        yield [_annotation_row(row, names, numbers) for row in rows]
        db.expunge_all()


def _annotation_row(
    row: tuple[Annotation, str, str, str | None],
    names: dict[int | None, str],
    numbers: dict[int, int],
) -> dict[str, Any]:
    said, external_id, text, user = row
    return {
        "id": external_id, "text": text, "label": names.get(said.label_id),
        "verdict": said.verdict, "user": user, "source": said.source, "act": said.act_id,
        "session": said.session_id, "rank": said.rank, "similarity": said.similarity,
        "version": numbers.get(said.encoder_id or 0),
        "suggestion": names.get(said.suggestion_id), "suggestion_score": said.suggestion_score,
        "milliseconds": said.milliseconds, "annotated_at": said.annotated_at.isoformat(),
        "withdrawn_at": said.withdrawn_at.isoformat() if said.withdrawn_at else None,
    }  # fmt: skip

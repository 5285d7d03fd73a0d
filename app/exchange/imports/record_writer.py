"""Write records and their labels to the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.exchange.imports.file_labels import (
    LabelAuthor,
    label_existing_records,
    label_new_records,
    load_earlier_labels,
)
from app.exchange.imports.record_parser import ParsedRecord
from app.models import Base, Record, hash_normalized, utc_now
from app.projects.label_names import name_key

# Rows without objects: SQLAlchemy's unit of work would double the time that the lock is held.
RECORDS = Base.metadata.tables["records"]


@dataclass(frozen=True)
class ImportCounts:
    """Numbers of stored, updated and unchanged rows."""

    n_stored: int = 0
    n_updated: int = 0
    n_unchanged: int = 0


@dataclass
class _RecordState:
    """A record's state once this chunk is stored."""

    record_id: int | None
    content_hash: str
    fields: dict[str, Any]
    label_ids: frozenset[int]
    newest: ParsedRecord | None = None
    has_new_content: bool = False
    has_new_labels: bool = False


def store_records(
    db: Session,
    project_id: int,
    items: Sequence[ParsedRecord],
    label_ids: Mapping[str, int],
    author: LabelAuthor | None,
) -> ImportCounts:
    """Insert or update these records, and store their labels for the author.

    label_ids  of every label name that occurs, by name_key
    An external id that occurs twice is one record: the later row updates the earlier.
    """
    states = _load_states(db, project_id, {item.external_id for item in items}, author)
    counts = {"stored": 0, "updated": 0, "unchanged": 0}
    for item in items:
        counts[_merge_record(states, item, label_ids)] += 1
    _insert(db, project_id, states)
    _update(db, states)
    if author is not None:
        _write_labels(db, project_id, states, author)
    return ImportCounts(counts["stored"], counts["updated"], counts["unchanged"])


def _load_states(
    db: Session, project_id: int, external_ids: set[str], author: LabelAuthor | None
) -> dict[str, _RecordState]:
    found = db.execute(
        select(Record.id, Record.external_id, Record.content_hash, Record.fields).where(
            Record.project_id == project_id, Record.external_id.in_(external_ids)
        )
    ).all()
    earlier = load_earlier_labels(db, [row.id for row in found], author) if author else {}
    return {
        row.external_id: _RecordState(
            row.id, row.content_hash, row.fields, earlier.get(row.id, frozenset())
        )
        for row in found
    }


def _merge_record(
    states: dict[str, _RecordState], item: ParsedRecord, label_ids: Mapping[str, int]
) -> str:
    labels = frozenset(label_ids[name_key(name)] for name in item.labels or ())
    state = states.get(item.external_id)
    if state is None:
        states[item.external_id] = _RecordState(
            None, item.content_hash, item.fields, labels, item, True, bool(labels)
        )
        return "stored"
    has_new_content = (item.content_hash, item.fields) != (state.content_hash, state.fields)
    has_new_labels = bool(labels) and labels != state.label_ids
    if not has_new_content and not has_new_labels:
        return "unchanged"
    state.newest, state.content_hash, state.fields = item, item.content_hash, item.fields
    state.has_new_content |= has_new_content
    if has_new_labels:
        state.label_ids, state.has_new_labels = labels, True
    return "updated"


def _insert(db: Session, project_id: int, states: Mapping[str, _RecordState]) -> None:
    new = {key: state for key, state in states.items() if state.record_id is None}
    if not new:
        return
    now = utc_now()
    fixed = {"project_id": project_id, "created_at": now, "updated_at": now}
    rows = [{"external_id": key, **_content_values(state), **fixed} for key, state in new.items()]
    db.execute(insert(RECORDS), rows)


def _update(db: Session, states: Mapping[str, _RecordState]) -> None:
    now = utc_now()
    rows = [
        {"id": state.record_id, "updated_at": now, **_content_values(state)}
        for state in states.values()
        if state.record_id is not None and state.has_new_content
    ]
    if rows:
        db.execute(update(Record), rows)


def _content_values(state: _RecordState) -> dict[str, Any]:
    assert state.newest is not None
    return {
        "text": state.newest.text,
        "content_hash": state.content_hash,
        "normalized_hash": hash_normalized(state.newest.text),
        "fields": state.fields,
    }


def _find_ids(db: Session, project_id: int, external_ids: Sequence[str]) -> dict[str, int]:
    found = db.execute(
        select(Record.external_id, Record.id).where(
            Record.project_id == project_id, Record.external_id.in_(external_ids)
        )
    )
    return dict(found.all())


def _write_labels(
    db: Session, project_id: int, states: Mapping[str, _RecordState], author: LabelAuthor
) -> None:
    labeled = {key: state for key, state in states.items() if state.has_new_labels}
    new = [key for key, state in labeled.items() if state.record_id is None]
    if new:
        ids = _find_ids(db, project_id, new)
        label_new_records(db, project_id, {ids[key]: labeled[key].label_ids for key in new}, author)
    old = {
        state.record_id: state.label_ids
        for state in labeled.values()
        if state.record_id is not None
    }
    if old:
        label_existing_records(db, project_id, old, author)

"""Records into the database: new ones, changed ones, and what a file says about their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app.exchange.file_labels import Voice, said_before, say_of_new, say_of_old
from app.exchange.incoming import Incoming
from app.models import Base, Record, hash_normalized, utc_now
from app.projects.labels import name_key

# Rows without objects: SQLAlchemy's unit of work would double the time that the lock is held.
RECORDS = Base.metadata.tables["records"]


@dataclass(frozen=True)
class Tally:
    """What became of some rows."""

    n_stored: int = 0
    n_updated: int = 0
    n_unchanged: int = 0


@dataclass
class _State:
    """What a record is, or will be once this chunk is stored."""

    record_id: int | None
    content_hash: str
    fields: dict[str, Any]
    label_ids: frozenset[int]
    newest: Incoming | None = None
    has_new_content: bool = False
    has_new_labels: bool = False


def store(
    db: Session,
    project_id: int,
    items: Sequence[Incoming],
    label_ids: Mapping[str, int],
    voice: Voice | None,
) -> Tally:
    """Insert or update these records, and say their labels in the voice's name.

    label_ids  of every label name that occurs, by name_key
    An external id that occurs twice is one record: the later row updates the earlier.
    """
    states = _states(db, project_id, {item.external_id for item in items}, voice)
    counts = {"stored": 0, "updated": 0, "unchanged": 0}
    for item in items:
        counts[_take_in(states, item, label_ids)] += 1
    _insert(db, project_id, states)
    _update(db, states)
    if voice is not None:
        _say(db, project_id, states, voice)
    return Tally(counts["stored"], counts["updated"], counts["unchanged"])


def _states(
    db: Session, project_id: int, external_ids: set[str], voice: Voice | None
) -> dict[str, _State]:
    found = db.execute(
        select(Record.id, Record.external_id, Record.content_hash, Record.fields).where(
            Record.project_id == project_id, Record.external_id.in_(external_ids)
        )
    ).all()
    said = said_before(db, [row.id for row in found], voice) if voice else {}
    return {
        row.external_id: _State(row.id, row.content_hash, row.fields, said.get(row.id, frozenset()))
        for row in found
    }


def _take_in(states: dict[str, _State], item: Incoming, label_ids: Mapping[str, int]) -> str:
    labels = frozenset(label_ids[name_key(name)] for name in item.labels or ())
    state = states.get(item.external_id)
    if state is None:
        states[item.external_id] = _State(
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


def _insert(db: Session, project_id: int, states: Mapping[str, _State]) -> None:
    new = {key: state for key, state in states.items() if state.record_id is None}
    if not new:
        return
    now = utc_now()
    fixed = {"project_id": project_id, "created_at": now, "updated_at": now}
    rows = [{"external_id": key, **_content(state), **fixed} for key, state in new.items()]
    db.execute(insert(RECORDS), rows)


def _update(db: Session, states: Mapping[str, _State]) -> None:
    now = utc_now()
    rows = [
        {"id": state.record_id, "updated_at": now, **_content(state)}
        for state in states.values()
        if state.record_id is not None and state.has_new_content
    ]
    if rows:
        db.execute(update(Record), rows)


def _content(state: _State) -> dict[str, Any]:
    assert state.newest is not None
    return {
        "text": state.newest.text,
        "content_hash": state.content_hash,
        "normalized_hash": hash_normalized(state.newest.text),
        "fields": state.fields,
    }


def _ids_of(db: Session, project_id: int, external_ids: Sequence[str]) -> dict[str, int]:
    found = db.execute(
        select(Record.external_id, Record.id).where(
            Record.project_id == project_id, Record.external_id.in_(external_ids)
        )
    )
    return dict(found.all())


def _say(db: Session, project_id: int, states: Mapping[str, _State], voice: Voice) -> None:
    spoken = {key: state for key, state in states.items() if state.has_new_labels}
    new = [key for key, state in spoken.items() if state.record_id is None]
    if new:
        ids = _ids_of(db, project_id, new)
        say_of_new(db, project_id, {ids[key]: spoken[key].label_ids for key in new}, voice)
    old = {
        state.record_id: state.label_ids for state in spoken.values() if state.record_id is not None
    }
    if old:
        say_of_old(db, project_id, old, voice)

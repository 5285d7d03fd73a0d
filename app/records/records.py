"""Queries for records and their consensus labels."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Text, bindparam, case, cast, func, null, select
from sqlalchemy.orm import Session

from app.db.session import execute_core, id_chunks
from app.errors import NotFound
from app.models import Consensus, Record
from app.records.conditions import build_conditions
from app.records.filters import Filters

PAGE_SIZE = 50
# Both databases take many more parameters in one statement; small lists plan faster.
# Field names are collected from this many of the oldest and of the newest records.
FIELDS_SEEN_IN = 200
# A list shows some words of the fields, and reads none that are longer than this, as JSON.
LONGEST_FIELDS = 20_000
_SHORT_FIELDS = case((func.length(cast(Record.fields, Text)) <= LONGEST_FIELDS, Record.fields))
_AGREED = (
    select(Consensus.record_id, Consensus.label_id)
    .where(Consensus.record_id.in_(bindparam("ids", expanding=True)))
    .order_by(Consensus.id)
)


@dataclass(frozen=True)
class RecordExcerpt:
    """A record in a list: the beginning of its text, and the length of the whole.

    fields  its fields, if requested and short enough for a list
    """

    id: int
    project_id: int
    external_id: str
    text: str
    n_characters: int
    fields: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Records in the order of their ids; `next_after_id` leads to the following page, if any."""

    records: list[Record]
    next_after_id: int | None


def find_record(db: Session, project_id: int, record_id: int) -> Record:
    """Return the record. Raises NotFound if it is unknown or belongs to another project."""
    record = db.scalar(
        select(Record).where(Record.project_id == project_id, Record.id == record_id)
    )
    if record is None:
        raise NotFound("record")
    return record


def load_records(db: Session, ids: Iterable[int]) -> dict[int, Record]:
    """Return the records with these ids; unknown ids are missing."""
    found = (db.scalars(select(Record).where(Record.id.in_(some))) for some in id_chunks(ids))
    return {record.id: record for record in chain.from_iterable(found)}


def load_excerpts(
    db: Session, ids: Iterable[int], n_characters: int, *, has_fields: bool = False
) -> dict[int, RecordExcerpt]:
    """Load at most this many characters of each text, so that long texts are not read whole."""
    known = select(
        Record.id,
        Record.project_id,
        Record.external_id,
        func.substr(Record.text, 1, n_characters).label("text"),
        func.length(Record.text).label("n_characters"),
        (_SHORT_FIELDS if has_fields else null()).label("fields"),
    )
    rows = (db.execute(known.where(Record.id.in_(some))) for some in id_chunks(ids))
    return {
        row.id: RecordExcerpt(
            row.id, row.project_id, row.external_id, row.text, row.n_characters, row.fields or {}
        )
        for row in chain.from_iterable(rows)
    }


def load_page(
    db: Session, project_id: int, filters: Filters, after_id: int = 0, limit: int = PAGE_SIZE
) -> Page:
    """Return the first `limit` matching records whose id is greater than `after_id`."""
    matching = select(Record).where(*build_conditions(project_id, filters), Record.id > after_id)
    records = list(db.scalars(matching.order_by(Record.id).limit(limit + 1)))
    has_more = len(records) > limit
    return Page(records[:limit], records[limit - 1].id if has_more else None)


def count_records(db: Session, project_id: int, filters: Filters) -> int:
    """Count the matching records."""
    matching = (
        select(func.count()).select_from(Record).where(*build_conditions(project_id, filters))
    )
    return db.scalar(matching) or 0


def list_field_names(db: Session, project_id: int) -> list[str]:
    """List the field names of the project's oldest and newest records, in file order."""
    ours = select(Record.fields).where(Record.project_id == project_id).limit(FIELDS_SEEN_IN)
    oldest = db.scalars(ours.order_by(Record.id))
    newest = db.scalars(ours.order_by(Record.id.desc()))
    return list(dict.fromkeys(name for fields in chain(oldest, newest) for name in fields))


def load_consensus(db: Session, record_ids: Iterable[int]) -> dict[int, list[int | None]]:
    """Return each record's consensus label ids; [None] is "none of these".

    Unlabeled records and ties are missing.
    """
    agreed: dict[int, list[int | None]] = {}
    for some in id_chunks(record_ids):
        for record_id, label_id in execute_core(db, _AGREED, ids=some):
            agreed.setdefault(record_id, []).append(label_id)
    return agreed

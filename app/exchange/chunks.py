"""One import, chunk by chunk: each is stored whole, with its counts, in one short transaction."""

import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import transaction
from app.exchange.child import count_in_child, rows_in_child
from app.exchange.file_labels import Voice, ensure_labels
from app.exchange.formats import rows, sniff
from app.exchange.incoming import Incoming, read_row
from app.exchange.mapping import Mapping
from app.exchange.pace import Pace
from app.exchange.reading import Reject, Row, Unreadable
from app.exchange.storing import Tally, store
from app.jobs import JobCancelled, failpoint
from app.models import Act, Import, ImportReject, Project, utc_now

# Rejects beyond this are counted, not listed.
REJECTS_KEPT = 10_000
MOST_ROWS = 2_000_000
_ATTEMPTS = 3


def begin(found: Import, path: Path, mapping: Mapping) -> Voice | None:
    """Count the rows, mark the import running, and open the one act that its labels belong to."""
    n_rows = _n_rows(found, path, mapping) if found.n_rows is None else found.n_rows
    if n_rows == 0:
        raise Unreadable("The file has no rows, so there is nothing to store.")
    if n_rows > MOST_ROWS:
        raise Unreadable(f"The file has {n_rows:,} rows; {MOST_ROWS:,} are allowed. Split it.")
    with transaction() as db:
        row = _locked(db, found.id)
        row.status, row.n_rows = "running", n_rows
        row.started_at = row.started_at or utc_now()
        if mapping.label_column is None:
            return None
        if row.act_id is None:
            row.act_id = _open_act(db, row).id
        return Voice(row.user_id, row.act_id)


def chunks_of(
    found: Import, path: Path, mapping: Mapping, pace: Pace
) -> Iterator[list[Row | Reject]]:
    """What is left of the file, from the first row that was not yet read."""
    left = _rows(found, path, mapping, found.n_read)
    while chunk := list(islice(left, pace.n_rows)):
        yield chunk


def store_chunk(
    found: Import,
    project: Project,
    mapping: Mapping,
    chunk: Sequence[Row | Reject],
    labels: dict[str, int],
    voice: Voice | None,
    pace: Pace,
) -> None:
    """Store these rows and count them, all or nothing. `labels` grows by the names they bring."""
    read = [_read(row, mapping, project.is_multi_label) for row in chunk]
    items = [item for item in read if isinstance(item, Incoming)]
    rejects = [item for item in read if isinstance(item, Reject)]
    if voice is not None:
        names = [name for item in items for name in item.labels or ()]
        ensure_labels(project.id, names, voice.user_id, labels)
    for attempt in range(_ATTEMPTS):
        try:
            with pace.turn() as db:
                tally = store(db, project.id, items, labels, voice)
                _count(db, found.id, tally, items, rejects)
                failpoint("import.chunk.before_commit")
        except IntegrityError:
            # Another import stored one of these external ids at the same moment.
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def finish(import_id: int) -> None:
    """Mark the import as succeeded."""
    with transaction() as db:
        row = _locked(db, import_id)
        row.status, row.n_rows, row.finished_at = "succeeded", row.n_read, utc_now()


def _rows(found: Import, path: Path, mapping: Mapping, start: int) -> Iterator[Row | Reject]:
    if found.format == "parquet":
        return rows_in_child(path, start)
    source = sniff(path, found.file_name, encoding=mapping.encoding, delimiter=mapping.delimiter)
    return rows(path, source, start)


def _n_rows(found: Import, path: Path, mapping: Mapping) -> int:
    if found.format == "parquet":
        return count_in_child(path)
    return sum(1 for _ in _rows(found, path, mapping, 0))


def _open_act(db: Session, row: Import) -> Act:
    # With chance in it: a program's own keys may look like "import-1".
    key = f"import-{row.id}-{uuid.uuid4().hex}"
    act = Act(project_id=row.project_id, user_id=row.user_id, kind="import", key=key)
    db.add(act)
    db.flush()
    return act


def _locked(db: Session, import_id: int) -> Import:
    row = db.scalars(select(Import).where(Import.id == import_id).with_for_update()).one()
    if row.status == "cancelled":
        raise JobCancelled
    return row


def _read(row: Row | Reject, mapping: Mapping, is_multi_label: bool) -> Incoming | Reject:
    return row if isinstance(row, Reject) else read_row(row, mapping, is_multi_label=is_multi_label)


def _count(
    db: Session,
    import_id: int,
    tally: Tally,
    items: Sequence[Incoming],
    rejects: Sequence[Reject],
) -> None:
    row = _locked(db, import_id)
    listed = rejects[: max(0, REJECTS_KEPT - row.n_rejected)]
    row.n_read += len(items) + len(rejects)
    row.n_stored += tally.n_stored
    row.n_updated += tally.n_updated
    row.n_unchanged += tally.n_unchanged
    row.n_rejected += len(rejects)
    row.n_mended += sum(item.is_mended for item in items)
    if listed:
        db.execute(insert(ImportReject), [_reject_row(import_id, reject) for reject in listed])


def _reject_row(import_id: int, reject: Reject) -> dict[str, object]:
    return {
        "import_id": import_id,
        "line": reject.line,
        "column": reject.column[:300] if reject.column else None,
        "reason": reject.reason,
    }

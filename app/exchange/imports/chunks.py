"""Store an import in chunks, each with its counts in one short transaction."""

import time
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.exchange.imports.file_labels import LabelAuthor, ensure_labels
from app.exchange.imports.formats import detect_format, read_rows
from app.exchange.imports.mapping import Mapping
from app.exchange.imports.parsed_rows import Reject, Row, Unreadable
from app.exchange.imports.preview import NO_ROWS, fault_in_words
from app.exchange.imports.record_parser import ParsedRecord
from app.exchange.imports.record_writer import ImportCounts, store_records
from app.exchange.imports.repeats import Repeats, read_items
from app.exchange.imports.sandboxed_reader import count_in_child, rows_in_child
from app.exchange.imports.write_throttle import WriteThrottle
from app.jobs.steps import JobCancelled, failpoint
from app.models import Import, ImportReject, Project, UserAction, utc_now
from app.models.enums import ImportStatus

# Rejects beyond this are counted, not listed.
REJECTS_KEPT = 10_000
MOST_ROWS = 2_000_000
_ATTEMPTS = 3
# Seconds between checks whether the import was cancelled.
LOOK_SECONDS = 0.5
Items = list[ParsedRecord | Reject]


def search(import_row: Import, project: Project, path: Path, mapping: Mapping) -> Repeats:
    """Read the whole file once: count its rows and find those that contradict each other.

    Raises Unreadable if it cannot be read completely, or has no rows or too many.
    """
    if import_row.format == "parquet":
        _check_number(count_in_child(path, MOST_ROWS, lambda: is_cancelled(import_row.id)))
    repeats = Repeats(mapping)
    for line, item in _items(import_row, project, path, mapping, 0):
        repeats.add(line, item)
        _check_number(repeats.n_rows)
    _check_number(repeats.n_rows)
    repeats.close()
    return repeats


def begin_import(import_id: int) -> None:
    """Mark the import as running. Raises JobCancelled if it was cancelled before."""
    with write_session() as db:
        row = _lock_import(db, import_id)
        row.status = ImportStatus.RUNNING
        row.started_at = row.started_at or utc_now()


def open_voice(import_id: int, n_rows: int, mapping: Mapping) -> LabelAuthor | None:
    """Store the number of rows, and create the action that the file's labels belong to."""
    with write_session() as db:
        row = _lock_import(db, import_id)
        row.n_rows = n_rows
        if mapping.label_column is None:
            return None
        if row.action_id is None:
            row.action_id = _open_action(db, row).id
        return LabelAuthor(row.user_id, row.action_id)


def iterate_chunks(
    import_row: Import,
    project: Project,
    path: Path,
    mapping: Mapping,
    repeats: Repeats,
    throttle: WriteThrottle,
) -> Iterator[Items]:
    """Yield the rest of the file in chunks, from the first row that was not yet read."""
    left = enumerate(
        _items(import_row, project, path, mapping, import_row.n_read), import_row.n_read
    )
    settled = (
        repeats.settle(number, line, item) if isinstance(item, ParsedRecord) else item
        for number, (line, item) in left
    )
    while chunk := list(islice(settled, throttle.n_rows)):
        yield chunk


def is_cancelled(import_id: int) -> bool:
    """Return whether the import was cancelled."""
    with read_session() as db:
        return (
            db.scalar(select(Import.status).where(Import.id == import_id)) == ImportStatus.CANCELLED
        )


def store_chunk(
    import_row: Import,
    project: Project,
    chunk: Items,
    labels: dict[str, int],
    author: LabelAuthor | None,
    throttle: WriteThrottle,
) -> None:
    """Store and count these rows, all or nothing. Their new label names are added to `labels`."""
    items = [item for item in chunk if isinstance(item, ParsedRecord)]
    rejects = [item for item in chunk if isinstance(item, Reject)]
    if author is not None:
        names = [name for item in items for name in item.labels or ()]
        ensure_labels(project.id, names, author.user_id, labels)
    for attempt in range(_ATTEMPTS):
        try:
            with throttle.turn() as db:
                tally = store_records(db, project.id, items, labels, author)
                _add_counts(db, import_row.id, tally, items, rejects)
                failpoint("import.chunk.before_commit")
        except IntegrityError:
            # Another import stored one of these external ids at the same moment.
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def finish_import(import_id: int) -> None:
    """Mark the import as succeeded. Raises Unreadable if every row was rejected."""
    with write_session() as db:
        row = _lock_import(db, import_id)
        if row.n_read == row.n_rejected:
            raise Unreadable(_all_rejected(db, import_id))
        row.status, row.n_rows, row.finished_at = ImportStatus.SUCCEEDED, row.n_read, utc_now()


def _all_rejected(db: Session, import_id: int) -> str:
    ours = select(ImportReject).where(ImportReject.import_id == import_id)
    first = db.scalars(ours.order_by(ImportReject.id).limit(1)).one()
    return fault_in_words(Reject(first.line, first.column, first.reason))


def _check_number(n_rows: int) -> None:
    if n_rows == 0:
        raise Unreadable(NO_ROWS)
    if n_rows > MOST_ROWS:
        raise Unreadable(f"The file has more than {MOST_ROWS:,} rows. Split it.")


def _items(
    import_row: Import, project: Project, path: Path, mapping: Mapping, start: int
) -> Iterator[tuple[int, ParsedRecord | Reject]]:
    watched = _watch_progress(import_row.id, _read_rows(import_row, path, mapping, start))
    read = islice(watched, 0 if import_row.format == "parquet" else start, None)
    return read_items(read, mapping, is_multi_label=project.is_multi_label)


def _read_rows(
    import_row: Import, path: Path, mapping: Mapping, start: int
) -> Iterator[Row | Reject]:
    if import_row.format == "parquet":
        return rows_in_child(path, start, lambda: is_cancelled(import_row.id))
    source = detect_format(
        path, import_row.file_name, encoding=mapping.encoding, delimiter=mapping.delimiter
    )
    return read_rows(path, source)


def _watch_progress(import_id: int, import_row: Iterator[Row | Reject]) -> Iterator[Row | Reject]:
    """Yield the rows. Raises JobCancelled soon after the import was cancelled."""
    look_at = time.monotonic() + LOOK_SECONDS
    for row in import_row:
        if time.monotonic() >= look_at:
            if is_cancelled(import_id):
                raise JobCancelled
            look_at = time.monotonic() + LOOK_SECONDS
        yield row


def _open_action(db: Session, row: Import) -> UserAction:
    # With a random part: API clients may use keys such as "import-1".
    key = f"import-{row.id}-{uuid.uuid4().hex}"
    action = UserAction(project_id=row.project_id, user_id=row.user_id, kind="import", key=key)
    db.add(action)
    db.flush()
    return action


def _lock_import(db: Session, import_id: int) -> Import:
    row = db.scalars(select(Import).where(Import.id == import_id).with_for_update()).one()
    if row.status == ImportStatus.CANCELLED:
        raise JobCancelled
    return row


def _add_counts(
    db: Session,
    import_id: int,
    tally: ImportCounts,
    items: Sequence[ParsedRecord],
    rejects: Sequence[Reject],
) -> None:
    row = _lock_import(db, import_id)
    listed = rejects[: max(0, REJECTS_KEPT - row.n_rejected)]
    row.n_read += len(items) + len(rejects)
    row.n_stored += tally.n_stored
    row.n_updated += tally.n_updated
    row.n_unchanged += tally.n_unchanged
    row.n_rejected += len(rejects)
    row.n_repaired += sum(item.is_mended for item in items)
    if listed:
        db.execute(insert(ImportReject), [_reject_row(import_id, reject) for reject in listed])


def _reject_row(import_id: int, reject: Reject) -> dict[str, object]:
    return {
        "import_id": import_id,
        "line": reject.line,
        "column": reject.column[:300] if reject.column else None,
        "reason": reject.reason,
    }

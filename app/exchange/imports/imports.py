"""The lifecycle of an import: uploaded, mapped, queued, stored in small chunks.

Decision: each chunk's records, labels, rejects and counts are one short transaction, and `n_read`
advances in it. A killed import resumes after the last stored chunk: nothing is
lost, nothing is stored twice. The file is deleted when the import has succeeded.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import Conflict, NotFound
from app.exchange.imports.chunks import (
    begin_import,
    finish_import,
    is_cancelled,
    iterate_chunks,
    open_voice,
    search,
    store_chunk,
)
from app.exchange.imports.mapping import Mapping
from app.exchange.imports.parsed_rows import Unreadable
from app.exchange.imports.preview import Preview, preview_file
from app.exchange.imports.uploads import clean_file_name, save_upload, upload_path
from app.exchange.imports.write_throttle import WriteThrottle
from app.jobs.steps import JobCancelled, failpoint
from app.models import Import, Project, utc_now
from app.models.enums import ImportStatus

UNFINISHED = (ImportStatus.UPLOADED, ImportStatus.QUEUED, ImportStatus.RUNNING)


@dataclass(frozen=True)
class ReceivedFile:
    """A file that no row names yet: where we keep it, what it was called, how it begins."""

    path: Path
    name: str
    preview: Preview


def find_import(db: Session, project_id: int, import_id: int) -> Import:
    """Return the import. Raises NotFound if it is unknown or belongs to another project."""
    import_row = db.scalar(
        select(Import).where(Import.project_id == project_id, Import.id == import_id)
    )
    if import_row is None:
        raise NotFound("import")
    return import_row


def receive_import(
    db: Session,
    project: Project,
    user_id: int | None,
    file_name: str,
    source: BinaryIO | Path,
    *,
    n_searched: int = 0,
) -> Import:
    """Copy the file to the data folder, to be mapped next; no records are stored yet.

    A file of which no row can be read makes a failed import. So does one whose first n_searched
    rows are all of it, and none of them can be stored by the suggested mapping.
    Raises TooLarge, StorageFull, and Unreadable for unsupported formats.
    """
    is_multi = project.is_multi_label
    received = receive_file(file_name, source, is_multi_label=is_multi, n_searched=n_searched)
    # The database is first used here, so no lock is held during the upload.
    return add_import(db, project, user_id, received)


def receive_file(
    file_name: str, source: BinaryIO | Path, *, is_multi_label: bool, n_searched: int = 0
) -> ReceivedFile:
    """Copy and preview the file, without a database row. Raises what receive_import() raises."""
    name = clean_file_name(file_name)
    path = save_upload(source)
    try:
        preview = preview_file(path, name, is_multi_label=is_multi_label, n_searched=n_searched)
        return ReceivedFile(path, name, preview)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def add_import(
    db: Session, project: Project, user_id: int | None, received: ReceivedFile
) -> Import:
    """Add the row of a received file; it is failed if no record can be stored."""
    preview = received.preview
    import_row = Import(
        project_id=project.id,
        user_id=user_id,
        file_name=received.name,
        file=f"imports/{received.path.name}",
        format=preview.source.format,
        mapping=preview.mapping.model_dump() if preview.mapping else {},
    )
    if preview.fault:
        import_row.status, import_row.error, import_row.finished_at = (
            "failed",
            preview.fault,
            utc_now(),
        )
        received.path.unlink(missing_ok=True)
    db.add(import_row)
    db.flush()
    return import_row


def preview_import(
    import_row: Import,
    *,
    is_multi_label: bool = False,
    encoding: str = "",
    delimiter: str = "",
    n_searched: int = 0,
) -> Preview:
    """Preview the import's file. Raises Unreadable, or Conflict once the file was deleted."""
    try:
        return preview_file(
            upload_path(import_row),
            import_row.file_name,
            is_multi_label=is_multi_label,
            encoding=encoding,
            delimiter=delimiter,
            n_searched=n_searched,
            is_cancelled=lambda: is_cancelled(import_row.id),
        )
    except Unreadable:
        # Cancelling ended the child process that read the file.
        if is_cancelled(import_row.id):
            raise Conflict("This import was cancelled.") from None
        raise


def queue_import(db: Session, import_row: Import, mapping: Mapping) -> Import:
    """Queue the import with this mapping for the worker.

    Raises Invalid for a column that the file lacks, Unreadable, or Conflict once it has begun.
    """
    preview = preview_import(import_row, encoding=mapping.encoding, delimiter=mapping.delimiter)
    mapping.require_columns(preview.source.columns)
    if preview.source.problem and not mapping.encoding:
        raise Unreadable(preview.source.problem)
    if mapping.answer_column is None and preview.mapping is not None:
        # An empty name is stored, too: it records that an answer column was looked for.
        found_column = preview.mapping.answer_column or ""
        mapping = mapping.model_copy(update={"answer_column": found_column})
    queued = db.execute(
        update(Import)
        .where(Import.id == import_row.id, Import.status == ImportStatus.UPLOADED)
        .values(status=ImportStatus.QUEUED, mapping=mapping.model_dump())
    )
    if queued.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("This import has already been started.")
    return find_import(db, import_row.project_id, import_row.id)


def retry_import(db: Session, import_row: Import) -> None:
    """Queue a failed or cancelled import again: it resumes after its last stored row."""
    upload_path(import_row)
    queued = db.execute(
        update(Import)
        .where(
            Import.id == import_row.id,
            Import.status.in_((ImportStatus.FAILED, ImportStatus.CANCELLED)),
        )
        .values(
            status=ImportStatus.QUEUED, attempt=Import.attempt + 1, error=None, finished_at=None
        )
    )
    if queued.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("Only failed or cancelled imports can be retried.")


def cancel(db: Session, import_row: Import) -> None:
    """Cancel the import before the next chunk; rows stored so far are kept."""
    stopped = db.execute(
        update(Import)
        .where(Import.id == import_row.id, Import.status.in_(UNFINISHED))
        .values(status=ImportStatus.CANCELLED, finished_at=utc_now())
    )
    if stopped.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("This import has already finished.")


def run_import(import_id: int) -> None:
    """Store the rest of the file and mark the import as succeeded. Safe to repeat at any time.

    Raises JobCancelled when it was cancelled, Unreadable or StorageFull when it cannot continue.
    """
    with read_session() as db:
        import_row = db.get_one(Import, import_id)
        project = db.get_one(Project, import_row.project_id)
    if import_row.status == ImportStatus.SUCCEEDED:
        return
    path, mapping = upload_path(import_row), Mapping.model_validate(import_row.mapping)
    begin_import(import_id)
    try:
        _store_rows(import_row, project, path, mapping)
    except Unreadable:
        # Cancelling ends the child process that reads, so the file seems unreadable.
        if is_cancelled(import_id):
            raise JobCancelled from None
        raise
    finish_import(import_id)
    path.unlink(missing_ok=True)


def _store_rows(import_row: Import, project: Project, path: Path, mapping: Mapping) -> None:
    repeats = search(import_row, project, path, mapping)
    author = open_voice(import_row.id, repeats.n_rows, mapping)
    labels: dict[str, int] = {}
    throttle = WriteThrottle()
    for chunk in iterate_chunks(import_row, project, path, mapping, repeats, throttle):
        store_chunk(import_row, project, chunk, labels, author, throttle)
        failpoint("import.chunk.after_commit")


STEPS = (("store", run_import),)


def mark_failed(import_id: int, sentence: str) -> None:
    """Mark the import as failed with this error; it can be retried."""
    with write_session() as db:
        db.execute(
            update(Import)
            .where(
                Import.id == import_id,
                Import.status.in_((ImportStatus.QUEUED, ImportStatus.RUNNING)),
            )
            .values(status=ImportStatus.FAILED, error=sentence, finished_at=utc_now())
        )

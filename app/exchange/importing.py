"""An import from the upload to its end: received, mapped, queued, carried out in small chunks.

Decision: each chunk's records, labels, rejects and counts are one short transaction, and `n_read`
moves in it. A killed import goes on at the row after the last chunk that was stored: nothing is
lost, nothing is stored twice. The file is deleted once the import has ended well.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database import reading, transaction
from app.errors import Conflict, NotFound
from app.exchange.chunks import (
    begin,
    chunks_of,
    finish,
    is_cancelled,
    open_voice,
    search,
    store_chunk,
)
from app.exchange.mapping import Mapping
from app.exchange.pace import Pace
from app.exchange.preview import Preview, preview_file
from app.exchange.reading import Unreadable
from app.exchange.uploads import clean_file_name, keep, path_of
from app.jobs import JobCancelled, failpoint
from app.models import Import, Project, utc_now

UNFINISHED = ("uploaded", "queued", "running")


@dataclass(frozen=True)
class Arrived:
    """A file that no row names yet: where we keep it, what it was called, how it begins."""

    path: Path
    name: str
    seen: Preview


def find_import(db: Session, project_id: int, import_id: int) -> Import:
    """The import. Raises NotFound when it is unknown or another project's."""
    found = db.scalar(select(Import).where(Import.project_id == project_id, Import.id == import_id))
    if found is None:
        raise NotFound("import")
    return found


def receive(
    db: Session,
    project: Project,
    user_id: int | None,
    file_name: str,
    source: BinaryIO | Path,
    *,
    n_searched: int = 0,
) -> Import:
    """Keep a copy of the file under the data folder, to be mapped next; nothing is stored yet.

    A file of which no row can be read makes a failed import. So does one whose first n_searched
    rows are all of it, and none of them can be stored by the suggested mapping.
    Raises TooLarge, StorageFull, and Unreadable where the file is none of our formats.
    """
    is_multi = project.is_multi_label
    arrived = take_in(file_name, source, is_multi_label=is_multi, n_searched=n_searched)
    # The database is first touched here, so no lock was held while the file came in.
    return note(db, project, user_id, arrived)


def take_in(
    file_name: str, source: BinaryIO | Path, *, is_multi_label: bool, n_searched: int = 0
) -> Arrived:
    """Keep a copy of the file, and look into it; no row names it yet. Raises as receive() does."""
    name = clean_file_name(file_name)
    path = keep(source)
    try:
        seen = preview_file(path, name, is_multi_label=is_multi_label, n_searched=n_searched)
        return Arrived(path, name, seen)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def note(db: Session, project: Project, user_id: int | None, arrived: Arrived) -> Import:
    """The row of a file that was taken in: failed where nothing of it can be stored."""
    seen = arrived.seen
    found = Import(
        project_id=project.id, user_id=user_id, file_name=arrived.name,
        file=f"imports/{arrived.path.name}", format=seen.source.format,
        mapping=seen.mapping.model_dump() if seen.mapping else {},
    )  # fmt: skip
    if seen.fault:
        found.status, found.error, found.finished_at = "failed", seen.fault, utc_now()
        arrived.path.unlink(missing_ok=True)
    db.add(found)
    db.flush()
    return found


def preview(
    found: Import,
    *,
    is_multi_label: bool = False,
    encoding: str = "",
    delimiter: str = "",
    n_searched: int = 0,
) -> Preview:
    """The first rows of the import's file. Raises Unreadable, or Conflict once the file is gone."""
    try:
        return preview_file(
            path_of(found), found.file_name,
            is_multi_label=is_multi_label, encoding=encoding, delimiter=delimiter,
            n_searched=n_searched, is_cancelled=lambda: is_cancelled(found.id),
        )  # fmt: skip
    except Unreadable:
        # The child that read the file was ended because of it.
        if is_cancelled(found.id):
            raise Conflict("This import was cancelled.") from None
        raise


def start(db: Session, found: Import, mapping: Mapping) -> Import:
    """Queue the import with this mapping; the worker carries it out.

    Raises Invalid for a column that the file lacks, Unreadable, or Conflict once it has begun.
    """
    seen = preview(found, encoding=mapping.encoding, delimiter=mapping.delimiter)
    mapping.checked(seen.source.columns)
    if seen.source.problem and not mapping.encoding:
        raise Unreadable(seen.source.problem)
    if mapping.answer_column is None and seen.mapping is not None:
        # An empty name is kept, too: whoever sees the mapping later sees that it was looked for.
        found_column = seen.mapping.answer_column or ""
        mapping = mapping.model_copy(update={"answer_column": found_column})
    queued = db.execute(
        update(Import)
        .where(Import.id == found.id, Import.status == "uploaded")
        .values(status="queued", mapping=mapping.model_dump())
    )
    if queued.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("This import was started before.")
    return find_import(db, found.project_id, found.id)


def try_again(db: Session, found: Import) -> None:
    """Queue a failed or cancelled import once more: it goes on after its last stored row."""
    path_of(found)
    queued = db.execute(
        update(Import)
        .where(Import.id == found.id, Import.status.in_(("failed", "cancelled")))
        .values(status="queued", attempt=Import.attempt + 1, error=None, finished_at=None)
    )
    if queued.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("Only an import that failed or was cancelled can be tried again.")


def cancel(db: Session, found: Import) -> None:
    """Stop the import at the next chunk, or never begin it; what is stored stays."""
    stopped = db.execute(
        update(Import)
        .where(Import.id == found.id, Import.status.in_(UNFINISHED))
        .values(status="cancelled", finished_at=utc_now())
    )
    if stopped.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("This import has ended already.")


def carry_out(import_id: int) -> None:
    """Store what is left of the file. Safe to repeat at any moment; ends succeeded.

    Raises JobCancelled once somebody cancelled it, Unreadable or StorageFull when it cannot go on.
    """
    with reading() as db:
        found = db.get_one(Import, import_id)
        project = db.get_one(Project, found.project_id)
    if found.status == "succeeded":
        return
    path, mapping = path_of(found), Mapping.model_validate(found.mapping)
    begin(import_id)
    try:
        _store_rows(found, project, path, mapping)
    except Unreadable:
        # A child process that reads for a cancelled import is ended, and the file seems unreadable.
        if is_cancelled(import_id):
            raise JobCancelled from None
        raise
    finish(import_id)
    path.unlink(missing_ok=True)


def _store_rows(found: Import, project: Project, path: Path, mapping: Mapping) -> None:
    repeats = search(found, project, path, mapping)
    voice = open_voice(found.id, repeats.n_rows, mapping)
    labels: dict[str, int] = {}
    pace = Pace()
    for chunk in chunks_of(found, project, path, mapping, repeats, pace):
        store_chunk(found, project, chunk, labels, voice, pace)
        failpoint("import.chunk.after_commit")


STEPS = (("store", carry_out),)


def fail(import_id: int, sentence: str) -> None:
    """Write down why the import ended; it may be tried again."""
    with transaction() as db:
        db.execute(
            update(Import)
            .where(Import.id == import_id, Import.status.in_(("queued", "running")))
            .values(status="failed", error=sentence, finished_at=utc_now())
        )

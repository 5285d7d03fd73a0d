"""Revisions of a version's files, written by the worker.

Decision: a revision is never changed. When records arrive or change, the worker writes the next
one, and each process goes over to it at its next request (app.search.indexes); the file before is
kept, and serves again if the newest turns out to be damaged. When labels arrive, the suggestions
alone get their next revision.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.jobs.steps import failpoint
from app.ml.heads.baselines import RawHead
from app.ml.heads.head import Head
from app.ml.heads.storage import load_head
from app.models import Artifact, Embedding, Version, utc_now
from app.search.indexes import REVISED, build_version_files, index_vectors
from app.search.suggestions import Suggestions, save_suggestions
from app.search.vectors import list_embedded_ids, read_blocks, vector_dimension
from app.search.versions import add_artifacts
from app.settings import settings
from app.storage import store_file, verified_path

# While records still arrive, the next revision is worth its time when there is so much more.
GROWTH = 1.5


def find_base_version_id(version: Version) -> int:
    """Return the id of the version whose embeddings this version uses."""
    return version.base_version_id or version.id


def find_newest_index(db: Session, version_id: int) -> Artifact | None:
    """Return the index of the newest revision, or None before the first one."""
    return _find_newest(db, version_id, "index")


def _find_newest(db: Session, version_id: int, kind: str) -> Artifact | None:
    of_kind = select(Artifact).where(Artifact.version_id == version_id, Artifact.kind == kind)
    return db.scalar(of_kind.order_by(Artifact.revision.desc()).limit(1))


def needs_index(db: Session, version: Version) -> bool:
    """Return whether embeddings changed since the newest revision, or its files are missing."""
    of_raw = Embedding.version_id == find_base_version_id(version)
    n_embedded = db.scalar(select(func.count()).select_from(Embedding).where(of_raw)) or 0
    newest = find_newest_index(db, version.id)
    if n_embedded == 0 or newest is None:
        return n_embedded > 0
    if newest.n_records != n_embedded or not _is_in_place(db, newest):
        return True
    last = db.scalar(select(func.max(Embedding.embedded_at)).where(of_raw))
    return last is not None and last > newest.created_at


def is_worth_writing(db: Session, version: Version) -> bool:
    """Whether, with records still missing, the next revision would hold half as many again."""
    of_raw = Embedding.version_id == find_base_version_id(version)
    n_embedded = db.scalar(select(func.count()).select_from(Embedding).where(of_raw)) or 0
    newest = find_newest_index(db, version.id)
    return n_embedded > 0 and (newest is None or n_embedded >= GROWTH * newest.n_records)


def _is_in_place(db: Session, newest: Artifact) -> bool:
    """Cheap: the sizes. What is inside is checked by whoever loads it."""
    of_revision = select(Artifact).where(
        Artifact.version_id == newest.version_id, Artifact.revision == newest.revision
    )
    paths = [
        (settings().data_dir / artifact.file, artifact.n_bytes)
        for artifact in db.scalars(of_revision)
        if artifact.kind in REVISED
    ]
    return all(path.is_file() and path.stat().st_size == n_bytes for path, n_bytes in paths)


def write_index(version_id: int) -> None:
    """Write the version's next revision, of every record that has its vector; nothing if none has.

    Raises CorruptFile if the version's head does not match the database.
    """
    read_at = utc_now()
    with read_session() as db:
        version = db.get_one(Version, version_id)
        head_file = db.scalar(
            select(Artifact).where(Artifact.version_id == version_id, Artifact.kind == "head")
        )
        ids = list_embedded_ids(db, find_base_version_id(version))
        dimension = vector_dimension(db, find_base_version_id(version))
    if dimension == 0:
        return
    head: Head = RawHead(dimension)
    if head_file is not None:
        head = load_head(verified_path(head_file.file, head_file.sha256))
    index, suggestions = index_vectors(
        head, read_blocks(find_base_version_id(version), ids), len(ids)
    )
    if len(index) == 0:
        return
    failpoint("index.before_store")
    written = build_version_files(index, suggestions)
    files = {kind: store_file(kind, write) for kind, write in written.items()}
    failpoint("index.after_store")
    with write_session() as db:
        version = db.get_one(Version, version_id, with_for_update=True)
        revision = _next_revision(db, version_id)
        add_artifacts(
            db, version_id, files, revision=revision, n_records=len(index), read_at=read_at
        )
        old = _delete_old_revisions(db, version_id)
    failpoint("index.after_publish")
    _remove(old)


def write_suggestions(
    version_id: int, suggestions: Suggestions, *, last_action_id: int, read_at: datetime
) -> None:
    """Write renewed suggestions, made of the labels up to that act, as the version's next revision.

    Where others were quicker and know newer labels, nothing is written.
    """
    stored = store_file("suggestions", partial(save_suggestions, suggestions))
    old: Sequence[str] = [stored.file]
    with write_session() as db:
        db.get_one(Version, version_id, with_for_update=True)
        newest = find_newest_suggestions(db, version_id)
        if newest is None or (newest.last_action_id or 0) <= last_action_id:
            add_artifacts(
                db,
                version_id,
                {"suggestions": stored},
                revision=_next_revision(db, version_id),
                n_records=len(suggestions.ids),
                read_at=read_at,
                last_action_id=last_action_id,
            )
            old = _delete_old_revisions(db, version_id)
    _remove(old)


def find_newest_suggestions(db: Session, version_id: int) -> Artifact | None:
    """Return the newest suggestions, or None if there are none."""
    return _find_newest(db, version_id, "suggestions")


def _next_revision(db: Session, version_id: int) -> int:
    revised = (Artifact.version_id == version_id, Artifact.kind.in_(REVISED))
    return (db.scalar(select(func.max(Artifact.revision)).where(*revised)) or 0) + 1


def _delete_old_revisions(db: Session, version_id: int) -> list[str]:
    """Take all but the two newest files of each kind out of the database; returns the others."""
    files: list[str] = []
    for kind in REVISED:
        of_kind = (Artifact.version_id == version_id, Artifact.kind == kind)
        newest = select(Artifact).where(*of_kind).order_by(Artifact.revision.desc())
        for artifact in db.scalars(newest.offset(2)).all():
            files.append(artifact.file)
            db.delete(artifact)
    return files


def _remove(files: Sequence[str]) -> None:
    for file in files:
        (settings().data_dir / file).unlink(missing_ok=True)

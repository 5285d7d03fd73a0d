"""Automatic maintenance by the worker: embed new records, then update the index."""

import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import read_session
from app.models import Artifact, Project, Version, utc_now
from app.search.embedding import count_missing, embed_missing
from app.search.embedding_progress import EmbeddingStatus, find_failure_time, write_status
from app.search.index_revisions import find_newest_index, is_worth_writing, needs_index, write_index
from app.search.versions import find_active_version, find_raw_version
from app.storage import CorruptFile, data_subdir, verified_path

# Records that one job embeds before it checks the index and lets other projects run.
AT_ONCE = 4_096
RETRY_SECONDS = 60.0
ORPHAN_SECONDS = 86_400.0


def needs_maintenance(db: Session, project: Project) -> bool:
    """Return whether records or an index lack vectors; False for a while after an error."""
    failed_at = find_failure_time(db, project.id)
    if failed_at is not None and utc_now() - failed_at < timedelta(seconds=RETRY_SECONDS):
        return False
    return count_missing(db, project) > 0 or any(
        needs_index(db, version) for version in _list_maintained(db, project)
    )


def embed_some(project_id: int, stop: Callable[[int, int], None]) -> None:
    """First step: embed one batch of records. `stop` may raise between slices."""
    embed_missing(project_id, stop, at_most=AT_ONCE)


def index_if_due(project_id: int) -> None:
    """Second step: write the next revisions once nothing is missing or enough has been added."""
    with read_session() as db:
        project = db.get_one(Project, project_id)
        is_idle = count_missing(db, project) == 0
        due = [
            each.id for each in _list_maintained(db, project) if _is_due(db, each, is_idle=is_idle)
        ]
    for version_id in due:
        write_index(version_id)


def record_error(project_id: int, sentence: str) -> None:
    """Record why embedding or indexing stopped; it is retried after a while."""
    write_status(project_id, EmbeddingStatus(error=sentence))


def list_damaged_projects(db: Session) -> list[int]:
    """List projects whose newest index files do not match the database; reads all of them."""
    return [
        project.id
        for project in db.scalars(select(Project).order_by(Project.id))
        if not all(_is_whole(db, version) for version in _list_maintained(db, project))
    ]


def remove_orphans() -> int:
    """Delete files that a killed process stored but never published; return their number."""
    with read_session() as db:
        # The folder of a deep version's encoder counts as one, whatever it holds.
        named = {Path(file).parts[1] for file in db.scalars(select(Artifact.file))}
    orphans = [
        path
        for path in data_subdir("artifacts").iterdir()
        if path.name not in named and time.time() - path.stat().st_ctime > ORPHAN_SECONDS
    ]
    for path in orphans:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(orphans)


def _list_maintained(db: Session, project: Project) -> list[Version]:
    """List the versions whose index is kept up to date: the raw and the active one."""
    raw, active = find_raw_version(db, project), find_active_version(db, project.id)
    kept = {each.id: each for each in (raw, active) if each is not None}
    return list(kept.values())


def _is_due(db: Session, version: Version, *, is_idle: bool) -> bool:
    if is_idle:
        return needs_index(db, version) or not _is_whole(db, version)
    return is_worth_writing(db, version)


def _is_whole(db: Session, version: Version) -> bool:
    newest = find_newest_index(db, version.id)
    if newest is None:
        return True
    of_revision = select(Artifact).where(
        Artifact.version_id == version.id,
        Artifact.revision == newest.revision,
        Artifact.kind.in_(("index", "suggestions")),
    )
    try:
        for artifact in db.scalars(of_revision):
            verified_path(artifact.file, artifact.sha256)
    except CorruptFile:
        return False
    return True

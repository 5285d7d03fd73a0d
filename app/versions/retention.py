"""Retention of versions: notes, pins, deletion, and the rule that deletes old versions.

Decision: a deleted version's row stays, because annotations, sessions and runs name it; its files
and its own embeddings go. Nothing that search, rolling back or a run may need can be deleted.
"""

from contextlib import suppress

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from app.accounts import audit_log as audit
from app.db.session import read_session, write_session
from app.errors import Conflict, Invalid
from app.models import Artifact, Embedding, Project, User, Version, utc_now
from app.models.enums import VersionKind
from app.search.deep_versions import delete_embeddings, remove_files
from app.search.versions import (
    find_active_version,
    find_rollback_target,
    find_version,
    list_versions,
    lock_versions,
)
from app.training.runs.readiness import find_moving_run

LONGEST_NOTE = 2_000
FEWEST_KEPT, MOST_KEPT = 2, 1_000


def describe(db: Session, project: Project, number: int, note: str, *, is_pinned: bool) -> None:
    """Set the version's note and pin.

    Raises NotFound, Conflict, Invalid for a note that is too long.
    """
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise Invalid(f"The note must have at most {LONGEST_NOTE:,} characters.")
    version = find_version(db, project.id, number)
    version.note, version.is_pinned = note, is_pinned
    db.flush()


def set_retention_limit(db: Session, project_id: int, n: int) -> None:
    """Set how many tuned versions are kept. Raises Invalid."""
    if not FEWEST_KEPT <= n <= MOST_KEPT:
        raise Invalid(f"The number of versions to keep must be {FEWEST_KEPT} to {MOST_KEPT:,}.")
    db.get_one(Project, project_id).keep_versions = n
    db.flush()


def reason_to_keep(db: Session, project: Project, version: Version) -> str | None:
    """Explain why the version cannot be deleted, or return None."""
    active = find_active_version(db, project.id)
    if version.kind == VersionKind.RAW:
        return "All other versions are based on the raw version."
    if active is not None and version.id in (active.id, active.base_version_id):
        return "It is the active version."
    if version.is_pinned:
        return "It is pinned."
    if _has_heads(db, version):
        return "Another version is based on it."
    if find_moving_run(db, project.id) is not None:
        return "A training run may be using it."
    return None


def delete_version(project: Project, number: int, by: User | None) -> None:
    """Delete the version's files and embeddings. Raises NotFound, Conflict with the reason.

    by  None: the retention rule
    """
    with write_session() as db:
        lock_versions(db, project.id)
        version = find_version(db, project.id, number)
        reason = reason_to_keep(db, project, version)
        if reason is not None:
            raise Conflict(f"Version {number} cannot be deleted. {reason}")
        version.deleted_at = utc_now()
        files = db.scalars(select(Artifact.file).where(Artifact.version_id == version.id)).all()
        db.execute(delete(Artifact).where(Artifact.version_id == version.id))
        audit.log_event(
            db,
            "version.delete",
            user_id=None if by is None else by.id,
            project_id=project.id,
            version=number,
        )
    # Killed from here on, the next tidying finds the embeddings, the next worker the files.
    remove_files(files)
    _delete_embeddings()


def delete_surplus_versions() -> int:
    """Delete the oldest tuned versions of each project beyond what it keeps; how many went."""
    with read_session() as db:
        projects = db.scalars(select(Project)).all()
        surplus = [(each, number) for each in projects for number in _find_surplus(db, each)]
    n_gone = 0
    for project, number in surplus:
        # Pinned, activated or needed by a run since we looked: then it stays.
        with suppress(Conflict):
            delete_version(project, number, by=None)
            n_gone += 1
    _delete_embeddings()
    return n_gone


def _delete_embeddings() -> None:
    """Embeddings of all deleted versions: of those too whose deletion was killed."""
    has_some = exists().where(Embedding.version_id == Version.id)
    gone = select(Version.id).where(Version.deleted_at.is_not(None), has_some)
    with read_session() as db:
        version_ids = db.scalars(gone).all()
    for version_id in version_ids:
        delete_embeddings(version_id)


def _find_surplus(db: Session, project: Project) -> list[int]:
    """Numbers of what is over the limit and may go; what heads stand on after these heads."""
    back = find_rollback_target(db, project.id)
    tuned = [
        version for version in list_versions(db, project.id) if version.kind != VersionKind.RAW
    ]
    over = tuned[project.keep_versions :]
    return [
        each.number
        for each in over
        if each.id != back and reason_to_keep(db, project, each) is None
    ]


def _has_heads(db: Session, version: Version) -> bool:
    heads = exists().where(Version.base_version_id == version.id, Version.deleted_at.is_(None))
    return bool(db.scalar(select(heads)))

"""What similarity can be asked already: else a sentence that says what to wait for, or to do."""

from sqlalchemy.orm import Session

from app.errors import AppError, Conflict
from app.models import Project, Version
from app.search.embedding import load_embedding_progress
from app.search.index_revisions import find_base_version_id
from app.search.indexes import LoadedVersion, NotIndexed, open_version
from app.search.suggestions import NONE, Suggestions
from app.search.versions import find_active_version
from app.storage import CorruptFile


def require_active_version(db: Session, project: Project) -> Version:
    """Return the active version. Raises Conflict before the first vector."""
    version = find_active_version(db, project.id)
    if version is None:
        raise build_embedding_error(db, project)
    return version


def require_open_version(db: Session, project: Project, version_id: int) -> LoadedVersion:
    """Return the version, open. Raises Conflict before its first index."""
    try:
        return open_version(db, version_id)
    except NotIndexed:
        raise build_embedding_error(db, project) from None


def open_base_version(db: Session, project: Project) -> LoadedVersion | None:
    """Open the base version, whose vectors were never tuned; None before its first index."""
    version = find_active_version(db, project.id)
    try:
        return None if version is None else open_version(db, find_base_version_id(version))
    except (NotIndexed, CorruptFile):
        return None


def require_suggestions(db: Session, project: Project, version: Version) -> Suggestions:
    """Return what the version suggests. Raises Conflict while that is nothing."""
    suggestions = require_open_version(db, project, version.id).suggestions
    if len(suggestions.ids) == 0:
        raise Conflict(
            f"No suggestions yet: they appear after the first {project.min_labels} labels. "
            "Start with representative or random records."
        )
    return suggestions


def load_session_suggestions(db: Session, version_id: int | None) -> Suggestions:
    """Load what a session's version suggests; NONE where that cannot be had, for people can label
    without."""
    try:
        return NONE if version_id is None else open_version(db, version_id).suggestions
    except (NotIndexed, CorruptFile):
        return NONE


def build_embedding_error(db: Session, project: Project) -> AppError:
    """Why similarity is not to be had yet, and what can be done meanwhile."""
    so_far = load_embedding_progress(db, project)
    if so_far.n_total == 0:
        return Conflict("This project has no records yet. Import some first.")
    return Conflict(
        f"Records are still being embedded ({so_far.n_done:,} of {so_far.n_total:,}). You can "
        "label random records meanwhile; similarity is available when this is done."
    )

"""Base versions: raw or deep versions whose embeddings other versions use."""

from sqlalchemy.orm import Session

from app.models import Project, Version
from app.search.versions import find_active_version, find_raw_version


def find_base_version(db: Session, version: Version) -> Version:
    """Return the raw or deep version whose embeddings this version uses, or itself."""
    if version.base_version_id is None:
        return version
    return db.get_one(Version, version.base_version_id)


def find_active_base_version(db: Session, project: Project) -> Version | None:
    """Return the base version of the active version, which the next head uses, too."""
    active = find_active_version(db, project.id)
    return find_raw_version(db, project) if active is None else find_base_version(db, active)


def list_followed_versions(db: Session, project: Project) -> list[Version]:
    """List the versions that give every new record an embedding: the raw one, once there is one,
    and the one in use."""
    both = (find_raw_version(db, project), find_active_base_version(db, project))
    return list({each.id: each for each in both if each is not None}.values())

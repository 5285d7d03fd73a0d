"""Which versions of a project have a map, which one is shown, and whose names stand beside it."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.maps.drawing_status import DrawingStatus, read_status
from app.maps.map_files import MAP, SKETCH
from app.models import Artifact, Project, User, UserAction, Version
from app.search.versions import find_active_version, find_raw_version, find_version, list_versions


@dataclass(frozen=True)
class MappedVersion:
    """A version's newest map. is_sketch: two principal components, until the map is drawn."""

    version: Version
    artifact: Artifact
    is_active: bool

    @property
    def is_sketch(self) -> bool:
        """Whether it only stands for the map until that is drawn."""
        return self.artifact.kind == SKETCH


def list_mapped_versions(db: Session, project: Project) -> list[MappedVersion]:
    """List the versions that have a map or a sketch, the newest version first."""
    active = find_active_version(db, project.id)
    ours = (
        select(Artifact)
        .join(Version, Version.id == Artifact.version_id)
        .where(Version.project_id == project.id, Artifact.kind.in_((MAP, SKETCH)))
    )
    in_order = ours.order_by(Artifact.kind.desc(), Artifact.revision)
    newest = {artifact.version_id: artifact for artifact in db.scalars(in_order)}
    return [
        MappedVersion(version, newest[version.id], active is not None and version.id == active.id)
        for version in list_versions(db, project.id)
        if version.id in newest
    ]


def choose_map(
    db: Session, project: Project, found: list[MappedVersion], number: int | None
) -> MappedVersion | None:
    """Choose the map of that version; without a number, the active version's, else the newest there
    is.

    None while there is none at all. Raises NotFound for a version that is unknown or has none.
    """
    if number is not None:
        version = find_version(db, project.id, number)
        of_version = [each for each in found if each.version.id == version.id]
        if not of_version:
            raise NotFound("map")
        return of_version[0]
    return next((each for each in found if each.is_active), found[0] if found else None)


def find_pending_drawing(
    db: Session, project: Project, found: list[MappedVersion]
) -> DrawingStatus | None:
    """How far the map is that the page waits for: of the active version, begun with the raw one's;
    None when that is drawn, or nothing has been embedded yet."""
    whole = {each.version.id for each in found if not each.is_sketch}
    raw, active = find_raw_version(db, project), find_active_version(db, project.id)
    wanted = [each for each in (raw, active) if each is not None and each.id not in whole]
    return read_status(wanted[0].id) if wanted else None


def list_annotators(db: Session, project: Project) -> list[User]:
    """Everybody who did anything in the project, by name."""
    user_ids = select(UserAction.user_id).where(UserAction.project_id == project.id).distinct()
    return list(db.scalars(select(User).where(User.id.in_(user_ids)).order_by(User.name_key)))

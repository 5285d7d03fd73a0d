"""Cards of the project list."""

from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.models import Consensus, Project, Record, User
from app.models.enums import VersionKind
from app.projects.access import is_visible_to
from app.search.versions import find_active_version


@dataclass(frozen=True)
class ProjectCard:
    """One project in the list of all; version is the active one's number, None before the first."""

    project: Project
    n_records: int
    n_labeled: int
    version: int | None
    is_tuned: bool


def list_project_cards(db: Session, user: User) -> list[ProjectCard]:
    """Return the projects this user may see, newest first."""
    projects = db.scalars(
        select(Project).where(is_visible_to(user)).order_by(Project.id.desc())
    ).all()
    n_records = _count_per_project(db, select(Record.project_id, func.count()))
    labeled = func.count(Consensus.record_id.distinct())
    n_labeled = _count_per_project(db, select(Consensus.project_id, labeled))
    return [_build_card(db, project, n_records, n_labeled) for project in projects]


def _build_card(
    db: Session, project: Project, n_records: dict[int, int], n_labeled: dict[int, int]
) -> ProjectCard:
    active = find_active_version(db, project.id)
    return ProjectCard(
        project=project,
        n_records=n_records.get(project.id, 0),
        n_labeled=n_labeled.get(project.id, 0),
        version=active.number if active else None,
        is_tuned=active is not None and active.kind != VersionKind.RAW,
    )


def _count_per_project(db: Session, counted: Select[int, int]) -> dict[int, int]:
    column = counted.selected_columns[0]
    return {row[0]: row[1] for row in db.execute(counted.group_by(column))}

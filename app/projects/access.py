"""Which project: a slug becomes a project that this user may see, or the request ends with 404."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import ColumnElement, exists, or_, select

from app.accounts.access import Admin, CurrentUser
from app.database import reading
from app.errors import NotFound
from app.models import Membership, Project, User


def may_see(user: User) -> ColumnElement[bool]:
    """The condition on Project under which this user may see it."""
    if user.role == "admin":
        return Project.id.is_not(None)
    member = exists().where(Membership.project_id == Project.id, Membership.user_id == user.id)
    return or_(Project.is_open, member)


def require_project(slug: str, user: CurrentUser) -> Project:
    """The project of the URL. Raises NotFound when it is unknown or not this user's."""
    with reading() as db:
        project = db.scalar(select(Project).where(Project.slug == slug, may_see(user)))
    if project is None:
        raise NotFound("project")
    return project


def require_admins_project(slug: str, user: Admin) -> Project:
    """The project of the URL, for what only admins may do."""
    return require_project(slug, user)


InProject = Annotated[Project, Depends(require_project)]
AdminsProject = Annotated[Project, Depends(require_admins_project)]

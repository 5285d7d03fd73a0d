"""Dependencies that turn a slug into a project this user may see, else 404."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import BindParameter, ColumnElement, bindparam, exists, or_, select, true

from app.accounts.access import Admin, CurrentUser
from app.db.session import read_session
from app.errors import NotFound
from app.models import Membership, Project, User
from app.models.enums import Role


def is_visible_to(user: User) -> ColumnElement[bool]:
    """Build the SQL condition for projects this user may see."""
    return true() if user.role == Role.ADMIN else _is_open_to(user.id)


def _is_open_to(user_id: int | BindParameter[int]) -> ColumnElement[bool]:
    member = exists().where(Membership.project_id == Project.id, Membership.user_id == user_id)
    return or_(Project.is_open, member)


_BY_SLUG = select(Project).where(Project.slug == bindparam("slug"))
_BY_SLUG_AND_OPEN = _BY_SLUG.where(_is_open_to(bindparam("user_id")))


def require_project(slug: str, user: CurrentUser) -> Project:
    """Return the project of the URL. Raises NotFound if unknown or not visible to this user."""
    with read_session() as db:
        if user.role == Role.ADMIN:
            project = db.scalar(_BY_SLUG, {"slug": slug})
        else:
            project = db.scalar(_BY_SLUG_AND_OPEN, {"slug": slug, "user_id": user.id})
    if project is None:
        raise NotFound("project")
    return project


def require_admin_project(slug: str, user: Admin) -> Project:
    """Return the project of the URL, for admins only."""
    return require_project(slug, user)


CurrentProject = Annotated[Project, Depends(require_project)]
AdminProject = Annotated[Project, Depends(require_admin_project)]

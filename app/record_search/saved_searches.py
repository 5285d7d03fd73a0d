"""Slices: searches of the records page with a name. What they hold is asked anew each time."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.models import Project, SavedSearch, User
from app.models.enums import Role
from app.projects.label_names import name_key
from app.search.matches import find_matches
from app.search.request import SearchRequest

LONGEST_NAME = 120


def list_project_searches(db: Session, project_id: int) -> list[SavedSearch]:
    """The project's slices, by name."""
    query = select(SavedSearch).where(SavedSearch.project_id == project_id)
    return list(db.scalars(query.order_by(SavedSearch.name_key)))


def find_saved_search(db: Session, project_id: int, saved_search_id: int) -> SavedSearch:
    """The slice. Raises NotFound when it is unknown or another project's."""
    query = select(SavedSearch).where(
        SavedSearch.project_id == project_id, SavedSearch.id == saved_search_id
    )
    found = db.scalar(query)
    if found is None:
        raise NotFound("saved search")
    return found


def parse_saved_search(found: SavedSearch) -> SearchRequest:
    """What the slice searches for."""
    return SearchRequest.from_query(found.request)


def count_found(db: Session, project: Project, found: SavedSearch) -> int:
    """How many records it holds now. Raises as find() does."""
    return len(find_matches(db, project, parse_saved_search(found)).ids)


def add_saved_search(
    db: Session, project: Project, user: User, name: str, search: SearchRequest
) -> SavedSearch:
    """Keep a search under a name. Raises Invalid, Conflict when the name is taken."""
    if search.is_empty:
        raise Invalid("A slice needs a filter: without one it is every record.")
    row = SavedSearch(project_id=project.id, user_id=user.id, request=search.as_query())
    _set_name(row, name)
    return _store(db, row)


def rename_saved_search(db: Session, found: SavedSearch, user: User, name: str) -> SavedSearch:
    """Raises NotAllowed for somebody else's, Invalid, Conflict when the name is taken."""
    _check_owner(found, user)
    _set_name(found, name)
    return _store(db, found)


def delete_saved_search(db: Session, found: SavedSearch, user: User) -> None:
    """Forget the name; the records stay. Raises NotAllowed for somebody else's."""
    _check_owner(found, user)
    db.delete(found)


def may_change(found: SavedSearch, user: User) -> bool:
    """Whoever made it, and admins."""
    return user.role == Role.ADMIN or found.user_id == user.id


def _check_owner(found: SavedSearch, user: User) -> None:
    if not may_change(found, user):
        raise NotAllowed("Only who made this slice, or an admin, may change it.")


def _set_name(row: SavedSearch, name: str) -> None:
    plain = " ".join(name.replace("\0", "").split())
    if not 0 < len(plain) <= LONGEST_NAME:
        raise Invalid(f"A slice has a name of 1 to {LONGEST_NAME} characters.")
    row.name, row.name_key = plain, name_key(plain)


def _store(db: Session, row: SavedSearch) -> SavedSearch:
    name = row.name
    try:
        with db.begin_nested():
            db.add(row)
    except IntegrityError:
        raise Conflict(f"There is a slice named “{name}” already. Choose another name.") from None
    return row

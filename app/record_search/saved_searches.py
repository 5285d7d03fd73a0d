"""Saved searches of the records page. Their results are computed each time they are opened."""

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
    """List the project's saved searches by name."""
    query = select(SavedSearch).where(SavedSearch.project_id == project_id)
    return list(db.scalars(query.order_by(SavedSearch.name_key)))


def find_saved_search(db: Session, project_id: int, saved_search_id: int) -> SavedSearch:
    """Return the saved search. Raises NotFound if it is unknown or belongs to another project."""
    query = select(SavedSearch).where(
        SavedSearch.project_id == project_id, SavedSearch.id == saved_search_id
    )
    found = db.scalar(query)
    if found is None:
        raise NotFound("saved search")
    return found


def parse_saved_search(found: SavedSearch) -> SearchRequest:
    """Return the search request."""
    return SearchRequest.from_query(found.request)


def count_found(db: Session, project: Project, found: SavedSearch) -> int:
    """Count the records it finds now. Raises what find_matches() raises."""
    return len(find_matches(db, project, parse_saved_search(found)).ids)


def add_saved_search(
    db: Session, project: Project, user: User, name: str, search: SearchRequest
) -> SavedSearch:
    """Save a search under a name. Raises Invalid, Conflict when the name is taken."""
    if search.is_empty:
        raise Invalid("Set a filter or search words before saving the search.")
    row = SavedSearch(project_id=project.id, user_id=user.id, request=search.as_query())
    _set_name(row, name)
    return _store(db, row)


def rename_saved_search(db: Session, found: SavedSearch, user: User, name: str) -> SavedSearch:
    """Rename it. Raises NotAllowed for another user's, Invalid, Conflict if the name is taken."""
    _check_owner(found, user)
    _set_name(found, name)
    return _store(db, found)


def delete_saved_search(db: Session, found: SavedSearch, user: User) -> None:
    """Delete it; its records are kept. Raises NotAllowed for another user's."""
    _check_owner(found, user)
    db.delete(found)


def may_change(found: SavedSearch, user: User) -> bool:
    """Return whether the user created it or is an admin."""
    return user.role == Role.ADMIN or found.user_id == user.id


def _check_owner(found: SavedSearch, user: User) -> None:
    if not may_change(found, user):
        raise NotAllowed("Only its creator or an admin can change this saved search.")


def _set_name(row: SavedSearch, name: str) -> None:
    plain = " ".join(name.replace("\0", "").split())
    if not 0 < len(plain) <= LONGEST_NAME:
        raise Invalid(f"Name must have 1 to {LONGEST_NAME} characters.")
    row.name, row.name_key = plain, name_key(plain)


def _store(db: Session, row: SavedSearch) -> SavedSearch:
    name = row.name
    try:
        with db.begin_nested():
            db.add(row)
    except IntegrityError:
        raise Conflict(
            f"A saved search named “{name}” already exists. Choose another name."
        ) from None
    return row

"""Forms that save, rename and delete searches."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.db.session import Db
from app.models import Project
from app.projects.access import CurrentProject
from app.record_search.saved_searches import (
    add_saved_search,
    delete_saved_search,
    find_saved_search,
    parse_saved_search,
    rename_saved_search,
)
from app.search.request import SearchRequest

router = APIRouter()
Name = Annotated[str, Form(max_length=1_000)]


@router.post("/projects/{slug}/records/saved-searches")
def save_search_by_form(
    project: CurrentProject,
    user: CurrentUser,
    db: Db,
    name: Name,
    query: Annotated[str, Form()] = "",
) -> Response:
    """Save the search of this URL."""
    search = SearchRequest.from_query(dict(parse_qsl(query)))
    return _to(project, parse_saved_search(add_saved_search(db, project, user, name, search)))


@router.post("/projects/{slug}/records/saved-searches/{saved_search_id}/rename")
def rename_saved_search_by_form(
    project: CurrentProject, user: CurrentUser, saved_search_id: int, db: Db, name: Name
) -> Response:
    """Rename a saved search."""
    found = find_saved_search(db, project.id, saved_search_id)
    return _to(project, parse_saved_search(rename_saved_search(db, found, user, name)))


@router.post("/projects/{slug}/records/saved-searches/{saved_search_id}/delete")
def delete_saved_search_by_form(
    project: CurrentProject, user: CurrentUser, saved_search_id: int, db: Db
) -> Response:
    """Delete a saved search; its records are kept."""
    found = find_saved_search(db, project.id, saved_search_id)
    delete_saved_search(db, found, user)
    return _to(project, SearchRequest())


def _to(project: Project, search: SearchRequest) -> Response:
    return RedirectResponse(search.address(f"/projects/{project.slug}/records"), 303)

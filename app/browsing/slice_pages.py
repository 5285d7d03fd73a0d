"""Slices for people: keep a search under a name, rename it, delete it."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.browsing.asked import Asked
from app.browsing.slices import add_slice, asked_of, delete_slice, find_slice, rename_slice
from app.database import Db
from app.models import Project
from app.projects.access import InProject

router = APIRouter()
Name = Annotated[str, Form(max_length=1_000)]


@router.post("/projects/{slug}/records/slices")
def keep_slice(
    project: InProject, user: CurrentUser, db: Db, name: Name, query: Annotated[str, Form()] = ""
) -> Response:
    """Keep the search of this address."""
    asked = Asked.from_query(dict(parse_qsl(query)))
    return _to(project, asked_of(add_slice(db, project, user, name, asked)))


@router.post("/projects/{slug}/records/slices/{slice_id}/rename")
def rename_kept_slice(
    project: InProject, user: CurrentUser, slice_id: int, db: Db, name: Name
) -> Response:
    """Give it another name."""
    found = find_slice(db, project.id, slice_id)
    return _to(project, asked_of(rename_slice(db, found, user, name)))


@router.post("/projects/{slug}/records/slices/{slice_id}/delete")
def delete_kept_slice(project: InProject, user: CurrentUser, slice_id: int, db: Db) -> Response:
    """Forget the name; the records stay."""
    found = find_slice(db, project.id, slice_id)
    delete_slice(db, found, user)
    return _to(project, Asked())


def _to(project: Project, asked: Asked) -> Response:
    return RedirectResponse(asked.address(f"/projects/{project.slug}/records"), 303)

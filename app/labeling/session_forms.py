"""Sessions that the product chooses, or accepts whole: what the page's buttons post."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.database import Db
from app.html import see
from app.labeling.auditing import accept_session
from app.labeling.sessions import find_session, start_next
from app.projects.access import InProject

router = APIRouter()


@router.post("/projects/{slug}/sessions/next")
def start_next_session(request: Request, project: InProject, user: CurrentUser) -> Response:
    """Start the session that brings most per action now, and go there."""
    session = start_next(project, user)
    return see(request, "show_session", slug=project.slug, session_id=session.id)


@router.post("/projects/{slug}/sessions/{session_id}/accept-rest")
def accept_audited_session(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: Db,
    key: Annotated[str, Form(min_length=1, max_length=80)],
) -> Response:  # fmt: skip
    """Accept all that is suggested in a session whose audit went well."""
    session = find_session(db, project.id, session_id)
    accept_session(db, project, session, user.id, key=key)
    return see(request, "show_session", slug=project.slug, session_id=session.id)

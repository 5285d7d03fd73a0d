"""Sessions that the product chooses, or accepts whole: what the page's buttons post."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.db.session import Db
from app.labeling.annotations.actions import hash_request
from app.labeling.sessions.acceptance import MIN_SCORE
from app.labeling.sessions.bulk_accept import accept_session
from app.labeling.sessions.session_list import set_hidden
from app.labeling.sessions.sessions import find_session, start_next
from app.labeling.team.assignments import assign
from app.labeling.team.multi_annotation import set_multi_annotation
from app.projects.access import AdminProject, CurrentProject
from app.web.form_fields import IdempotencyKeyField
from app.web.templating import redirect_to

router = APIRouter()


@router.post("/projects/{slug}/sessions/next")
def start_next_session(request: Request, project: CurrentProject, user: CurrentUser) -> Response:
    """Start the session that brings most per action now, and go there."""
    session = start_next(project, user)
    return redirect_to(request, "show_session", slug=project.slug, session_id=session.id)


@router.post("/projects/{slug}/sessions/{session_id}/accept-rest")
def accept_checked_session(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: Db,
    key: IdempotencyKeyField,
    min_score: Annotated[float, Form(ge=0, le=1, allow_inf_nan=False)] = MIN_SCORE,
) -> Response:
    """Accept what is suggested with at least this score in a session whose audit went well."""
    session = find_session(db, project.id, session_id)
    accept_session(
        db,
        project,
        session,
        user.id,
        key=key,
        min_score=min_score,
        request_hash=hash_request(
            "accept session by form", session=session.id, min_score=min_score
        ),
    )
    return redirect_to(request, "show_session", slug=project.slug, session_id=session.id)


@router.post("/projects/{slug}/sessions/{session_id}/assignments")
def assign_session(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: Db,
    user_ids: Annotated[list[int] | None, Form()] = None,
) -> Response:
    """Assign a session to exactly these people."""
    session = find_session(db, project.id, session_id)
    assign(db, project, session, user_ids or [], user)
    return redirect_to(request, "show_sessions", slug=project.slug)


@router.post("/projects/{slug}/sessions/{session_id}/hide")
def hide_session(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: Db,
    is_hidden: Annotated[bool, Form()] = True,
) -> Response:
    """Take a session off the lists, or put it back."""
    set_hidden(db, find_session(db, project.id, session_id), user, is_hidden=is_hidden)
    return redirect_to(request, "show_sessions", slug=project.slug)


@router.post("/projects/{slug}/multi-annotation")
def change_multi_annotation(
    request: Request,
    project: AdminProject,
    user: CurrentUser,
    db: Db,
    percent: Annotated[float, Form(allow_inf_nan=False)],
    n_people: Annotated[int, Form()] = 2,
) -> Response:
    """Say which share of the records several people judge, each for themselves."""
    set_multi_annotation(db, project, percent / 100, n_people, user)
    return redirect_to(request, "show_sessions", slug=project.slug)

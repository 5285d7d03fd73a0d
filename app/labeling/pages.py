"""The labeling room for people: sessions to start, and the rest of the room's pages."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.db.session import ReadDb
from app.labeling.labels.pages import router as label_router
from app.labeling.noscript_forms import router as form_router
from app.labeling.sessions import sessions
from app.labeling.sessions.forms import router as session_form_router
from app.labeling.sessions.next_best import load_offers
from app.labeling.sessions.pages import router as session_page_router
from app.labeling.sessions.session_list import load_hidden_lines, load_session_lists
from app.labeling.sessions.start_form import StartFields
from app.labeling.sessions.start_form import router as offer_router
from app.labeling.team.assignments import can_assign, list_assignable_users
from app.labeling.team.multi_annotation import multi_annotation_share
from app.projects.access import CurrentProject
from app.projects.labels import is_offered, list_all_labels
from app.web.form_values import parse_optional_number
from app.web.templating import redirect_to, render

router = APIRouter(include_in_schema=False)
router.include_router(form_router)
router.include_router(label_router)
router.include_router(session_form_router)
# Before the session's own pages: "forecast" is no session's number.
router.include_router(offer_router)
router.include_router(session_page_router)


@router.get("/projects/{slug}/sessions")
def show_sessions(
    request: Request, project: CurrentProject, user: CurrentUser, db: ReadDb, hidden: bool = False
) -> HTMLResponse:
    """Ways to start a session, and those there are; hidden: those that the user hid."""
    offered = [label for label in list_all_labels(db, project.id) if is_offered(label)]
    can = can_assign(user)
    return render(
        request,
        "labeling/sessions.html",
        project=project,
        labels=offered,
        by_id={label.id: label for label in offered},
        now=load_offers(db, project, user.id),
        lists=load_session_lists(db, project, user),
        can_assign=can,
        people=list_assignable_users(db, project) if can else [],
        hidden=load_hidden_lines(db, project, user) if hidden else [],
        overlap=round(100 * multi_annotation_share(project), 1),
    )


@router.post("/projects/{slug}/sessions")
def start_session(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    fields: Annotated[StartFields, Form()],
) -> Response:
    """Start a session and go there."""
    session = sessions.start_session(
        project,
        user,
        fields.seed_kind,
        seed=fields.seed,
        k=parse_optional_number(fields.k, "number of records"),
        filters=fields.filters,
        from_session_id=parse_optional_number(fields.from_session_id, "session"),
        title=fields.title,
    )
    return redirect_to(request, "show_session", slug=project.slug, session_id=session.id)


@router.post("/projects/{slug}/sessions/{session_id}/restart")
def start_session_again(
    request: Request, project: CurrentProject, user: CurrentUser, session_id: int, db: ReadDb
) -> Response:
    """Start the same session with the version that is active now."""
    before = sessions.find_session(db, project.id, session_id)
    session = sessions.start_again(project, user, before)
    return redirect_to(request, "show_session", slug=project.slug, session_id=session.id)

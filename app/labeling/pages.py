"""The labeling room for people: sessions to start, and the rest of the room's pages."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.database import ReadDb
from app.html import render, see
from app.labeling import sessions
from app.labeling.assignments import assignable, can_assign
from app.labeling.forms import router as form_router
from app.labeling.label_pages import router as label_router
from app.labeling.listing import hidden_lines, lists
from app.labeling.offer_pages import router as offer_router
from app.labeling.overlap import overlap_share
from app.labeling.session_forms import router as session_form_router
from app.labeling.session_pages import router as session_page_router
from app.labeling.start_fields import StartFields, optional
from app.labeling.ways import offers
from app.projects.access import InProject
from app.projects.labels import every_label, is_offered

router = APIRouter(include_in_schema=False)
router.include_router(form_router)
router.include_router(label_router)
router.include_router(session_form_router)
# Before the session's own pages: "forecast" is no session's number.
router.include_router(offer_router)
router.include_router(session_page_router)


@router.get("/projects/{slug}/sessions")
def show_sessions(
    request: Request, project: InProject, user: CurrentUser, db: ReadDb, hidden: bool = False
) -> HTMLResponse:
    """Ways to start a session, and those there are; hidden: those that the user hid."""
    offered = [label for label in every_label(db, project.id) if is_offered(label)]
    can = can_assign(user)
    return render(
        request, "labeling/sessions.html", project=project, labels=offered,
        by_id={label.id: label for label in offered}, now=offers(db, project, user.id),
        lists=lists(db, project, user), can_assign=can,
        people=assignable(db, project) if can else [],
        hidden=hidden_lines(db, project, user) if hidden else [],
        overlap=round(100 * overlap_share(project), 1),
    )  # fmt: skip


@router.post("/projects/{slug}/sessions")
def start_session(
    request: Request, project: InProject, user: CurrentUser,
    fields: Annotated[StartFields, Form()],
) -> Response:  # fmt: skip
    """Start a session and go there."""
    session = sessions.start_session(
        project, user, fields.seed_kind, seed=fields.seed, k=optional(fields.k),
        filters=fields.filters, from_session_id=optional(fields.from_session_id),
        title=fields.title,
    )  # fmt: skip
    return see(request, "show_session", slug=project.slug, session_id=session.id)


@router.post("/projects/{slug}/sessions/{session_id}/again")
def start_session_again(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: ReadDb
) -> Response:
    """The same session, asked of the version that is active now."""
    before = sessions.find_session(db, project.id, session_id)
    session = sessions.start_again(project, user, before)
    return see(request, "show_session", slug=project.slug, session_id=session.id)

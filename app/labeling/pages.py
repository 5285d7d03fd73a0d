"""The labeling room for people: sessions to start, and the rest of the room's pages."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.database import ReadDb
from app.errors import Invalid
from app.html import render, see
from app.labeling import sessions
from app.labeling.forms import router as form_router
from app.labeling.items import session_progress
from app.labeling.label_pages import router as label_router
from app.labeling.listing import recent_sessions
from app.labeling.session_forms import router as session_form_router
from app.labeling.session_pages import router as session_page_router
from app.labeling.ways import offers
from app.projects.access import InProject
from app.projects.labels import every_label, is_offered
from app.records.filters import Filters

router = APIRouter(include_in_schema=False)
router.include_router(form_router)
router.include_router(label_router)
router.include_router(session_form_router)
router.include_router(session_page_router)


@router.get("/projects/{slug}/sessions")
def show_sessions(
    request: Request, project: InProject, user: CurrentUser, db: ReadDb
) -> HTMLResponse:
    """Ways to start a session, and the recent ones."""
    recent = recent_sessions(db, project.id)
    offered = [label for label in every_label(db, project.id) if is_offered(label)]
    now = offers(db, project, user.id)
    return render(
        request, "labeling/sessions.html", project=project, labels=offered,
        recent=[(each, session_progress(db, each, user.id)) for each in recent],
        by_id={label.id: label for label in offered}, best=now.best, pages=now.pages,
        ways=now.ways,
    )  # fmt: skip


@router.post("/projects/{slug}/sessions")
def start_session(
    request: Request, project: InProject, user: CurrentUser,
    seed_kind: Annotated[str, Form()],
    record_ids: Annotated[list[str] | None, Form()] = None,
    label_id: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
    k: Annotated[str, Form()] = "",
    from_session_id: Annotated[str, Form()] = "",
    q: Annotated[str, Form()] = "",
    state: Annotated[str, Form()] = "unlabeled",
    label: Annotated[str, Form()] = "",
    field: Annotated[str, Form()] = "",
    value: Annotated[str, Form()] = "",
    title: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Start a session and go there. The filters are those of app.records.filters."""
    ids = [whole(part) for each in record_ids or [] for part in each.split(",") if part.strip()]
    seed = sessions.seed_of(seed_kind, ids, whole(label_id) if label_id else None, text)
    filters = Filters.from_query(
        {"q": q, "state": state, "label": label, "field": field, "value": value}
    )
    session = sessions.start_session(
        project, user, seed_kind, seed=seed, k=whole(k) if k.strip() else None, filters=filters,
        from_session_id=whole(from_session_id) if from_session_id else None, title=title,
    )  # fmt: skip
    return see(request, "show_session", slug=project.slug, session_id=session.id)


def whole(text: str) -> int:
    """A number that a form sent. Raises Invalid for anything else."""
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) < 10):
        raise Invalid(f"“{text[:20]}” is not a number that can be used here.")
    return int(text)


@router.post("/projects/{slug}/sessions/{session_id}/again")
def start_session_again(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: ReadDb
) -> Response:
    """The same session, asked of the version that is active now."""
    before = sessions.find_session(db, project.id, session_id)
    session = sessions.start_again(project, user, before)
    return see(request, "show_session", slug=project.slug, session_id=session.id)

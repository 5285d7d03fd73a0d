"""The labeling room for people: sessions to start, and the page where they are labeled."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.accounts.access import CurrentUser
from app.database import ReadDb
from app.errors import Invalid
from app.html import render, see
from app.labeling import sessions
from app.labeling.auditing import can_be_audited, n_sampled_done, sampled_ranks
from app.labeling.forecast import forecast_of
from app.labeling.forms import router as form_router
from app.labeling.items import PAGE, Item, first_undecided, items, items_at, session_progress
from app.labeling.label_pages import router as label_router
from app.labeling.session_forms import router as session_form_router
from app.labeling.undoing import next_redo, next_undo
from app.labeling.ways import offers
from app.models import LabelingSession, Project, User
from app.projects.access import InProject
from app.projects.labels import every_label, is_offered, label_key
from app.records.filters import Filters
from app.search.encoders import active_encoder, find_encoder

router = APIRouter(include_in_schema=False)
router.include_router(form_router)
router.include_router(label_router)
router.include_router(session_form_router)


@router.get("/projects/{slug}/sessions")
def show_sessions(
    request: Request, project: InProject, user: CurrentUser, db: ReadDb
) -> HTMLResponse:
    """Ways to start a session, and the recent ones."""
    recent = sessions.recent_sessions(db, project.id)
    offered = [label for label in every_label(db, project.id) if is_offered(label)]
    now = offers(db, project)
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


@router.get("/projects/{slug}/sessions/{session_id}")
def show_session(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: ReadDb,
    view: Annotated[str, Query()] = "list",
    at: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
    audit: bool = False,
) -> HTMLResponse:  # fmt: skip
    """The session where the user goes on: at the first record they said nothing about.

    audit  only the rows that are labeled before the rest can be accepted
    """
    session = sessions.find_session(db, project.id, session_id)
    place = first_undecided(db, session, user.id) if at is None else at
    place = min(place, max(session.n_records - 1, 0))
    start = place // PAGE * PAGE
    sampled = sampled_ranks(session) if can_be_audited(project, session) else []
    if is_audited := audit and bool(sampled):
        rows = items_at(db, project, session, user.id, sampled)
    else:
        rows = items(db, project, session, user.id, start)
    return render(
        request, "labeling/session.html", session=session, at=place, start=start, page_size=PAGE,
        view="card" if view == "card" else "list", sampled=sampled, is_audited=is_audited,
        n_sampled_done=n_sampled_done(db, session, user.id) if sampled else 0,
        progress=session_progress(db, session, user.id), forecast=_forecast(db, project, session),
        **_rows(db, project, rows), **_about(db, project, session, user),
    )  # fmt: skip


@router.get("/projects/{slug}/sessions/{session_id}/rows")
def show_session_rows(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: ReadDb,
    start: Annotated[int, Query(ge=0, le=1_000_000)],
) -> HTMLResponse:  # fmt: skip
    """The next rows of a long session, for the page to have ahead of time."""
    session = sessions.find_session(db, project.id, session_id)
    rows = items(db, project, session, user.id, start // PAGE * PAGE)
    context = _rows(db, project, rows)
    return render(request, "labeling/_rows.html", session=session, at=-1, start=start, **context)


def _forecast(db: Session, project: Project, session: LabelingSession) -> str:
    """An audit asks what people say without having read what is expected."""
    if session.seed_kind == "audit":
        return ""
    ids = sessions.record_ids_in(db, session)
    return forecast_of(db, project, session.encoder_id, ids).sentence


def _rows(db: Session, project: Project, rows: list[Item]) -> dict[str, Any]:
    labels = every_label(db, project.id)
    offered = [label for label in labels if is_offered(label)]
    return {
        "project": project,
        "items": rows,
        "labels": {label.id: label for label in labels},
        "keyed": [(label, label_key(place)) for place, label in enumerate(offered)],
        # Each form's own idempotency key, so that a double click says a thing once.
        "form_key": lambda: uuid.uuid4().hex,
    }


def _about(db: Session, project: Project, session: LabelingSession, user: User) -> dict[str, Any]:
    active = active_encoder(db, project.id)
    pinned = session.encoder_id and find_encoder(db, project.id, session.encoder_id)
    undoable, redoable = next_undo(db, project.id, user.id), next_redo(db, project.id, user.id)
    return {
        "encoder": pinned,
        "newer": active if active and active.id != session.encoder_id else None,
        "undo_id": undoable.id if undoable else None,
        "redo_id": redoable.id if redoable else None,
        "keys": user.preferences.get("keys", {}),
    }

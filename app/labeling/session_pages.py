"""One labeling session for people: its page, and what the page asks for later."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from sqlalchemy.orm import Session

from app.accounts.access import CurrentUser
from app.accounts.looks import Look
from app.database import ReadDb
from app.errors import Invalid, NotFound
from app.html import render
from app.labeling import sessions
from app.labeling.accepting import can_be_audited, n_sampled_done, sampled_ranks
from app.labeling.counts import label_counts
from app.labeling.digits import keyed_labels, letters_of
from app.labeling.forecast import forecast_of
from app.labeling.highlights import shown_texts
from app.labeling.items import (
    PAGE,
    Item,
    first_undecided,
    items,
    items_at,
    position_of,
    record_at,
    session_progress,
)
from app.labeling.outline import Outline, outline_of
from app.labeling.renewing import change_of
from app.labeling.reordering import UNSUGGESTED
from app.labeling.undoing import next_redo, next_undo
from app.models import LabelingSession, Project, Record, User
from app.projects.access import InProject
from app.projects.labels import every_label, is_offered
from app.search.encoders import active_encoder, find_encoder

router = APIRouter()
SESSION = "/projects/{slug}/sessions/{session_id}"
MOST_ROWS = 200
Rank = Annotated[int, Path(ge=0, le=1_000_000)]


@router.get(SESSION)
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
        # Keys act on a row that is there.
        place = next((row.rank for row in rows if not row.standing.own_verdict), sampled[0])
    else:
        rows = items(db, project, session, user.id, start)
    return render(
        request, "labeling/session.html", at=place, start=start, page_size=PAGE,
        view="card" if view == "card" else "list", sampled=sampled, is_audited=is_audited,
        n_sampled_done=n_sampled_done(db, session, user.id) if sampled else 0,
        progress=session_progress(db, session, user.id), forecast=_forecast(db, project, session),
        label_counts=label_counts(db, project.id), has_forms=True,
        **_rows(db, project, session, user, rows), **_about(db, project, session, user),
    )  # fmt: skip


@router.get(SESSION + "/change")
def show_change(
    project: InProject, user: CurrentUser, session_id: int, db: ReadDb
) -> PlainTextResponse:
    """How many rows would be others, were the session started again now; empty where it is moot."""
    change = change_of(db, project, sessions.find_session(db, project.id, session_id), user.id)
    return PlainTextResponse(change.sentence if change else "")


@router.get(SESSION + "/rows")
def show_session_rows(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: ReadDb,
    ranks: Annotated[str, Query(max_length=2_000)] = "",
    record: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> HTMLResponse:  # fmt: skip
    """Rows for the page to have ahead of time: those with these ranks, or a record's own row."""
    session = sessions.find_session(db, project.id, session_id)
    asked = _ranks(ranks) if record is None else [position_of(db, session, record)]
    known = [rank for rank in asked if rank is not None]
    if not known:
        raise NotFound("row")
    context = _rows(db, project, session, user, items_at(db, project, session, user.id, known))
    # A script asked: it needs no forms.
    return render(request, "labeling/_rows.html", at=-1, start=known[0], has_forms=False, **context)


def _ranks(words: str) -> list[int]:
    parts = [part for part in words.split(",") if part]
    if not all(part.isascii() and part.isdigit() and len(part) < 8 for part in parts):
        raise Invalid("Rows are asked for by their ranks, separated by commas.")
    return [int(part) for part in parts[:MOST_ROWS]]


@router.get(SESSION + "/outline")
def read_outline(project: InProject, user: CurrentUser, session_id: int, db: ReadDb) -> Outline:
    """What a threshold is drawn through: every row's similarity and suggestion, in few words."""
    session = sessions.find_session(db, project.id, session_id)
    return outline_of(db, project, session, user.id)


@router.get(SESSION + "/texts/{rank}")
def show_whole_text(
    project: InProject, session_id: int, rank: Rank, db: ReadDb
) -> PlainTextResponse:
    """All of a text that the page folds, as nothing but text."""
    return PlainTextResponse(_record_at(db, project, session_id, rank).text)


@router.get(SESSION + "/fields/{rank}")
def show_fields(
    request: Request, project: InProject, session_id: int, rank: Rank, db: ReadDb
) -> HTMLResponse:
    """The fields that a row's record was imported with."""
    record = _record_at(db, project, session_id, rank)
    return render(request, "labeling/_fields.html", project=project, record=record)


def _record_at(db: Session, project: Project, session_id: int, rank: int) -> Record:
    session = sessions.find_session(db, project.id, session_id)
    record = record_at(db, session, rank)
    if record is None:
        raise NotFound("row")
    return record


def _forecast(db: Session, project: Project, session: LabelingSession) -> str:
    """An audit asks without saying what is expected, and what is labeled needs no forecast."""
    if session.seed_kind in UNSUGGESTED:
        return ""
    ids = sessions.record_ids_in(db, session)
    found = forecast_of(db, project, session.encoder_id, ids)
    return found.sentence if found.n_labeled < found.n_records else ""


def _rows(
    db: Session, project: Project, session: LabelingSession, user: User, rows: list[Item]
) -> dict[str, Any]:
    labels = every_label(db, project.id)
    offered = [label for label in labels if is_offered(label)]
    return {
        "project": project,
        "session": session,
        "items": rows,
        "texts": shown_texts(db, session, rows),
        "labels": {label.id: label for label in labels},
        "keyed": keyed_labels(user, project, offered),
        "letters": letters_of(user, project, offered),
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
        "look": Look.of(user),
    }

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
from app.labeling.acceptance import (
    MIN_SCORE,
    OFFERED_MIN_SCORES,
    Acceptance,
    find_obstacle,
    sum_up,
)
from app.labeling.accepting import (
    can_be_audited,
    n_sampled_done,
    sampled_ranks,
    sum_up_session,
)
from app.labeling.counts import label_counts
from app.labeling.digits import keyed_labels, letters_of
from app.labeling.duplicates import followers
from app.labeling.highlights import shown_texts
from app.labeling.items import (
    LONGEST_WHOLE,
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
from app.labeling.session_forecast import forecast_session
from app.labeling.undoing import next_redo, next_undo
from app.models import LabelingSession, Project, Record, User
from app.projects.access import InProject
from app.projects.labels import every_label, is_offered
from app.records.records import openings_of
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
    obstacle = find_obstacle(db, session)
    sampled = sampled_ranks(session) if _can_accept_all(project, session, obstacle) else []
    if is_audited := audit and bool(sampled):
        rows = items_at(db, project, session, user.id, sampled)
        # Keys act on a row that is there.
        place = next((row.rank for row in rows if not row.standing.own_verdict), sampled[0])
    else:
        rows = items(db, project, session, user.id, start)
    progress = session_progress(db, session, user.id)
    return render(
        request, "labeling/session.html", at=place, start=start, page_size=PAGE,
        view="card" if view == "card" else "list", sampled=sampled, is_audited=is_audited,
        n_sampled_done=n_sampled_done(db, session, user.id) if sampled else 0,
        progress=progress, expectation=_expectation(db, project, session, user, progress.n_decided),
        page_acceptance=_sum_up_page(rows), min_score=MIN_SCORE, min_scores=OFFERED_MIN_SCORES,
        acceptance=sum_up_session(db, project, session, user.id) if sampled else None,
        label_counts=label_counts(db, project.id), has_forms=True, obstacle=obstacle,
        **_rows(db, project, session, user, rows), **_about(db, project, session, user),
    )  # fmt: skip


@router.get(SESSION + "/expectation")
def show_expectation(
    project: InProject, user: CurrentUser, session_id: int, db: ReadDb
) -> PlainTextResponse:
    """Show what is expected of the session by what was decided in it so far, in a sentence."""
    session = sessions.find_session(db, project.id, session_id)
    return PlainTextResponse(_forecast(db, project, session, user))


@router.get(SESSION + "/acceptance")
def show_acceptance(
    project: InProject, user: CurrentUser, session_id: int, db: ReadDb,
    min_score: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)] = MIN_SCORE,
) -> PlainTextResponse:  # fmt: skip
    """Show how many rows accepting the rest of the session would take, and how sure they are."""
    session = sessions.find_session(db, project.id, session_id)
    return PlainTextResponse(sum_up_session(db, project, session, user.id, min_score).sentence)


def _can_accept_all(project: Project, session: LabelingSession, obstacle: str) -> bool:
    return not obstacle and can_be_audited(project, session)


def _sum_up_page(rows: list[Item]) -> Acceptance:
    still_open = [row for row in rows if row.suggestions and not row.standing.own_verdict]
    return sum_up([row.suggestions[0].score for row in still_open])


def _expectation(
    db: Session, project: Project, session: LabelingSession, user: User, n_decided: int
) -> str:
    """Why the product chose the session, or its forecast; what was foretold ends with the first
    decision."""
    why: str = session.seed.get("why", "")
    is_foretold = session.seed_kind == "suggested"
    if why and (n_decided == 0 or not is_foretold):
        return why
    return _forecast(db, project, session, user)


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


@router.get(SESSION + "/copies/{rank}")
def show_copies(
    request: Request, project: InProject, user: CurrentUser, session_id: int, rank: Rank,
    db: ReadDb,
) -> HTMLResponse:  # fmt: skip
    """Show the records that follow the label of a row."""
    session = sessions.find_session(db, project.id, session_id)
    record = _record_at(db, project, session_id, rank)
    ids = followers(db, session, user.id, [record.id]).get(record.id, [])
    found = openings_of(db, ids[:MOST_ROWS], LONGEST_WHOLE)
    return render(
        request, "labeling/copies.html", project=project, session=session, rank=rank,
        copies=[found[each] for each in ids if each in found], n_copies=len(ids),
    )  # fmt: skip


def _record_at(db: Session, project: Project, session_id: int, rank: int) -> Record:
    session = sessions.find_session(db, project.id, session_id)
    record = record_at(db, session, rank)
    if record is None:
        raise NotFound("row")
    return record


def _forecast(db: Session, project: Project, session: LabelingSession, user: User) -> str:
    """An audit asks without saying what is expected, and what is labeled needs no forecast."""
    if session.seed_kind in UNSUGGESTED:
        return ""
    found = forecast_session(db, project, session, user.id)
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

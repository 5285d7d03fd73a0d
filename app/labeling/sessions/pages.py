"""One labeling session for people: its page, and what the page asks for later."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from sqlalchemy.orm import Session

from app.accounts.access import CurrentUser
from app.accounts.display_preferences import DisplayPreferences
from app.db.session import ReadDb
from app.errors import NotFound
from app.labeling.annotations.counts import count_by_label
from app.labeling.annotations.undo import find_next_redo, find_next_undo
from app.labeling.labels.shortcuts import load_letters, pair_with_digits
from app.labeling.sessions import sessions
from app.labeling.sessions.acceptance import (
    MIN_SCORE,
    OFFERED_MIN_SCORES,
    Acceptance,
    find_obstacle,
    sum_up,
)
from app.labeling.sessions.bulk_accept import (
    can_be_spot_checked,
    count_sampled_done,
    draw_sample_ranks,
    sum_up_session,
)
from app.labeling.sessions.duplicates import find_followers
from app.labeling.sessions.highlights import build_shown_texts
from app.labeling.sessions.kinds import describe_kind
from app.labeling.sessions.rows import (
    LONGEST_WHOLE,
    MAX_RANK,
    PAGE,
    Item,
    Outline,
    build_outline,
    compute_session_progress,
    find_first_undecided,
    find_rank,
    find_record_at,
    load_items,
    load_items_at,
)
from app.labeling.sessions.session_forecast import forecast_session
from app.labeling.sessions.sessions import preview_change
from app.models import LabelingSession, Project, Record, User
from app.projects.access import CurrentProject
from app.projects.labels import is_offered, list_all_labels
from app.records.records import load_excerpts
from app.search.versions import find_active_version, find_version_by_id
from app.web.form_values import parse_whole_number
from app.web.templating import render

router = APIRouter()
SESSION = "/projects/{slug}/sessions/{session_id}"
MOST_ROWS = 200
Rank = Annotated[int, Path(ge=0, le=MAX_RANK)]


@router.get(SESSION)
def show_session(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: ReadDb,
    view: Annotated[str, Query()] = "list",
    at: Annotated[int | None, Query(ge=0, le=MAX_RANK)] = None,
    spot_check: bool = False,
) -> HTMLResponse:
    """Show the session where the user goes on: at the first record without a vote of theirs.

    spot_check  only the rows that are checked before the rest can be accepted
    """
    session = sessions.find_session(db, project.id, session_id)
    place = find_first_undecided(db, session, user.id) if at is None else at
    place = min(place, max(session.n_records - 1, 0))
    start = place // PAGE * PAGE
    obstacle = find_obstacle(db, session)
    sampled = draw_sample_ranks(session) if _can_accept_all(project, session, obstacle) else []
    if is_spot_check := spot_check and bool(sampled):
        rows = load_items_at(db, project, session, user.id, sampled)
        # Keys act on a row that is there.
        place = next((row.rank for row in rows if not row.state.own_verdict), sampled[0])
    else:
        rows = load_items(db, project, session, user.id, start)
    progress = compute_session_progress(db, session, user.id)
    return render(
        request,
        "labeling/session.html",
        at=place,
        start=start,
        page_size=PAGE,
        view="card" if view == "card" else "list",
        sampled=sampled,
        is_spot_check=is_spot_check,
        n_sampled_done=count_sampled_done(db, session, user.id) if sampled else 0,
        progress=progress,
        expectation=_expectation(db, project, session, user, progress.n_decided),
        page_acceptance=_sum_up_page(rows),
        min_score=MIN_SCORE,
        min_scores=OFFERED_MIN_SCORES,
        acceptance=sum_up_session(db, project, session, user.id) if sampled else None,
        label_counts=count_by_label(db, project.id),
        has_forms=True,
        obstacle=obstacle,
        **_build_row_context(db, project, session, user, rows),
        **_build_session_context(db, project, session, user),
    )


@router.get(SESSION + "/expectation")
def show_expectation(
    project: CurrentProject, user: CurrentUser, session_id: int, db: ReadDb
) -> PlainTextResponse:
    """Show what is expected of the session by what was decided in it so far, in a sentence."""
    session = sessions.find_session(db, project.id, session_id)
    return PlainTextResponse(_describe_forecast(db, project, session, user))


@router.get(SESSION + "/acceptance")
def show_acceptance(
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: ReadDb,
    min_score: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)] = MIN_SCORE,
) -> PlainTextResponse:
    """Show how many rows accepting the rest of the session would take, and how sure they are."""
    session = sessions.find_session(db, project.id, session_id)
    return PlainTextResponse(sum_up_session(db, project, session, user.id, min_score).sentence)


def _can_accept_all(project: Project, session: LabelingSession, obstacle: str) -> bool:
    return not obstacle and can_be_spot_checked(project, session)


def _sum_up_page(rows: list[Item]) -> Acceptance:
    still_open = [row for row in rows if row.suggestions and not row.state.own_verdict]
    return sum_up([row.suggestions[0].score for row in still_open])


def _expectation(
    db: Session, project: Project, session: LabelingSession, user: User, n_decided: int
) -> str:
    """Why the product chose the session, or its forecast; what was foretold ends with the first
    decision."""
    why: str = session.seed.get("why", "")
    if why and (n_decided == 0 or not describe_kind(session).is_why_forecast):
        return why
    return _describe_forecast(db, project, session, user)


@router.get(SESSION + "/change")
def show_change(
    project: CurrentProject, user: CurrentUser, session_id: int, db: ReadDb
) -> PlainTextResponse:
    """How many rows would be others, were the session started again now; empty where it is moot."""
    change = preview_change(db, project, sessions.find_session(db, project.id, session_id), user.id)
    return PlainTextResponse(change.sentence if change else "")


@router.get(SESSION + "/rows")
def show_session_rows(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: ReadDb,
    ranks: Annotated[str, Query(max_length=2_000)] = "",
    record: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> HTMLResponse:
    """Rows for the page to have ahead of time: those with these ranks, or a record's own row."""
    session = sessions.find_session(db, project.id, session_id)
    requested = _parse_ranks(ranks) if record is None else [find_rank(db, session, record)]
    known = [rank for rank in requested if rank is not None]
    if not known:
        raise NotFound("row")
    context = _build_row_context(
        db, project, session, user, load_items_at(db, project, session, user.id, known)
    )
    # A script asked: it needs no forms.
    return render(request, "labeling/_rows.html", at=-1, start=known[0], has_forms=False, **context)


def _parse_ranks(words: str) -> list[int]:
    ranks = [parse_whole_number(part, "row", most=MAX_RANK) for part in words.split(",") if part]
    return ranks[:MOST_ROWS]


@router.get(SESSION + "/outline")
def read_outline(
    project: CurrentProject, user: CurrentUser, session_id: int, db: ReadDb
) -> Outline:
    """Read every row's similarity and suggestion, for drawing a threshold."""
    session = sessions.find_session(db, project.id, session_id)
    return build_outline(db, project, session, user.id)


@router.get(SESSION + "/texts/{rank}")
def show_whole_text(
    project: CurrentProject, session_id: int, rank: Rank, db: ReadDb
) -> PlainTextResponse:
    """All of a text that the page folds, as nothing but text."""
    return PlainTextResponse(_find_record_at(db, project, session_id, rank).text)


@router.get(SESSION + "/fields/{rank}")
def show_fields(
    request: Request, project: CurrentProject, session_id: int, rank: Rank, db: ReadDb
) -> HTMLResponse:
    """Show the fields that a row's record was imported with."""
    record = _find_record_at(db, project, session_id, rank)
    return render(request, "labeling/_fields.html", project=project, record=record)


@router.get(SESSION + "/copies/{rank}")
def show_copies(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    rank: Rank,
    db: ReadDb,
) -> HTMLResponse:
    """Show the records that follow the label of a row."""
    session = sessions.find_session(db, project.id, session_id)
    record = _find_record_at(db, project, session_id, rank)
    ids = find_followers(db, session, user.id, [record.id]).get(record.id, [])
    found = load_excerpts(db, ids[:MOST_ROWS], LONGEST_WHOLE)
    return render(
        request,
        "labeling/copies.html",
        project=project,
        session=session,
        rank=rank,
        copies=[found[each] for each in ids if each in found],
        n_copies=len(ids),
    )


def _find_record_at(db: Session, project: Project, session_id: int, rank: int) -> Record:
    session = sessions.find_session(db, project.id, session_id)
    record = find_record_at(db, session, rank)
    if record is None:
        raise NotFound("row")
    return record


def _describe_forecast(db: Session, project: Project, session: LabelingSession, user: User) -> str:
    """Describe the forecast; a hold-out session has none, nor has what is labeled."""
    if not describe_kind(session).updates_suggestions:
        return ""
    found = forecast_session(db, project, session, user.id)
    return found.sentence if found.n_labeled < found.n_records else ""


def _build_row_context(
    db: Session, project: Project, session: LabelingSession, user: User, rows: list[Item]
) -> dict[str, Any]:
    labels = list_all_labels(db, project.id)
    offered = [label for label in labels if is_offered(label)]
    return {
        "project": project,
        "session": session,
        "kind": describe_kind(session),
        "items": rows,
        "texts": build_shown_texts(db, session, rows),
        "labels": {label.id: label for label in labels},
        "keyed": pair_with_digits(user, project, offered),
        "letters": load_letters(user, project, offered),
        # Each form's own idempotency key, so that a double click says a thing once.
        "form_key": lambda: uuid.uuid4().hex,
    }


def _build_session_context(
    db: Session, project: Project, session: LabelingSession, user: User
) -> dict[str, Any]:
    active = find_active_version(db, project.id)
    pinned = session.version_id and find_version_by_id(db, project.id, session.version_id)
    undoable, redoable = (
        find_next_undo(db, project.id, user.id),
        find_next_redo(db, project.id, user.id),
    )
    return {
        "version": pinned,
        "newer": active if active and active.id != session.version_id else None,
        "undo_id": undoable.id if undoable else None,
        "redo_id": redoable.id if redoable else None,
        "keys": user.preferences.get("keys", {}),
        "look": DisplayPreferences.from_user(user),
    }

"""Labeling without JavaScript: each button of a row is a form of its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.db.session import Db
from app.errors import Conflict, Invalid
from app.labeling.annotations.actions import find_replay, hash_request
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.comments import store_comment
from app.labeling.annotations.undo import list_record_ids, redo, undo
from app.labeling.sessions.acceptance import MIN_SCORE, check_session, is_sure_enough, sum_up
from app.labeling.sessions.duplicates import add_followers
from app.labeling.sessions.rows import MAX_RANK, Item, find_rank, load_items
from app.labeling.sessions.sessions import find_session
from app.models import LabelingSession, Project, UserAction
from app.models.enums import AnnotationSource, Verdict
from app.projects.access import CurrentProject
from app.web.form_fields import IdempotencyKeyField
from app.web.form_values import is_whole_number, parse_whole_number

router = APIRouter()

View = Annotated[Literal["list", "card"], Form()]
Rank = Annotated[int, Form(ge=0, le=MAX_RANK)]
SESSION = "/projects/{slug}/sessions/{session_id}"


@router.post(SESSION + "/votes")
def annotate_by_form(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: Db,
    rank: Rank,
    key: IdempotencyKeyField,
    value: Annotated[str, Form(alias="vote")],
    label_ids: Annotated[list[int] | None, Form()] = None,
    view: View = "list",
) -> Response:
    """Label one row.

    value  label:ID, labels (those ticked), accept:ID ID (what was shown), none, skip or not_similar
    """
    session = find_session(db, project.id, session_id)
    found = load_items(db, project, session, user.id, rank, 1)
    if not found:
        raise Conflict("This record has been deleted.")
    # Whoever accepts a suggestion agrees; nobody changes a decision that way.
    if not (value.startswith("accept:") and found[0].state.own_verdict):
        annotation = _parse_annotation(found[0], session, value, label_ids or [])
        annotations = add_followers(db, session, user.id, [annotation])
        labels = label_ids or []
        request_hash = hash_request(
            "label by form", session=session.id, rank=rank, value=value, labels=labels
        )
        annotate(
            db,
            project,
            user.id,
            annotations,
            key=key,
            session_id=session.id,
            request_hash=request_hash,
        )
    return _redirect_to_rank(request, project, session, min(rank + 1, session.n_records - 1), view)


def _parse_annotation(
    item: Item, session: LabelingSession, value: str, ticked: Sequence[int]
) -> AnnotationInput:
    kind, _, label_id = value.partition(":")
    if kind == "accept":
        return build_accepted(item, session, _parse_label_ids(label_id))
    if kind == "label" and is_whole_number(label_id):
        return _build_annotation(item, session, Verdict.LABEL, (int(label_id),))
    if kind == "labels":
        return _build_annotation(item, session, Verdict.LABEL, tuple(ticked))
    for verdict in (Verdict.NONE, Verdict.SKIP, Verdict.NOT_SIMILAR):
        if value == verdict:
            return _build_annotation(item, session, verdict)
    raise Invalid("Unknown annotation value.")


def build_accepted(item: Item, session: LabelingSession, shown: tuple[int, ...]) -> AnnotationInput:
    """Say what the page showed as suggested: by now it may have been renewed.

    Raises Conflict when it showed nothing.
    """
    if not shown:
        raise Conflict("This record has no suggestion to accept.")
    annotation = _build_annotation(item, session, Verdict.LABEL, shown)
    score = next(
        (suggestion.score for suggestion in item.suggestions if suggestion.label_id == shown[0]),
        None,
    )
    return replace(annotation, suggestion_id=shown[0], suggestion_score=score)


def _parse_label_ids(words: str) -> tuple[int, ...]:
    return tuple(parse_whole_number(word, "suggested label") for word in words.split())


def _build_annotation(
    item: Item,
    session: LabelingSession,
    verdict: Verdict,
    label_ids: tuple[int, ...] = (),
) -> AnnotationInput:
    best = item.suggestions[0] if item.suggestions else None
    return AnnotationInput(
        item.record.id,
        verdict,
        label_ids,
        rank=item.rank,
        similarity=item.similarity,
        suggestion_id=best.label_id if best else None,
        suggestion_score=best.score if best else None,
        version_id=session.version_id,
    )


@router.post(SESSION + "/accept")
def accept_page(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: Db,
    start: Rank,
    key: IdempotencyKeyField,
    shown: Annotated[list[str] | None, Form()] = None,
    view: View = "list",
    min_score: Annotated[float, Form(ge=0, le=1, allow_inf_nan=False)] = MIN_SCORE,
) -> Response:
    """Accept, as one act, what is suggested for the undecided rows of the page with this score.

    shown  RANK:ID ID, one for each row: what the page suggested
    """
    session = find_session(db, project.id, session_id)
    request_hash = hash_request(
        "accept page", session=session.id, start=start, shown=shown or [], min_score=min_score
    )
    if find_replay(db, project.id, user.id, key, request_hash) is not None:
        return _redirect_to_rank(request, project, session, None, view)
    check_session(db, session)
    suggested = dict(_parse_shown(each) for each in shown or [])
    page = load_items(db, project, session, user.id, start)
    still_open = [item for item in page if suggested.get(item.rank) and not item.state.own_verdict]
    if not still_open:
        raise Conflict("This page has no open suggestions to accept.")
    annotations = [build_accepted(item, session, suggested[item.rank]) for item in still_open]
    annotations = [a for a in annotations if is_sure_enough(a.suggestion_score, min_score)]
    if not annotations:
        raise Conflict(sum_up([], min_score).sentence)
    annotations = add_followers(db, session, user.id, annotations)
    annotate(
        db,
        project,
        user.id,
        annotations,
        key=key,
        source=AnnotationSource.PAGE,
        session_id=session.id,
        request_hash=request_hash,
    )
    return _redirect_to_rank(request, project, session, None, view)


def _parse_shown(row: str) -> tuple[int, tuple[int, ...]]:
    rank, _, words = row.partition(":")
    return parse_whole_number(rank, "row", most=MAX_RANK), _parse_label_ids(words)


@router.post(SESSION + "/undo")
def undo_by_form(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: Db,
    view: View = "list",
) -> Response:
    """Take the user's newest act back and return to its record."""
    session = find_session(db, project.id, session_id)
    action = undo(db, project, user.id)
    return _redirect_to_rank(request, project, session, _find_rank(db, session, action), view)


@router.post(SESSION + "/redo")
def redo_by_form(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: Db,
    view: View = "list",
) -> Response:
    """Restore what was undone last and return to its record."""
    session = find_session(db, project.id, session_id)
    action = redo(db, project, user.id)
    return _redirect_to_rank(request, project, session, _find_rank(db, session, action), view)


@router.post(SESSION + "/comments")
def comment_by_form(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: Db,
    rank: Rank,
    key: IdempotencyKeyField,
    kind: Annotated[Literal["flag", "comment"], Form()],
    body: Annotated[str, Form()] = "",
    view: View = "list",
) -> Response:
    """Flag the row's record, or write about it."""
    session = find_session(db, project.id, session_id)
    found = load_items(db, project, session, user.id, rank, 1)
    if not found:
        raise Conflict("This record has been deleted.")
    store_comment(
        db,
        project,
        user.id,
        found[0].record.id,
        kind,
        key=key,
        body=body,
        session_id=session.id,
        request_hash=hash_request(
            "remark by form", session=session.id, rank=rank, kind=kind, body=body
        ),
    )
    return _redirect_to_rank(request, project, session, rank, view)


def _find_rank(db: Session, session: LabelingSession, action: UserAction | None) -> int | None:
    places = (find_rank(db, session, i) for i in (list_record_ids(db, action) if action else []))
    return min((place for place in places if place is not None), default=None)


def _redirect_to_rank(
    request: Request, project: Project, session: LabelingSession, rank: int | None, view: str
) -> Response:
    url = request.url_for("show_session", slug=project.slug, session_id=session.id).path
    query = ([f"view={view}"] if view == "card" else []) + ([f"at={rank}"] if rank else [])
    fragment = f"#row-{rank}" if rank else ""
    return RedirectResponse(url + ("?" + "&".join(query) if query else "") + fragment, 303)

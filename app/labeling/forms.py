"""Labeling without JavaScript: each button of a row is a form of its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.database import Db
from app.errors import Conflict, Invalid
from app.labeling.acceptance import MIN_SCORE, check_session, is_sure_enough, sum_up
from app.labeling.acts import find_replay, hash_request
from app.labeling.annotations import Say, annotate
from app.labeling.duplicates import with_followers
from app.labeling.items import Item, items, position_of
from app.labeling.remarks import remark
from app.labeling.sessions import find_session
from app.labeling.undoing import record_ids_of, redo, undo
from app.models import Act, LabelingSession, Project
from app.projects.access import InProject

router = APIRouter()

View = Annotated[Literal["list", "card"], Form()]
Key = Annotated[str, Form(min_length=1, max_length=80)]
Rank = Annotated[int, Form(ge=0, le=1_000_000)]
SESSION = "/projects/{slug}/sessions/{session_id}"


@router.post(SESSION + "/says")
def say_by_form(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: Db,
    rank: Rank, key: Key, say: Annotated[str, Form()],
    label_ids: Annotated[list[int] | None, Form()] = None, view: View = "list",
) -> Response:  # fmt: skip
    """Label one row.

    say  label:ID, labels (those ticked), accept:ID ID (what was shown), none, skip or not_similar
    """
    session = find_session(db, project.id, session_id)
    found = items(db, project, session, user.id, rank, 1)
    if not found:
        raise Conflict("This record was deleted meanwhile.")
    # Whoever accepts a suggestion agrees; nobody changes a decision that way.
    if not (say.startswith("accept:") and found[0].standing.own_verdict):
        said = _said(found[0], session, say, label_ids or [])
        says = with_followers(db, session, user.id, [said])
        labels = label_ids or []
        request_hash = hash_request(
            "label by form", session=session.id, rank=rank, say=say, labels=labels
        )
        annotate(
            db, project, user.id, says, key=key, session_id=session.id, request_hash=request_hash
        )
    return _at(request, project, session, min(rank + 1, session.n_records - 1), view)


def _said(item: Item, session: LabelingSession, say: str, ticked: Sequence[int]) -> Say:
    kind, _, label_id = say.partition(":")
    if kind == "accept":
        return accepted(item, session, _label_ids(label_id))
    if kind == "label" and label_id.isdigit() and len(label_id) < 10:
        return _say(item, session, "label", (int(label_id),))
    if kind == "labels":
        return _say(item, session, "label", tuple(ticked))
    for verdict in ("none", "skip", "not_similar"):
        if say == verdict:
            return _say(item, session, verdict)
    raise Invalid("That is nothing that can be said about a record.")


def accepted(item: Item, session: LabelingSession, shown: tuple[int, ...]) -> Say:
    """Say what the page showed as suggested: by now it may have been renewed.

    Raises Conflict when it showed nothing.
    """
    if not shown:
        raise Conflict("There is no suggestion for this record to accept.")
    said = _say(item, session, "label", shown)
    score = next((each.score for each in item.suggestions if each.label_id == shown[0]), None)
    return replace(said, suggestion_id=shown[0], suggestion_score=score)


def _label_ids(words: str) -> tuple[int, ...]:
    if not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words.split()):
        raise Invalid("That is no label that was suggested.")
    return tuple(int(word) for word in words.split())


def _say(
    item: Item, session: LabelingSession,
    verdict: Literal["label", "none", "skip", "not_similar"], label_ids: tuple[int, ...] = (),
) -> Say:  # fmt: skip
    best = item.suggestions[0] if item.suggestions else None
    return Say(
        item.record.id, verdict, label_ids, rank=item.rank, similarity=item.similarity,
        suggestion_id=best.label_id if best else None,
        suggestion_score=best.score if best else None, encoder_id=session.encoder_id,
    )  # fmt: skip


@router.post(SESSION + "/accept")
def accept_page(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: Db,
    start: Rank, key: Key, shown: Annotated[list[str] | None, Form()] = None, view: View = "list",
    min_score: Annotated[float, Form(ge=0, le=1, allow_inf_nan=False)] = MIN_SCORE,
) -> Response:  # fmt: skip
    """Accept, as one act, what is suggested for the undecided rows of the page with this score.

    shown  RANK:ID ID, one for each row: what the page suggested
    """
    session = find_session(db, project.id, session_id)
    request_hash = hash_request(
        "accept page", session=session.id, start=start, shown=shown or [], min_score=min_score
    )
    if find_replay(db, project.id, user.id, key, request_hash) is not None:
        return _at(request, project, session, None, view)
    check_session(db, session)
    suggested = dict(_shown(each) for each in shown or [])
    page = items(db, project, session, user.id, start)
    still_open = [
        item for item in page if suggested.get(item.rank) and not item.standing.own_verdict
    ]
    if not still_open:
        raise Conflict("There is no open suggestion on this page to accept.")
    says = [accepted(item, session, suggested[item.rank]) for item in still_open]
    says = [say for say in says if is_sure_enough(say.suggestion_score, min_score)]
    if not says:
        raise Conflict(sum_up([], min_score).sentence)
    says = with_followers(db, session, user.id, says)
    annotate(
        db, project, user.id, says, key=key, source="page", session_id=session.id,
        request_hash=request_hash,
    )  # fmt: skip
    return _at(request, project, session, None, view)


def _shown(row: str) -> tuple[int, tuple[int, ...]]:
    rank, _, words = row.partition(":")
    if not (rank.isascii() and rank.isdigit() and len(rank) < 8):
        raise Invalid("That is no row of this page.")
    return int(rank), _label_ids(words)


@router.post(SESSION + "/undo")
def undo_by_form(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: Db,
    view: View = "list",
) -> Response:  # fmt: skip
    """Take the user's newest act back and return to its record."""
    session = find_session(db, project.id, session_id)
    act = undo(db, project, user.id)
    return _at(request, project, session, _place_of(db, session, act), view)


@router.post(SESSION + "/redo")
def redo_by_form(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: Db,
    view: View = "list",
) -> Response:  # fmt: skip
    """Restore what was undone last and return to its record."""
    session = find_session(db, project.id, session_id)
    act = redo(db, project, user.id)
    return _at(request, project, session, _place_of(db, session, act), view)


@router.post(SESSION + "/remarks")
def remark_by_form(
    request: Request, project: InProject, user: CurrentUser, session_id: int, db: Db,
    rank: Rank, key: Key, kind: Annotated[Literal["flag", "comment"], Form()],
    body: Annotated[str, Form()] = "", view: View = "list",
) -> Response:  # fmt: skip
    """Flag the row's record, or write about it."""
    session = find_session(db, project.id, session_id)
    found = items(db, project, session, user.id, rank, 1)
    if not found:
        raise Conflict("This record was deleted meanwhile.")
    remark(
        db, project, user.id, found[0].record.id, kind,
        key=key, body=body, session_id=session.id,
        request_hash=hash_request(
            "remark by form", session=session.id, rank=rank, kind=kind, body=body
        ),
    )  # fmt: skip
    return _at(request, project, session, rank, view)


def _place_of(db: Session, session: LabelingSession, act: Act | None) -> int | None:
    places = (position_of(db, session, i) for i in (record_ids_of(db, act) if act else []))
    return min((place for place in places if place is not None), default=None)


def _at(
    request: Request, project: Project, session: LabelingSession, rank: int | None, view: str
) -> Response:
    url = request.url_for("show_session", slug=project.slug, session_id=session.id).path
    asked = ([f"view={view}"] if view == "card" else []) + ([f"at={rank}"] if rank else [])
    fragment = f"#row-{rank}" if rank else ""
    return RedirectResponse(url + ("?" + "&".join(asked) if asked else "") + fragment, 303)

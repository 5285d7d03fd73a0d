"""The page of one record: what it says, what was said about it, and what it is like."""

import uuid
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.browsing.asked import Asked
from app.browsing.done import done_of
from app.browsing.finding import find
from app.browsing.neighbours import side_by_side
from app.browsing.ordering import ordered
from app.database import Db, ReadDb
from app.errors import AppError, Invalid
from app.html import render
from app.labeling.acts import hash_request
from app.labeling.annotations import Say, Verdict, annotate
from app.labeling.digits import keyed_labels
from app.labeling.items import suggestions_of
from app.labeling.overlap import hidden_records
from app.labeling.remarks import remark
from app.labeling.standing import standings
from app.models import Act, Project, Record, User
from app.projects.access import InProject
from app.projects.labels import every_label, is_offered
from app.records.history import history_of, remarks_on
from app.records.records import find_record
from app.search.encoders import active_encoder

router = APIRouter()
# A text longer than this, in characters, is folded.
FOLDED = 20_000
PLAIN_VERDICTS: dict[str, Verdict] = {"none": "none", "skip": "skip"}
RECORD = "/projects/{slug}/records/{record_id}"
Key = Annotated[str, Form(min_length=1, max_length=80)]


@router.get(RECORD)
def show_record(
    request: Request, project: InProject, user: CurrentUser, record_id: int, db: ReadDb
) -> HTMLResponse:
    """One record; the address may hold the search that it was opened from."""
    record = find_record(db, project.id, record_id)
    asked = Asked.from_query(request.query_params)
    labels = every_label(db, project.id)
    return render(
        request, "browsing/record.html", project=project, record=record, folded=FOLDED,
        label_of={label.id: label for label in labels}, asked=asked,
        keyed=keyed_labels(user, project, [each for each in labels if is_offered(each)]),
        around=_around(db, project, asked, record), key=lambda: uuid.uuid4().hex,
        done=done_of(db, project, user, request.query_params),
        list_url=asked.address(f"/projects/{project.slug}/records"),
        sides=side_by_side(db, project, record),
        query=urlencode(asked.as_query()), **_said(db, project, user, record),
    )  # fmt: skip


def _said(db: Session, project: Project, user: User, record: Record) -> dict[str, Any]:
    is_hidden = bool(hidden_records(db, user.id, [record.id]))
    history = history_of(db, record.id)
    encoder = active_encoder(db, project.id)
    suggested = suggestions_of(db, project, encoder.id if encoder else None, [record.id])
    return {
        "standing": standings(db, [record.id], user.id)[record.id],
        "is_hidden": is_hidden,
        "history": [each for each in history if not is_hidden or _is_by(each.user, user)],
        "remarks": remarks_on(db, record.id),
        "suggestions": suggested.get(record.id, []),
    }


def _is_by(author: User | None, user: User) -> bool:
    return author is not None and author.id == user.id


def _around(db: Session, project: Project, asked: Asked, record: Record) -> dict[str, Any]:
    """Addresses of the records before and after it in the search, and its place there."""
    try:
        ids = ordered(db, project, find(db, project, asked), asked.sort).ids
    except AppError:
        return {}
    at = (ids == record.id).nonzero()[0]
    if len(at) == 0:
        return {}
    place, root = int(at[0]), f"/projects/{project.slug}/records"
    near = {"previous": place - 1, "next": place + 1}
    urls = {
        name: asked.address(f"{root}/{ids[n]}") if 0 <= n < len(ids) else ""
        for name, n in near.items()
    }
    return {"place": place + 1, "n_total": len(ids), **urls}


@router.post(RECORD + "/says")
def say_about_record(
    project: InProject, user: CurrentUser, record_id: int, db: Db, key: Key,
    say: Annotated[str, Form()], label_ids: Annotated[list[int] | None, Form()] = None,
    query: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Label it: label:ID, labels (those ticked), accept:ID ID (what was shown), none or skip."""
    find_record(db, project.id, record_id)
    said = _read_say(db, project, record_id, say, label_ids or [])
    request_hash = hash_request("label record", record=record_id, say=say, labels=label_ids or [])
    act = annotate(db, project, user.id, [said], key=key, request_hash=request_hash)
    return _back(project, record_id, query, act)


def _read_say(db: Session, project: Project, record_id: int, say: str, ticked: list[int]) -> Say:
    kind, _, words = say.partition(":")
    if kind in PLAIN_VERDICTS:
        return Say(record_id, PLAIN_VERDICTS[kind])
    ids = tuple(ticked)
    if kind in ("label", "accept"):
        ids = tuple(int(each) for each in words.split() if each.isascii() and each.isdigit())
    if kind not in ("label", "labels", "accept") or not ids or max(ids) >= 2**31:
        raise Invalid("That is nothing that can be said about a record.")
    encoder = active_encoder(db, project.id)
    found = suggestions_of(db, project, encoder.id if encoder else None, [record_id])
    best = next(iter(found.get(record_id, [])), None)
    return Say(
        record_id, "label", ids, suggestion_id=best.label_id if best else None,
        suggestion_score=best.score if best else None, encoder_id=encoder.id if encoder else None,
    )  # fmt: skip


@router.post(RECORD + "/remarks")
def remark_on_record(
    project: InProject, user: CurrentUser, record_id: int, db: Db, key: Key,
    kind: Annotated[str, Form(pattern="^(flag|comment)$")],
    body: Annotated[str, Form()] = "", query: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Flag it (again: take the flag off), or write about it."""
    act = remark(
        db, project, user.id, record_id, "flag" if kind == "flag" else "comment",
        key=key, body=body,
        request_hash=hash_request("remark on record", record=record_id, kind=kind, body=body),
    )  # fmt: skip
    return _back(project, record_id, query, act)


def _back(project: Project, record_id: int, query: str, act: Act | None) -> Response:
    asked = Asked.from_query(dict(parse_qsl(query)))
    path = f"/projects/{project.slug}/records/{record_id}"
    return RedirectResponse(asked.address(path, done=str(act.id) if act else ""), 303)

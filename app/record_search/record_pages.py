"""The page of one record: text, annotations, comments and nearest neighbours."""

import uuid
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb
from app.errors import AppError, Invalid
from app.labeling.annotations.actions import hash_request
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.comments import store_comment
from app.labeling.annotations.record_state import load_record_states
from app.labeling.labels.shortcuts import pair_with_digits
from app.labeling.sessions.rows import find_suggestions
from app.labeling.team.multi_annotation import load_hidden_records
from app.models import Project, Record, User, UserAction
from app.models.enums import Verdict
from app.projects.access import CurrentProject
from app.projects.labels import is_offered, list_all_labels
from app.record_search.flash import load_flash
from app.record_search.neighbours import compare_neighbours
from app.record_search.pagination import sort_matches
from app.records.history import load_comments, load_history
from app.records.records import find_record
from app.search.matches import find_matches
from app.search.request import SearchRequest
from app.search.versions import find_active_version
from app.web.form_fields import IdempotencyKeyField
from app.web.form_values import MAX_WHOLE_NUMBER, parse_whole_number
from app.web.templating import render

router = APIRouter()
# Longer texts, in characters, are collapsed.
FOLDED = 20_000
PLAIN_VERDICTS: dict[str, Verdict] = {each: each for each in (Verdict.NONE, Verdict.SKIP)}
RECORD = "/projects/{slug}/records/{record_id}"


@router.get(RECORD)
def show_record(
    request: Request, project: CurrentProject, user: CurrentUser, record_id: int, db: ReadDb
) -> HTMLResponse:
    """Show a record; the URL may contain the search that it was opened from."""
    record = find_record(db, project.id, record_id)
    search = SearchRequest.from_query(request.query_params)
    labels = list_all_labels(db, project.id)
    return render(
        request,
        "record_search/record.html",
        project=project,
        record=record,
        folded=FOLDED,
        label_of={label.id: label for label in labels},
        asked=search,
        keyed=pair_with_digits(user, project, [each for each in labels if is_offered(each)]),
        around=_build_around_context(db, project, search, record),
        key=lambda: uuid.uuid4().hex,
        done=load_flash(db, project, user, request.query_params),
        list_url=search.address(f"/projects/{project.slug}/records"),
        sides=compare_neighbours(db, project, record),
        query=urlencode(search.as_query()),
        **_build_annotation_context(db, project, user, record),
    )


def _build_annotation_context(
    db: Session, project: Project, user: User, record: Record
) -> dict[str, Any]:
    is_hidden = bool(load_hidden_records(db, user.id, [record.id]))
    history = load_history(db, record.id)
    version = find_active_version(db, project.id)
    suggested = find_suggestions(db, project, version.id if version else None, [record.id])
    return {
        "standing": load_record_states(db, [record.id], user.id)[record.id],
        "is_hidden": is_hidden,
        "history": [each for each in history if not is_hidden or _is_by(each.user, user)],
        "comments": load_comments(db, record.id),
        "suggestions": suggested.get(record.id, []),
    }


def _is_by(author: User | None, user: User) -> bool:
    return author is not None and author.id == user.id


def _build_around_context(
    db: Session, project: Project, search: SearchRequest, record: Record
) -> dict[str, Any]:
    """Return the URLs of the previous and next record in the search, and this record's rank."""
    try:
        ids = sort_matches(db, project, find_matches(db, project, search), search.sort).ids
    except AppError:
        return {}
    at = (ids == record.id).nonzero()[0]
    if len(at) == 0:
        return {}
    place, root = int(at[0]), f"/projects/{project.slug}/records"
    near = {"previous": place - 1, "next": place + 1}
    urls = {
        name: search.address(f"{root}/{ids[n]}") if 0 <= n < len(ids) else ""
        for name, n in near.items()
    }
    return {"place": place + 1, "n_total": len(ids), **urls}


@router.post(RECORD + "/votes")
def annotate_record(
    project: CurrentProject,
    user: CurrentUser,
    record_id: int,
    db: Db,
    key: IdempotencyKeyField,
    value: Annotated[str, Form(alias="vote")],
    label_ids: Annotated[list[int] | None, Form()] = None,
    query: Annotated[str, Form()] = "",
) -> Response:
    """Annotate: label:ID, labels (those selected), accept:ID ID (the suggestions), none or skip."""
    find_record(db, project.id, record_id)
    annotation = _parse_annotation(db, project, record_id, value, label_ids or [])
    request_hash = hash_request(
        "label record", record=record_id, value=value, labels=label_ids or []
    )
    action = annotate(db, project, user.id, [annotation], key=key, request_hash=request_hash)
    return _back(project, record_id, query, action)


def _parse_annotation(
    db: Session, project: Project, record_id: int, value: str, ticked: list[int]
) -> AnnotationInput:
    kind, _, words = value.partition(":")
    if kind in PLAIN_VERDICTS:
        return AnnotationInput(record_id, PLAIN_VERDICTS[kind])
    ids = tuple(ticked)
    if kind in ("label", "accept"):
        ids = tuple(parse_whole_number(each, "label") for each in words.split())
    if kind not in ("label", "labels", "accept") or not ids or max(ids) > MAX_WHOLE_NUMBER:
        raise Invalid("Unknown annotation value.")
    version = find_active_version(db, project.id)
    found = find_suggestions(db, project, version.id if version else None, [record_id])
    best = next(iter(found.get(record_id, [])), None)
    return AnnotationInput(
        record_id,
        Verdict.LABEL,
        ids,
        suggestion_id=best.label_id if best else None,
        suggestion_score=best.score if best else None,
        version_id=version.id if version else None,
    )


@router.post(RECORD + "/comments")
def comment_on_record(
    project: CurrentProject,
    user: CurrentUser,
    record_id: int,
    db: Db,
    key: IdempotencyKeyField,
    kind: Annotated[str, Form(pattern="^(flag|comment)$")],
    body: Annotated[str, Form()] = "",
    query: Annotated[str, Form()] = "",
) -> Response:
    """Add a comment, or set or remove the user's flag."""
    action = store_comment(
        db,
        project,
        user.id,
        record_id,
        "flag" if kind == "flag" else "comment",
        key=key,
        body=body,
        request_hash=hash_request("remark on record", record=record_id, kind=kind, body=body),
    )
    return _back(project, record_id, query, action)


def _back(project: Project, record_id: int, query: str, action: UserAction | None) -> Response:
    search = SearchRequest.from_query(dict(parse_qsl(query)))
    path = f"/projects/{project.slug}/records/{record_id}"
    return RedirectResponse(search.address(path, done=str(action.id) if action else ""), 303)

"""Pages of bulk actions: preview, apply, undo and redo."""

import uuid
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb, read_session
from app.errors import Invalid
from app.labeling.annotations.actions import find_replay, hash_request
from app.labeling.annotations.undo import list_record_ids, redo, undo
from app.labeling.sessions.acceptance import OFFERED_MIN_SCORES
from app.labeling.sessions.kinds import MOST_GIVEN
from app.models import Project
from app.projects.access import CurrentProject
from app.projects.labels import list_all_labels
from app.record_search.bulk_apply import apply_plan
from app.record_search.bulk_plan import MOST_AT_ONCE, build_plan, parse_action, resolve_ids
from app.search.request import MOST_SEEDS, SearchRequest
from app.web.form_fields import IdempotencyKeyField
from app.web.form_values import is_whole_number
from app.web.templating import render

router = APIRouter()
RecordIds = Annotated[list[int], Query(max_length=1_000)]


def parse_scope(query: str, ticked: list[int], scope: str) -> SearchRequest | None:
    """Return the search for scope "all", or None to use the selected records."""
    if scope == "all":
        return SearchRequest.from_query(dict(parse_qsl(query)))
    if not ticked:
        raise Invalid("No record is selected. Select some, or apply the action to all results.")
    return None


@router.get("/projects/{slug}/records/bulk")
def preview_bulk(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    db: ReadDb,
    do: str = "",
    scope: str = "ticked",
    query: str = "",
    record_ids: RecordIds = [],  # noqa: B006
) -> Response:
    """Preview a bulk action. Stores nothing."""
    search = parse_scope(query, record_ids, scope)
    if do == "like":
        ids = resolve_ids(db, project, search, record_ids, MOST_SEEDS).tolist()
        near = urlencode({"record": ",".join(map(str, ids))})
        return RedirectResponse(f"/projects/{project.slug}/records?{near}", 303)
    if do == "session":
        ids = resolve_ids(db, project, search, record_ids, MOST_GIVEN).tolist()
        return render(request, "record_search/open.html", project=project, ids=ids, query=query)
    return _preview(request, project, user.id, db, do, scope, query, record_ids)


def _preview(
    request: Request,
    project: Project,
    user_id: int,
    db: Session,
    do: str,
    scope: str,
    query: str,
    ticked: list[int],
    n_before: int | None = None,
) -> HTMLResponse:
    action = parse_action(db, project, do)
    ids = resolve_ids(db, project, parse_scope(query, ticked, scope), ticked, MOST_AT_ONCE)
    plan = build_plan(db, project, user_id, action, ids)
    return render(
        request,
        "record_search/bulk.html",
        status=200 if n_before is None else 409,
        project=project,
        plan=plan,
        scope=scope,
        query=query,
        ticked=ticked,
        n_before=n_before,
        key=uuid.uuid4().hex,
        min_scores=OFFERED_MIN_SCORES,
        label_of={label.id: label for label in list_all_labels(db, project.id)},
    )


@router.post("/projects/{slug}/records/bulk")
def apply_bulk_action(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    key: IdempotencyKeyField,
    do: Annotated[str, Form()],
    fingerprint: Annotated[str, Form(max_length=64)],
    n: Annotated[int, Form()],
    scope: Annotated[str, Form()] = "ticked",
    query: Annotated[str, Form()] = "",
    ticked: Annotated[str, Form()] = "",
) -> Response:
    """Apply the previewed action, or preview it again if its effect has changed meanwhile."""
    ids = [int(each) for each in ticked.split(",") if is_whole_number(each)]
    request_hash = hash_request(
        "records", do=do, fingerprint=fingerprint, n=n, scope=scope, query=query, ticked=ticked
    )
    with read_session() as db:
        done = find_replay(db, project.id, user.id, key, request_hash)
        if done is not None and len(list_record_ids(db, done)) >= n:
            return _back(project, query, done.id)
        action = parse_action(db, project, do)
        chosen = resolve_ids(db, project, parse_scope(query, ids, scope), ids, MOST_AT_ONCE)
        plan = build_plan(db, project, user.id, action, chosen)
        if done is None and plan.fingerprint != fingerprint:
            return _preview(request, project, user.id, db, do, scope, query, ids, n)
    user_action = apply_plan(project, user.id, plan, key, request_hash)
    return _back(project, query, user_action.id)


@router.post("/projects/{slug}/records/undo")
def undo_on_records(
    project: CurrentProject,
    user: CurrentUser,
    db: Db,
    action_id: Annotated[int, Form()],
    query: Annotated[str, Form()] = "",
    record_id: Annotated[int | None, Form()] = None,
) -> Response:
    """Undo an action and return to its page."""
    undo(db, project, user.id, action_id=action_id)
    return _back(project, query, action_id, record_id)


@router.post("/projects/{slug}/records/redo")
def redo_on_records(
    project: CurrentProject,
    user: CurrentUser,
    db: Db,
    action_id: Annotated[int, Form()],
    query: Annotated[str, Form()] = "",
    record_id: Annotated[int | None, Form()] = None,
) -> Response:
    """Redo an action and return to its page."""
    redo(db, project, user.id, action_id=action_id)
    return _back(project, query, action_id, record_id)


def _back(project: Project, query: str, action_id: int, record_id: int | None = None) -> Response:
    search = SearchRequest.from_query(dict(parse_qsl(query)))
    path = f"/projects/{project.slug}/records" + (f"/{record_id}" if record_id else "")
    return RedirectResponse(search.address(path, done=str(action_id)), 303)

"""One act on many records: first a page that tells what it would do, then the act, then undo."""

import uuid
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.browsing.acting import carry_out
from app.browsing.asked import Asked
from app.browsing.planning import MOST_AT_ONCE, chosen_ids, plan, read_deed
from app.database import Db, ReadDb, reading
from app.errors import Invalid
from app.html import render
from app.labeling.acceptance import OFFERED_MIN_SCORES
from app.labeling.acts import find_replay, hash_request
from app.labeling.titles import MOST_GIVEN
from app.labeling.undoing import record_ids_of, redo, undo
from app.models import Project
from app.projects.access import InProject
from app.projects.labels import every_label
from app.search.asking import MOST_SEEDS

router = APIRouter()
Ids = Annotated[list[int], Query(max_length=1_000)]
Key = Annotated[str, Form(min_length=1, max_length=80)]


def scope_of(query: str, ticked: list[int], scope: str) -> Asked | None:
    """All that the search of this address finds, or None: those that are ticked."""
    if scope == "all":
        return Asked.from_query(dict(parse_qsl(query)))
    if not ticked:
        raise Invalid("No record is ticked. Tick some, or choose all that match.")
    return None


@router.get("/projects/{slug}/records/bulk")
def preview_bulk(
    request: Request, project: InProject, user: CurrentUser, db: ReadDb,
    do: str = "", scope: str = "ticked", query: str = "", record_ids: Ids = [],  # noqa: B006
) -> Response:  # fmt: skip
    """What the chosen deed would do to the chosen records. Stores nothing."""
    asked = scope_of(query, record_ids, scope)
    if do == "like":
        ids = chosen_ids(db, project, asked, record_ids, MOST_SEEDS).tolist()
        near = urlencode({"record": ",".join(map(str, ids))})
        return RedirectResponse(f"/projects/{project.slug}/records?{near}", 303)
    if do == "session":
        ids = chosen_ids(db, project, asked, record_ids, MOST_GIVEN).tolist()
        return render(request, "browsing/open.html", project=project, ids=ids, query=query)
    return _preview(request, project, user.id, db, do, scope, query, record_ids)


def _preview(
    request: Request, project: Project, user_id: int, db: Session, do: str, scope: str, query: str,
    ticked: list[int], n_before: int | None = None,
) -> HTMLResponse:  # fmt: skip
    deed = read_deed(db, project, do)
    ids = chosen_ids(db, project, scope_of(query, ticked, scope), ticked, MOST_AT_ONCE)
    planned = plan(db, project, user_id, deed, ids)
    return render(
        request, "browsing/bulk.html", status=200 if n_before is None else 409, project=project,
        plan=planned, scope=scope, query=query, ticked=ticked, n_before=n_before,
        key=uuid.uuid4().hex, min_scores=OFFERED_MIN_SCORES,
        label_of={each.id: each for each in every_label(db, project.id)},
    )  # fmt: skip


@router.post("/projects/{slug}/records/bulk")
def act_on_many(
    request: Request, project: InProject, user: CurrentUser, key: Key,
    do: Annotated[str, Form()], fingerprint: Annotated[str, Form(max_length=64)],
    n: Annotated[int, Form()], scope: Annotated[str, Form()] = "ticked",
    query: Annotated[str, Form()] = "", ticked: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Do what was previewed, as one act; if it would be something else by now, preview it again."""
    ids = [int(each) for each in ticked.split(",") if each.isascii() and each.isdigit()]
    request_hash = hash_request(
        "records", do=do, fingerprint=fingerprint, n=n, scope=scope, query=query, ticked=ticked
    )
    with reading() as db:
        done = find_replay(db, project.id, user.id, key, request_hash)
        if done is not None and len(record_ids_of(db, done)) >= n:
            return _back(project, query, done.id)
        deed = read_deed(db, project, do)
        chosen = chosen_ids(db, project, scope_of(query, ids, scope), ids, MOST_AT_ONCE)
        planned = plan(db, project, user.id, deed, chosen)
        if done is None and planned.fingerprint != fingerprint:
            return _preview(request, project, user.id, db, do, scope, query, ids, n)
    act = carry_out(project, user.id, planned, key, request_hash)
    return _back(project, query, act.id)


@router.post("/projects/{slug}/records/undo")
def undo_on_records(
    project: InProject, user: CurrentUser, db: Db, act_id: Annotated[int, Form()],
    query: Annotated[str, Form()] = "", record_id: Annotated[int | None, Form()] = None,
) -> Response:  # fmt: skip
    """Take an act back, and return to where it was done."""
    undo(db, project, user.id, act_id=act_id)
    return _back(project, query, act_id, record_id)


@router.post("/projects/{slug}/records/redo")
def redo_on_records(
    project: InProject, user: CurrentUser, db: Db, act_id: Annotated[int, Form()],
    query: Annotated[str, Form()] = "", record_id: Annotated[int | None, Form()] = None,
) -> Response:  # fmt: skip
    """Do it again."""
    redo(db, project, user.id, act_id=act_id)
    return _back(project, query, act_id, record_id)


def _back(project: Project, query: str, act_id: int, record_id: int | None = None) -> Response:
    asked = Asked.from_query(dict(parse_qsl(query)))
    path = f"/projects/{project.slug}/records" + (f"/{record_id}" if record_id else "")
    return RedirectResponse(asked.address(path, done=str(act_id)), 303)

"""The records page for people: one search by words, meaning or both, inside every filter."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.browsing.asked import MODES, Asked
from app.browsing.bulk_pages import router as bulk_router
from app.browsing.choices import (
    CHANCES,
    SORT_WORDS,
    SOURCE_WORDS,
    STATE_WORDS,
    Choices,
    chips,
    choices,
)
from app.browsing.done import done_of
from app.browsing.record_pages import router as record_router
from app.browsing.rows import Listing, listing
from app.browsing.slice_pages import router as slice_router
from app.browsing.slices import asked_of, may_change, slices_of
from app.database import ReadDb
from app.errors import AppError
from app.html import render, wants_fragment
from app.models import Project, User
from app.projects.access import InProject
from app.search.base_models import is_loaded
from app.search.embedding import progress
from app.search.encoders import active_encoder, find_version

router = APIRouter(include_in_schema=False)
router.include_router(bulk_router)
router.include_router(slice_router)
MODE_WORDS = {"words": "Words", "meaning": "Meaning", "both": "Both"}


@router.get("/projects/{slug}/records")
def show_records(
    request: Request, project: InProject, user: CurrentUser, db: ReadDb
) -> HTMLResponse:
    """What the address asks for, a page of it; for htmx the results alone."""
    asked = Asked.from_query(request.query_params)
    offered = choices(db, project, asked)
    # A text whose encoder is not loaded yet is asked for by the page itself, so that people see
    # what they wait for.
    must_wait = "now" not in request.query_params and _is_slow(db, project, asked)
    found, trouble = (None, None) if must_wait else _listing(db, project, asked)
    results = _results(request, asked, offered, found) | {
        "project": project, "asked": asked, "trouble": trouble.sentence if trouble else "",
        "must_wait": must_wait,
    }  # fmt: skip
    if wants_fragment(request):
        answer = render(request, "browsing/_results.html", **results)
        answer.headers["HX-Push-Url"] = asked.address(request.url.path)
        return answer
    return render(
        request, "browsing/records.html", status=trouble.status if trouble else 200,
        **results, **_form(db, project, user, asked),
        done=done_of(db, project, user, request.query_params),
    )  # fmt: skip


def _is_slow(db: Session, project: Project, asked: Asked) -> bool:
    if asked.seed is None or asked.seed.kind != "text":
        return False
    version = active_encoder(db, project.id)
    if asked.version is not None:
        version = find_version(db, project.id, asked.version)
    return version is not None and not is_loaded(db, version)


def _listing(db: Session, project: Project, asked: Asked) -> tuple[Listing | None, AppError | None]:
    """What was found, or the sentence that stands in its place."""
    try:
        return listing(db, project, asked), None
    except AppError as trouble:
        return None, trouble


def _results(
    request: Request, asked: Asked, offered: Choices, found: Listing | None
) -> dict[str, Any]:
    path = request.url.path
    around = {name: getattr(found, name) if found else "" for name in ("before", "after")}
    return {
        "listing": found,
        "offered": offered,
        "chips": chips(asked, offered, path),
        "urls": {name: asked.address(path, **{name: at}) for name, at in around.items() if at},
        "waiting_url": asked.address(path, now="1"),
        "sort_words": SORT_WORDS,
    }


def _form(db: Session, project: Project, user: User, asked: Asked) -> dict[str, Any]:
    """What the form offers, and the slices."""
    return {
        "modes": {mode: MODE_WORDS[mode] for mode in MODES},
        "states": STATE_WORDS,
        "sources": SOURCE_WORDS,
        "chances": CHANCES,
        "embedding": progress(db, project),
        "slices": [
            (each, asked_of(each).as_query(), may_change(each, user))
            for each in slices_of(db, project.id)
        ],
    }


@router.get("/projects/{slug}/search")
def show_search(request: Request, project: InProject) -> Response:
    """Where the search used to be: text, record or like become a search of the records page."""
    query = dict(request.query_params)
    if text := query.pop("text", ""):
        query |= {"q": text, "mode": "meaning"}
    elif query.get("label") and not query.get("record"):
        query["like"] = query.get("like") or query.pop("label")
    try:
        address = Asked.from_query(query).address(f"/projects/{project.slug}/records")
    except AppError:
        address = f"/projects/{project.slug}/records"
    return RedirectResponse(address, 303)


@router.get("/projects/{slug}/records/count")
def show_count(request: Request, project: InProject, db: ReadDb) -> PlainTextResponse:
    """How many records a search finds, as a number for the page to fill in."""
    found, trouble = _listing(db, project, Asked.from_query(request.query_params))
    return PlainTextResponse(f"{found.n_total:,}" if found and not trouble else "–")


# Last: what stands above would read as a record's number here.
router.include_router(record_router)

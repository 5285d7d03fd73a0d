"""The records page: search by words, by meaning or both, with filters."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.db.session import ReadDb
from app.errors import AppError
from app.models import Project, User
from app.projects.access import CurrentProject
from app.record_search.bulk_pages import router as bulk_router
from app.record_search.filter_choices import (
    CHANCES,
    SORT_WORDS,
    SOURCE_WORDS,
    STATE_WORDS,
    FilterChoices,
    build_chips,
    load_choices,
)
from app.record_search.flash import load_flash
from app.record_search.record_pages import router as record_router
from app.record_search.rows import Listing, load_listing
from app.record_search.saved_search_pages import router as slice_router
from app.record_search.saved_searches import list_project_searches, may_change, parse_saved_search
from app.search.embedding import load_embedding_progress
from app.search.model_cache import is_loaded
from app.search.request import MODES, SearchRequest
from app.search.versions import find_active_version, find_version
from app.web.templating import render, wants_fragment

router = APIRouter(include_in_schema=False)
router.include_router(bulk_router)
router.include_router(slice_router)
MODE_WORDS = {"words": "Words", "meaning": "Meaning", "both": "Both"}


@router.get("/projects/{slug}/records")
def show_records(
    request: Request, project: CurrentProject, user: CurrentUser, db: ReadDb
) -> HTMLResponse:
    """Show a page of search results; htmx requests get the results only."""
    search = SearchRequest.from_query(request.query_params)
    offered = load_choices(db, project, search)
    # While the encoder of a text search loads, the page fetches the results itself, so that users
    # see what they are waiting for.
    must_wait = "now" not in request.query_params and _is_slow(db, project, search)
    found, trouble = (None, None) if must_wait else _try_listing(db, project, search)
    results = _build_results_context(request, search, offered, found) | {
        "project": project,
        "asked": search,
        "trouble": trouble.sentence if trouble else "",
        "must_wait": must_wait,
    }
    if wants_fragment(request):
        answer = render(request, "record_search/_results.html", **results)
        answer.headers["HX-Push-Url"] = search.address(request.url.path)
        return answer
    return render(
        request,
        "record_search/records.html",
        status=trouble.status if trouble else 200,
        **results,
        **_build_form_context(db, project, user, search),
        done=load_flash(db, project, user, request.query_params),
    )


def _is_slow(db: Session, project: Project, search: SearchRequest) -> bool:
    if search.seed is None or search.seed.kind != "text":
        return False
    version = find_active_version(db, project.id)
    if search.version is not None:
        version = find_version(db, project.id, search.version)
    return version is not None and not is_loaded(db, version)


def _try_listing(
    db: Session, project: Project, search: SearchRequest
) -> tuple[Listing | None, AppError | None]:
    """Return the results, or the error to show instead."""
    try:
        return load_listing(db, project, search), None
    except AppError as trouble:
        return None, trouble


def _build_results_context(
    request: Request, search: SearchRequest, offered: FilterChoices, found: Listing | None
) -> dict[str, Any]:
    path = request.url.path
    around = {name: getattr(found, name) if found else "" for name in ("before", "after")}
    return {
        "listing": found,
        "offered": offered,
        "chips": build_chips(search, offered, path),
        "urls": {name: search.address(path, **{name: at}) for name, at in around.items() if at},
        "waiting_url": search.address(path, now="1"),
        "sort_words": SORT_WORDS,
    }


def _build_form_context(
    db: Session, project: Project, user: User, search: SearchRequest
) -> dict[str, Any]:
    """Build the options of the form, and the saved searches."""
    return {
        "modes": {mode: MODE_WORDS[mode] for mode in MODES},
        "states": STATE_WORDS,
        "sources": SOURCE_WORDS,
        "chances": CHANCES,
        "embedding": load_embedding_progress(db, project),
        "saved_searches": [
            (each, parse_saved_search(each).as_query(), may_change(each, user))
            for each in list_project_searches(db, project.id)
        ],
    }


@router.get("/projects/{slug}/search")
def show_search(request: Request, project: CurrentProject) -> Response:
    """Redirect URLs of the former search page to the records page."""
    query = dict(request.query_params)
    if text := query.pop("text", ""):
        query |= {"q": text, "mode": "meaning"}
    elif query.get("label") and not query.get("record"):
        query["like"] = query.get("like") or query.pop("label")
    try:
        address = SearchRequest.from_query(query).address(f"/projects/{project.slug}/records")
    except AppError:
        address = f"/projects/{project.slug}/records"
    return RedirectResponse(address, 303)


@router.get("/projects/{slug}/records/count")
def show_count(request: Request, project: CurrentProject, db: ReadDb) -> PlainTextResponse:
    """Return the number of results as text for htmx."""
    found, trouble = _try_listing(db, project, SearchRequest.from_query(request.query_params))
    return PlainTextResponse(f"{found.n_total:,}" if found and not trouble else "–")


# Last: its {record_id} would match the paths above.
router.include_router(record_router)

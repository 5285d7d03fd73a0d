"""Pages of the map, with fragments for single records."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.access import CurrentUser
from app.db.session import ReadDb
from app.errors import NotFound
from app.labeling.sessions.kinds import SessionKind
from app.labeling.sessions.sessions import build_seed, start_session
from app.labeling.sessions.version_access import load_session_suggestions
from app.maps.before_after_pages import router as before_after_router
from app.maps.map_versions import (
    MappedVersion,
    choose_map,
    find_pending_drawing,
    list_mapped_versions,
)
from app.models import Project, Record, Version
from app.projects.access import CurrentProject
from app.projects.labels import list_all_labels
from app.records.filters import Filters
from app.records.records import (
    RecordExcerpt,
    count_records,
    find_record,
    load_consensus,
    load_excerpts,
)
from app.search.embedding import load_embedding_progress
from app.search.versions import find_version
from app.web.form_values import parse_whole_number
from app.web.templating import render
from app.web.wording import format_count

router = APIRouter(include_in_schema=False)
router.include_router(before_after_router)
MAP = "/projects/{slug}/map"
LISTED = 50
MOST_IN_SESSION = 10_000
MOST_SHOWN = 1_201
"""Characters of a text: one more than the card shows, which then says that there are more."""

VersionNumber = Annotated[int | None, Query()]


@router.get(MAP)
def show_map(
    request: Request,
    project: CurrentProject,
    db: ReadDb,
    version: VersionNumber = None,
    after: VersionNumber = None,
    before: VersionNumber = None,
    record: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """All records on one sheet, focused on one of them if the address names it.

    version, or after  the version that is shown; the usual one while its map is still to come
    before             the version that it is compared with from the start
    """
    found = list_mapped_versions(db, project)
    one = choose_map(db, project, found, _require_drawn(db, project, found, version or after))
    focused = next((find_record(db, project.id, each) for each in _parse_ids(record)), None)
    listed = _load_listed(db, project, _first_ids(db, project)) if one else []
    shown_version = one.version if one else None
    return render(
        request,
        "maps/map.html",
        project=project,
        versions=found,
        shown=one,
        before=before,
        focused=focused,
        listed=listed,
        n_records=count_records(db, project.id, Filters()),
        **_drawing_context(db, project, found),
        most=MOST_IN_SESSION,
        suggests=shown_version is not None and _suggests(db, shown_version),
        **_annotation_context(db, project, shown_version, listed),
    )


@router.get(MAP + "/drawing")
def show_drawing(
    request: Request, project: CurrentProject, db: ReadDb, first: Annotated[bool, Query()] = False
) -> Response:
    """How far the map is; once it is there, the page's script is told to fetch it.

    first  the page had none to show: it is loaded anew
    """
    found = list_mapped_versions(db, project)
    now, one = _drawing_context(db, project, found), choose_map(db, project, found, None)
    answer = render(request, "maps/_drawing.html", project=project, shown=one, **now)
    if first and one is not None:
        answer.headers["HX-Refresh"] = "true"
    elif now["drawing"] is None:
        answer.headers["HX-Trigger"] = "map-drawn"
    return answer


@router.get(MAP + "/records/{record_id}")
def show_map_record(
    request: Request,
    project: CurrentProject,
    record_id: int,
    db: ReadDb,
    version: VersionNumber = None,
) -> HTMLResponse:
    """Show the record selected on the map."""
    return _render_record(request, db, project, record_id, version, "maps/_card.html")


@router.get(MAP + "/records/{record_id}/hint")
def show_map_hint(
    request: Request,
    project: CurrentProject,
    record_id: int,
    db: ReadDb,
    version: VersionNumber = None,
) -> HTMLResponse:
    """Show a short card for the record under the pointer."""
    return _render_record(request, db, project, record_id, version, "maps/_hint.html")


@router.get(MAP + "/list")
def show_map_list(
    request: Request,
    project: CurrentProject,
    db: ReadDb,
    ids: Annotated[str, Query(max_length=2_000)] = "",
    version: VersionNumber = None,
) -> HTMLResponse:
    """List these records in this order, for keyboard and screen-reader users."""
    listed = _load_listed(db, project, _parse_ids(ids)[:LISTED])
    shown_version = find_version(db, project.id, version) if version else None
    return render(
        request,
        "maps/_list.html",
        project=project,
        listed=listed,
        **_annotation_context(db, project, shown_version, listed),
    )


@router.post(MAP + "/sessions")
def start_from_map(
    request: Request,
    project: CurrentProject,
    user: CurrentUser,
    record_ids: Annotated[str, Form()] = "",
    then: Annotated[Literal["label", "spot_check"], Form()] = "label",
) -> Response:
    """Start a session of what was selected, in this order; `spot_check` goes on to check some of
    its suggestions and accept the rest."""
    ids = _parse_ids(record_ids)
    seed = build_seed(SessionKind.GIVEN, ids)
    title = f"Selected on the map: {format_count(len(ids), 'record')}"
    session = start_session(project, user, SessionKind.GIVEN, seed=seed, title=title)
    url = request.url_for("show_session", slug=project.slug, session_id=session.id).path
    return RedirectResponse(url + ("?spot_check=yes" if then == "spot_check" else ""), 303)


def _render_record(
    request: Request,
    db: Session,
    project: Project,
    record_id: int,
    version: int | None,
    template: str,
) -> HTMLResponse:
    found = _load_listed(db, project, [record_id])
    if not found:
        raise NotFound("record")
    shown_version = find_version(db, project.id, version) if version else None
    return render(
        request,
        template,
        project=project,
        record=found[0],
        **_annotation_context(db, project, shown_version, found),
    )


def _first_ids(db: Session, project: Project) -> list[int]:
    ours = select(Record.id).where(Record.project_id == project.id)
    return list(db.scalars(ours.order_by(Record.id).limit(LISTED)))


def _load_listed(db: Session, project: Project, ids: list[int]) -> list[RecordExcerpt]:
    """Those of the project's records in this order, as much of each as is shown."""
    known = load_excerpts(db, ids, MOST_SHOWN)
    return [known[i] for i in ids if i in known and known[i].project_id == project.id]


def _require_drawn(
    db: Session, project: Project, found: list[MappedVersion], number: int | None
) -> int | None:
    """Return the number, if that version has a map already. Raises NotFound for an unknown
    version."""
    if number is not None:
        find_version(db, project.id, number)
    return number if any(each.version.number == number for each in found) else None


def _drawing_context(db: Session, project: Project, found: list[MappedVersion]) -> dict[str, Any]:
    """How far the map is. What is embedded is counted only while it is waited for: that takes a
    while in a large project."""
    drawing = find_pending_drawing(db, project, found)
    waits = drawing is not None and not drawing.error
    return {
        "drawing": drawing,
        "embedding": load_embedding_progress(db, project) if waits else None,
    }


def _suggests(db: Session, shown_version: Version) -> bool:
    """Then colours begin with suggestions: at first hardly any record carries a label."""
    return bool(load_session_suggestions(db, shown_version.id).label_ids)


def _annotation_context(
    db: Session, project: Project, shown_version: Version | None, records: list[RecordExcerpt]
) -> dict[str, Any]:
    """Load what is shown beside texts: labels, consensus and suggestions."""
    ids = [record.id for record in records]
    return {
        "label_of": {label.id: label for label in list_all_labels(db, project.id)},
        "agreed": load_consensus(db, ids),
        "suggested": load_session_suggestions(db, shown_version.id if shown_version else None).of(
            ids
        ),
    }


def _parse_ids(text: str) -> list[int]:
    return [
        parse_whole_number(part, "record", is_positive=True)
        for part in text.split(",")
        if part.strip()
    ]

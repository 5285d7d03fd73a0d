"""The maps of two versions beside each other: a part of the page that compares them, and files."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.db.session import ReadDb
from app.errors import NotFound
from app.maps.before_after import GAP, SIDE, TOP, BeforeAfter, build_before_after, find_drawn_pair
from app.maps.drawing_status import read_status
from app.models import Project
from app.projects.access import CurrentProject
from app.search.versions import find_version
from app.web.csv_tables import attachment_headers, csv_response
from app.web.templating import render

router = APIRouter(prefix="/projects/{slug}/map/before-after", include_in_schema=False)
Number = Annotated[int, Query(ge=1, lt=2**31)]


@router.get("")
def show_before_after(
    request: Request, project: CurrentProject, before: Number, after: Number, db: ReadDb
) -> Response:
    """Side by side and as a slider; while a map is missing, what is waited for."""
    versions = [find_version(db, project.id, number) for number in (before, after)]
    return render(
        request,
        "maps/_before_after.html",
        project=project,
        before=before,
        after=after,
        is_drawn=find_drawn_pair(db, project, before, after) is not None,
        trouble=next(
            (error for version in versions if (error := read_status(version.id).error)), None
        ),
    )


@router.get("/picture.svg")
def download_before_after(
    request: Request, project: CurrentProject, before: Number, after: Number, db: ReadDb
) -> Response:
    """Side by side, as a picture on light paper."""
    found = _load_before_after(db, project, before, after)
    answer = render(request, "maps/before_after.svg", found=found, **_sizes())
    answer.headers.update(attachment_headers(f"map-{before}-{after}.svg"))
    answer.headers["Content-Type"] = "image/svg+xml"
    return answer


@router.get("/numbers.csv")
def download_places(project: CurrentProject, before: Number, after: Number, db: ReadDb) -> Response:
    """Where each record lies on both."""
    found = _load_before_after(db, project, before, after)
    columns = ("record", "label", "before_x", "before_y", "after_x", "after_y")
    return csv_response(f"map-{before}-{after}.csv", columns, found.rows)


def _load_before_after(db: Session, project: Project, before: int, after: int) -> BeforeAfter:
    for number in (before, after):
        find_version(db, project.id, number)
    drawn = find_drawn_pair(db, project, before, after)
    if drawn is None:
        raise NotFound("map")
    return build_before_after(db, project, *drawn)


def _sizes() -> dict[str, Any]:
    return {"side": SIDE, "gap": GAP, "top": TOP, "width": 2 * SIDE + GAP, "height": TOP + SIDE}

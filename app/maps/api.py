"""The map for programs, and for the page's own script: what there is, and where its bytes are.

Decision: coordinates and values are two downloads of little-endian arrays, told apart by ETags.
Labels change all the time and coordinates hardly ever, so the second visit downloads only values,
and an unchanged map not even those.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.db.session import ReadDb
from app.errors import NotFound
from app.maps.map_files import Map, find_map
from app.maps.map_versions import (
    choose_map,
    find_pending_drawing,
    list_annotators,
    list_mapped_versions,
)
from app.maps.schemas import (
    MapLabel,
    MapPerson,
    MapRecord,
    MapRecords,
    MapResponse,
    MapVersion,
    MatchesResponse,
)
from app.maps.values import NONE_OF_THESE, Values, compute_values_tag, load_values
from app.models import Artifact, Project, Version
from app.projects.access import CurrentProject
from app.projects.labels import list_all_labels
from app.records.filters import Filters
from app.records.record_ids import find_matching_ids

router = APIRouter(prefix="/api/v1/projects/{slug}/map", tags=["map"])
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "Little-endian arrays."},
    304: {"description": "The bytes that If-None-Match names are the newest."},
}
Revision = Annotated[int | None, Query(ge=1, lt=2**31)]


@router.get("")
def read_map(project: CurrentProject, db: ReadDb, version: int | None = None) -> MapResponse:
    """Which maps there are, and what their numbers mean."""
    found = list_mapped_versions(db, project)
    one, drawing = choose_map(db, project, found, version), find_pending_drawing(db, project, found)
    return MapResponse(
        version=None if one is None else one.version.number,
        versions=[
            MapVersion(
                number=each.version.number,
                kind=each.version.kind,
                is_active=each.is_active,
                is_sketch=each.is_sketch,
                revision=each.artifact.id,
                n_records=each.artifact.n_records,
            )
            for each in found
        ],
        labels=[
            MapLabel(id=label.id, name=label.name, colour=label.colour)
            for label in list_all_labels(db, project.id)
        ],
        annotators=[
            MapPerson(id=annotator.id, name=annotator.name)
            for annotator in list_annotators(db, project)
        ],
        drawing=None if drawing is None else drawing.share,
    )


@router.get("/points", response_class=Response, responses=BYTES)
def read_points(
    request: Request,
    project: CurrentProject,
    db: ReadDb,
    version: int | None = None,
    revision: Revision = None,
) -> Response:
    """Where the n records of a map lie: n × 12 bytes.

    First 2n float32, x and y of each record in [-1, 1]; then n uint32, the records' ids, ascending.
    """
    _, artifact, drawn = _open_map(db, project, version, revision)
    if _matches_etag(request, artifact.sha256):
        return _not_modified(artifact.sha256)
    content = drawn.points.astype("<f4").tobytes() + drawn.ids.astype("<u4").tobytes()
    return _bytes_response(content, artifact.sha256)


@router.get("/values", response_class=Response, responses=BYTES)
def read_values(
    request: Request,
    project: CurrentProject,
    db: ReadDb,
    version: int | None = None,
    revision: Revision = None,
) -> Response:
    """Read what is known of the n records of a map, in its order: n × 17 bytes.

    n uint32 labeled_at (Unix seconds, 0: unlabeled), n uint32 label ids by consensus (0: unlabeled,
    4294967295: none of these), n uint32 ids of who brought that about (0: nobody by hand), n uint32
    suggested label ids (0: none), n uint8 confidence of the suggestion in percent.
    """
    shown_version, artifact, drawn = _open_map(db, project, version, revision)
    tag = compute_values_tag(db, shown_version, artifact.sha256)
    if _matches_etag(request, tag):
        return _not_modified(tag)
    return _bytes_response(load_values(db, shown_version, drawn.ids, tag).as_bytes(), tag)


@router.get("/records")
def list_map_records(
    project: CurrentProject,
    db: ReadDb,
    version: int | None = None,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> MapRecords:
    """List the same as JSON, a part at a time."""
    shown_version, artifact, drawn = _open_map(db, project, version, None)
    values = load_values(
        db, shown_version, drawn.ids, compute_values_tag(db, shown_version, artifact.sha256)
    )
    start = int(np.searchsorted(drawn.ids, after, side="right"))
    end = min(start + limit, len(drawn.ids))
    return MapRecords(
        version=shown_version.number,
        n_records=len(drawn.ids),
        next_after_id=int(drawn.ids[end - 1]) if start < end < len(drawn.ids) else None,
        records=[_record(drawn, values, row) for row in range(start, end)],
    )


@router.get("/matches")
def list_matches(request: Request, project: CurrentProject, db: ReadDb) -> MatchesResponse:
    """Ids of the records that a filter leaves; the filter is written as in the records page."""
    ids = find_matching_ids(db, project.id, Filters.from_query(request.query_params))
    return MatchesResponse(n_matching=len(ids), record_ids=ids.tolist())


def _open_map(
    db: Session, project: Project, number: int | None, revision: int | None
) -> tuple[Version, Artifact, Map]:
    one = choose_map(db, project, list_mapped_versions(db, project), number)
    if one is None:
        raise NotFound("map")
    return one.version, *find_map(db, one.version.id, revision)


def _record(drawn: Map, values: Values, row: int) -> MapRecord:
    label, suggestion = int(values.labels[row]), int(values.suggestions[row])
    annotator, seconds = int(values.annotators[row]), int(values.labeled_at[row])
    return MapRecord(
        record_id=int(drawn.ids[row]),
        x=float(drawn.points[row, 0]),
        y=float(drawn.points[row, 1]),
        is_labeled=label != 0,
        label_id=None if label in {0, NONE_OF_THESE} else label,
        suggestion_id=suggestion or None,
        confidence=int(values.confidences[row]) / 100 if suggestion else None,
        annotator_id=annotator or None,
        labeled_at=datetime.fromtimestamp(seconds, UTC) if seconds else None,
    )


def _matches_etag(request: Request, tag: str) -> bool:
    return f'"{tag}"' in request.headers.get("If-None-Match", "")


def _cache_headers(tag: str) -> dict[str, str]:
    return {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}


def _not_modified(tag: str) -> Response:
    return Response(status_code=304, headers=_cache_headers(tag))


def _bytes_response(content: bytes, tag: str) -> Response:
    return Response(content, media_type="application/octet-stream", headers=_cache_headers(tag))

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

from app.database import ReadDb
from app.errors import NotFound
from app.maps.answers import (
    MapAnswer,
    MapLabel,
    MapPerson,
    MapRecord,
    MapRecords,
    MapVersion,
    MatchesAnswer,
)
from app.maps.mapped import annotators, drawing_now, mapped_versions, shown
from app.maps.stored import Map, find_map
from app.maps.values import NONE_OF_THESE, Values, values_of, values_tag
from app.models import Artifact, Encoder, Project
from app.projects.access import InProject
from app.projects.labels import every_label
from app.records.filters import Filters
from app.records.matching import matching_ids

router = APIRouter(prefix="/api/v1/projects/{slug}/map", tags=["map"])
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "Little-endian arrays."},
    304: {"description": "The bytes that If-None-Match names are the newest."},
}
Revision = Annotated[int | None, Query(ge=1, lt=2**31)]


@router.get("")
def read_map(project: InProject, db: ReadDb, version: int | None = None) -> MapAnswer:
    """Which maps there are, and what their numbers mean."""
    found = mapped_versions(db, project)
    one, drawing = shown(db, project, found, version), drawing_now(db, project, found)
    return MapAnswer(
        version=None if one is None else one.encoder.number,
        versions=[
            MapVersion(
                number=each.encoder.number, kind=each.encoder.kind, is_active=each.is_active,
                is_sketch=each.is_sketch, revision=each.artifact.id,
                n_records=each.artifact.n_records,
            )
            for each in found
        ],
        labels=[
            MapLabel(id=each.id, name=each.name, colour=each.colour)
            for each in every_label(db, project.id)
        ],
        annotators=[MapPerson(id=each.id, name=each.name) for each in annotators(db, project)],
        drawing=None if drawing is None else drawing.share,
    )  # fmt: skip


@router.get("/points", response_class=Response, responses=BYTES)
def read_points(
    request: Request, project: InProject, db: ReadDb,
    version: int | None = None, revision: Revision = None,
) -> Response:  # fmt: skip
    """Where the n records of a map lie: n × 12 bytes.

    First 2n float32, x and y of each record in [-1, 1]; then n uint32, the records' ids, ascending.
    """
    _, artifact, drawn = _found(db, project, version, revision)
    if _is_known(request, artifact.sha256):
        return _unchanged(artifact.sha256)
    content = drawn.points.astype("<f4").tobytes() + drawn.ids.astype("<u4").tobytes()
    return _bytes(content, artifact.sha256)


@router.get("/values", response_class=Response, responses=BYTES)
def read_values(
    request: Request, project: InProject, db: ReadDb,
    version: int | None = None, revision: Revision = None,
) -> Response:  # fmt: skip
    """What is known of the n records of a map, in its order: n × 17 bytes.

    n uint32 labeled_at (Unix seconds, 0: unlabeled), n uint32 label ids by consensus (0: unlabeled,
    4294967295: none of these), n uint32 ids of who brought that about (0: nobody by hand), n uint32
    suggested label ids (0: none), n uint8 confidence of the suggestion in percent.
    """
    encoder, artifact, drawn = _found(db, project, version, revision)
    tag = values_tag(db, encoder, artifact.sha256)
    if _is_known(request, tag):
        return _unchanged(tag)
    return _bytes(values_of(db, encoder, drawn.ids, tag).as_bytes(), tag)


@router.get("/records")
def list_map_records(
    project: InProject, db: ReadDb, version: int | None = None,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> MapRecords:  # fmt: skip
    """The same as JSON, a part at a time."""
    encoder, artifact, drawn = _found(db, project, version, None)
    values = values_of(db, encoder, drawn.ids, values_tag(db, encoder, artifact.sha256))
    start = int(np.searchsorted(drawn.ids, after, side="right"))
    end = min(start + limit, len(drawn.ids))
    return MapRecords(
        version=encoder.number,
        n_records=len(drawn.ids),
        next_after_id=int(drawn.ids[end - 1]) if start < end < len(drawn.ids) else None,
        records=[_record(drawn, values, row) for row in range(start, end)],
    )


@router.get("/matches")
def list_matches(request: Request, project: InProject, db: ReadDb) -> MatchesAnswer:
    """Ids of the records that a filter leaves; the filter is written as in the records page."""
    ids = matching_ids(db, project.id, Filters.from_query(request.query_params))
    return MatchesAnswer(n_matching=len(ids), record_ids=ids.tolist())


def _found(
    db: Session, project: Project, number: int | None, revision: int | None
) -> tuple[Encoder, Artifact, Map]:
    one = shown(db, project, mapped_versions(db, project), number)
    if one is None:
        raise NotFound("map")
    return one.encoder, *find_map(db, one.encoder.id, revision)


def _record(drawn: Map, values: Values, row: int) -> MapRecord:
    label, suggestion = int(values.labels[row]), int(values.suggestions[row])
    annotator, seconds = int(values.annotators[row]), int(values.labeled_at[row])
    return MapRecord(
        record_id=int(drawn.ids[row]), x=float(drawn.points[row, 0]),
        y=float(drawn.points[row, 1]), is_labeled=label != 0,
        label_id=None if label in {0, NONE_OF_THESE} else label,
        suggestion_id=suggestion or None,
        confidence=int(values.confidences[row]) / 100 if suggestion else None,
        annotator_id=annotator or None,
        labeled_at=datetime.fromtimestamp(seconds, UTC) if seconds else None,
    )  # fmt: skip


def _is_known(request: Request, tag: str) -> bool:
    return f'"{tag}"' in request.headers.get("If-None-Match", "")


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers=_headers(tag))


def _bytes(content: bytes, tag: str) -> Response:
    return Response(content, media_type="application/octet-stream", headers=_headers(tag))

"""API of one record with its annotations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session

from app.db.session import ReadDb
from app.models import Project, Record
from app.projects.access import CurrentProject
from app.projects.labels import list_all_labels
from app.records.history import AnnotationDetail, load_history
from app.records.records import find_record, load_consensus
from app.web.schemas import StrictModel

router = APIRouter(prefix="/api/v1", tags=["records"])


class RecordResponse(StrictModel):
    """A record. `labels` is the consensus: empty with is_labeled true means "none of these"."""

    id: int
    external_id: str
    text: str
    fields: dict[str, Any]
    is_labeled: bool
    labels: list[str]
    created_at: datetime
    updated_at: datetime


class AnnotationResponse(StrictModel):
    """An annotation. `label` is null for the verdicts none, skip and not_similar."""

    label: str | None
    verdict: str
    user: str | None
    source: str
    session_id: int | None
    rank: int | None
    similarity: float | None
    version: int | None
    suggestion: str | None
    suggestion_score: float | None
    annotated_at: datetime
    withdrawn_at: datetime | None


class RecordWithHistory(RecordResponse):
    """A record with all its annotations, newest first, withdrawn ones included."""

    annotations: list[AnnotationResponse]


@router.get("/projects/{slug}/records/{record_id}")
def read_record(project: CurrentProject, record_id: int, db: ReadDb) -> RecordWithHistory:
    """Return a record with its annotations."""
    [plain] = describe_records(db, project, [find_record(db, project.id, record_id)])
    return RecordWithHistory(
        **plain,
        annotations=[_build_annotation_answer(detail) for detail in load_history(db, record_id)],
    )


def describe_records(
    db: Session, project: Project, records: Sequence[Record]
) -> list[dict[str, Any]]:
    """Return the fields of RecordResponse for each record."""
    names = {label.id: label.name for label in list_all_labels(db, project.id)}
    agreed = load_consensus(db, [record.id for record in records])
    return [
        {
            "id": record.id,
            "external_id": record.external_id,
            "text": record.text,
            "fields": record.fields,
            "is_labeled": record.id in agreed,
            "labels": [names[each] for each in agreed.get(record.id, []) if each is not None],
            "created_at": record.created_at,
            "updated_at": record.updated_at,
        }
        for record in records
    ]


def _build_annotation_answer(detail: AnnotationDetail) -> AnnotationResponse:
    row = detail.annotation
    return AnnotationResponse(
        label=detail.label.name if detail.label else None,
        verdict=row.verdict,
        user=detail.user.name if detail.user else None,
        source=row.source,
        session_id=row.session_id,
        rank=row.rank,
        similarity=row.similarity,
        version=detail.version,
        suggestion=detail.suggestion.name if detail.suggestion else None,
        suggestion_score=row.suggestion_score,
        annotated_at=row.annotated_at,
        withdrawn_at=row.withdrawn_at,
    )

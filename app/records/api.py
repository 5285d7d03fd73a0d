"""The records room for programs."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from app.database import ReadDb
from app.models import Project, Record
from app.projects.access import InProject
from app.projects.labels import every_label
from app.records.filters import Filters
from app.records.history import Said, history_of
from app.records.records import browse, consensus_of, count, find_record

router = APIRouter(prefix="/api/v1", tags=["records"])


class RecordAnswer(BaseModel):
    """A record. `labels` is what its annotations agree on; none of these: empty, and labeled."""

    model_config = ConfigDict(extra="forbid")

    id: int
    external_id: str
    text: str
    fields: dict[str, Any]
    is_labeled: bool
    labels: list[str]
    created_at: datetime
    updated_at: datetime


class RecordsAnswer(BaseModel):
    """A page of records; ask again with after=next_after_id until that is null."""

    model_config = ConfigDict(extra="forbid")

    n_matching: int
    next_after_id: int | None
    records: list[RecordAnswer]


class AnnotationAnswer(BaseModel):
    """One say about a record. label is null for "none of these", skip and not similar."""

    model_config = ConfigDict(extra="forbid")

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


class RecordWithHistory(RecordAnswer):
    """A record with every annotation it ever got, the newest first."""

    annotations: list[AnnotationAnswer]


@router.get("/projects/{slug}/records")
def list_records(
    project: InProject, db: ReadDb,
    q: str = "", state: str = "any", label: str = "", field: str = "", value: str = "",
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> RecordsAnswer:  # fmt: skip
    """Records in the order of their ids, narrowed as on the page."""
    filters = Filters.from_query(
        {"q": q, "state": state, "label": label, "field": field, "value": value}
    )
    page = browse(db, project.id, filters, after, limit)
    return RecordsAnswer(
        n_matching=count(db, project.id, filters),
        next_after_id=page.next_after_id,
        records=[RecordAnswer(**each) for each in _plain(db, project, page.records)],
    )


@router.get("/projects/{slug}/records/{record_id}")
def read_record(project: InProject, record_id: int, db: ReadDb) -> RecordWithHistory:
    """One record with its annotations."""
    [plain] = _plain(db, project, [find_record(db, project.id, record_id)])
    return RecordWithHistory(
        **plain, annotations=[_annotation(said) for said in history_of(db, record_id)]
    )


def _plain(db: Session, project: Project, records: list[Record]) -> list[dict[str, Any]]:
    names = {label.id: label.name for label in every_label(db, project.id)}
    agreed = consensus_of(db, [record.id for record in records])
    return [
        {
            "id": record.id, "external_id": record.external_id, "text": record.text,
            "fields": record.fields, "is_labeled": record.id in agreed,
            "labels": [names[each] for each in agreed.get(record.id, []) if each is not None],
            "created_at": record.created_at, "updated_at": record.updated_at,
        }
        for record in records
    ]  # fmt: skip


def _annotation(said: Said) -> AnnotationAnswer:
    row = said.annotation
    return AnnotationAnswer(
        label=said.label.name if said.label else None, verdict=row.verdict,
        user=said.user.name if said.user else None, source=row.source,
        session_id=row.session_id, rank=row.rank, similarity=row.similarity,
        version=said.version, suggestion=said.suggestion.name if said.suggestion else None,
        suggestion_score=row.suggestion_score, annotated_at=row.annotated_at,
        withdrawn_at=row.withdrawn_at,
    )  # fmt: skip

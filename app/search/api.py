"""API of similarity search and versions."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session

from app.accounts.access import Admin
from app.db.session import ReadDb
from app.errors import Invalid
from app.models import Project, Version
from app.projects.access import AdminProject, CurrentProject
from app.records.records import find_record
from app.records.schemas import FiltersBody, Id
from app.search.matches import SimilarRecord, load_similar_records
from app.search.request import MOST_SEEDS, USUAL_K, SearchRequest, build_record_seed
from app.search.similar import LONGEST_TEXT, MAX_HITS, Seed
from app.search.versions import (
    activate_version,
    find_active_version,
    list_versions,
    roll_back_version,
)
from app.web.schemas import StrictModel

router = APIRouter(prefix="/api/v1", tags=["search"])


class SearchBody(StrictModel):
    """A similarity search. Give exactly one of text, record_ids and label_id."""

    text: str | None = Field(default=None, max_length=LONGEST_TEXT)
    record_ids: list[Id] = Field(default_factory=list, max_length=MOST_SEEDS)
    label_id: Id | None = None
    k: int = Field(default=USUAL_K, ge=1, le=MAX_HITS)
    filters: FiltersBody = FiltersBody()
    version: int | None = None

    def to_request(self) -> SearchRequest:
        """Return the search. Raises Invalid unless it has exactly one seed."""
        seeds = []
        if self.text is not None:
            seeds.append(Seed("text", text=self.text))
        if self.record_ids:
            seeds.append(build_record_seed(self.record_ids))
        if self.label_id is not None:
            seeds.append(Seed("label", label_id=self.label_id))
        if len(seeds) != 1:
            raise Invalid("Give exactly one of text, record_ids and label_id.")
        return SearchRequest.near_to(seeds[0], self.k, self.filters.as_filters(), self.version)


class SuggestionResponse(StrictModel):
    """A label suggested by the version; score is its probability."""

    label_id: int
    label: str
    score: float


class NeighbourResponse(StrictModel):
    """A neighbour. rank counts from 1; similarity is the cosine similarity in [-1, 1]."""

    rank: int
    similarity: float
    record_id: int
    external_id: str
    text: str
    fields: dict[str, Any]
    labels: list[str | None]
    suggestion: SuggestionResponse | None

    @classmethod
    def of(cls, found: SimilarRecord) -> Self:
        """Build the response."""
        suggestion = None
        if found.suggestion is not None:
            label, score = found.suggestion
            suggestion = SuggestionResponse(label_id=label.id, label=label.name, score=score)
        return cls(
            rank=found.rank,
            similarity=found.similarity,
            record_id=found.record.id,
            external_id=found.record.external_id,
            text=found.record.text,
            fields=found.record.fields,
            labels=[None if label is None else label.name for label in found.labels],
            suggestion=suggestion,
        )


class NeighboursResponse(StrictModel):
    """Neighbours, most similar first, and the number of the version used."""

    version: int
    results: list[NeighbourResponse]


class VersionResponse(StrictModel):
    """A version of the project's encoder."""

    number: int
    kind: str
    base_model: str
    is_active: bool
    created_at: datetime

    @classmethod
    def of(cls, version: Version, active: Version | None) -> Self:
        """Build the response."""
        return cls(
            number=version.number,
            kind=version.kind,
            base_model=version.base_model,
            is_active=active is not None and version.id == active.id,
            created_at=version.created_at,
        )


def _build_results_answer(
    db: Session, project: Project, search: SearchRequest
) -> NeighboursResponse:
    version, found = load_similar_records(db, project, search)
    return NeighboursResponse(
        version=version.version.number, results=[NeighbourResponse.of(each) for each in found]
    )


@router.get("/projects/{slug}/similar")
def find_similar(request: Request, project: CurrentProject, db: ReadDb) -> NeighboursResponse:
    """Find the records nearest to `text`, `record` (comma-separated ids) or `like` (a label id).

    Also accepts k, version and the filters of the records page.
    """
    search = SearchRequest.from_similar_query(request.query_params)
    return _build_results_answer(db, project, search)


@router.post("/projects/{slug}/similar")
def find_similar_by_body(
    project: CurrentProject, body: SearchBody, db: ReadDb
) -> NeighboursResponse:
    """Find the nearest records, for long texts and selections. Stores nothing."""
    return _build_results_answer(db, project, body.to_request())


@router.get("/projects/{slug}/records/{record_id}/similar")
def find_similar_to_record(
    project: CurrentProject,
    record_id: int,
    db: ReadDb,
    k: Annotated[int, Query(ge=1, le=MAX_HITS)] = USUAL_K,
) -> NeighboursResponse:
    """Find the records nearest to this one, by the active version."""
    record = find_record(db, project.id, record_id)
    search = SearchRequest.near_to(build_record_seed([record.id]), k)
    return _build_results_answer(db, project, search)


@router.get("/projects/{slug}/versions")
def read_versions(project: CurrentProject, db: ReadDb) -> list[VersionResponse]:
    """List all versions, newest first."""
    active = find_active_version(db, project.id)
    return [VersionResponse.of(version, active) for version in list_versions(db, project.id)]


@router.post("/projects/{slug}/versions/{number}/activate")
def choose_version(project: AdminProject, number: int, user: Admin) -> VersionResponse:
    """Activate this version. 409 if it is already active or cannot be activated."""
    version = activate_version(project, number, user, "Chosen by hand")
    return VersionResponse.of(version, version)


@router.post("/projects/{slug}/rollback")
def choose_earlier_version(project: AdminProject, user: Admin) -> VersionResponse:
    """Roll back to the previously active version."""
    version = roll_back_version(project, user)
    return VersionResponse.of(version, version)

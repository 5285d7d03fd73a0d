"""API of versions: lineage, comparison, trying a text, bundles."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from app.accounts.access import Admin
from app.db.session import Db, ReadDb
from app.projects.access import AdminProject, CurrentProject
from app.projects.labels import list_all_labels
from app.search.indexes import NotIndexed, open_version
from app.search.similar import LONGEST_TEXT
from app.search.versions import find_version
from app.versions.bundle import bundle_response
from app.versions.comparison import compare
from app.versions.lineage import VersionNode, build_lineage
from app.versions.retention import delete_version, describe
from app.versions.try_text import TextTrial, find_raw_and_active, try_text
from app.web.schemas import StrictModel

router = APIRouter(prefix="/api/v1/projects/{slug}", tags=["versions"])


class VersionNodeResponse(StrictModel):
    """A version in its family. source: the version whose vectors it reads; n_bytes: on disk."""

    number: int
    kind: str
    source: int | None
    run: int | None
    n_examples: int | None
    is_active: bool
    is_pinned: bool
    note: str
    n_bytes: int
    n_sessions: int
    created_at: datetime

    @classmethod
    def of(cls, kin: VersionNode) -> Self:
        """Built from the row and its run."""
        version, made_by = kin.version, kin.facts.made_by
        return cls(
            number=version.number,
            kind=version.kind,
            source=kin.source,
            run=made_by.run.number if made_by else None,
            n_examples=made_by.run.n_examples if made_by else None,
            is_active=kin.facts.is_active,
            is_pinned=version.is_pinned,
            note=version.note,
            n_bytes=kin.n_bytes,
            n_sessions=kin.n_sessions,
            created_at=version.created_at,
        )


class SuggestionChangeResponse(StrictModel):
    """Records whose best suggestion changed."""

    before: str
    after: str
    n: int
    record_ids: list[int]


class ComparisonResponse(StrictModel):
    """How the second version differs from the first; see app.versions.comparison.

    kept, overlap  in [0, 1], of the 10 nearest of n_probes records; null where there are none
    """

    n_probes: int
    n_among: int
    kept: float | None
    overlap: float | None
    n_suggested: int
    n_changed: int
    moved: list[SuggestionChangeResponse]


class DescribeBody(StrictModel):
    """The version's note, and whether it is exempt from retention."""

    note: str = ""
    is_pinned: bool = False


class TryBody(StrictModel):
    """A text to try."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)


class NeighbourResponse(StrictModel):
    """One of the nearest records; similarity is the cosine."""

    rank: int
    similarity: float
    record_id: int
    text: str
    labels: list[str | None]


class TrialResponse(StrictModel):
    """A version's predictions: label probabilities, best first, and nearest records."""

    version: int
    kind: str
    scores: list[tuple[str, float]]
    neighbours: list[NeighbourResponse]

    @classmethod
    def of(cls, tried: TextTrial) -> Self:
        """As JSON shows it."""
        return cls(
            version=tried.version.number,
            kind=tried.version.kind,
            scores=[(label.name, score) for label, score in tried.scores],
            neighbours=[
                NeighbourResponse(
                    rank=neighbour.rank,
                    similarity=neighbour.similarity,
                    record_id=neighbour.record.id,
                    text=neighbour.record.text,
                    labels=[label.name if label else None for label in neighbour.labels],
                )
                for neighbour in tried.neighbours
            ],
        )


@router.get("/versions/lineage")
def list_family(project: CurrentProject, db: ReadDb) -> list[VersionNodeResponse]:
    """List all versions, each followed by those based on it."""
    return [VersionNodeResponse.of(kin) for kin in build_lineage(db, project)]


@router.get("/versions/compare")
def compare_by_api(
    project: CurrentProject,
    db: ReadDb,
    a: Annotated[int, Query(ge=1, lt=2**31)],
    b: Annotated[int, Query(ge=1, lt=2**31)],
) -> ComparisonResponse:
    """Compare version b with version a."""
    first, second = find_version(db, project.id, a), find_version(db, project.id, b)
    found = compare(open_version(db, first.id), open_version(db, second.id))
    names = {label.id: label.name for label in list_all_labels(db, project.id)}
    return ComparisonResponse(
        n_probes=found.n_probes,
        n_among=found.n_among,
        kept=_nan_to_none(found.kept),
        overlap=_nan_to_none(found.overlap),
        n_suggested=found.n_suggested,
        n_changed=found.n_changed,
        moved=[
            SuggestionChangeResponse(
                before=names[each.before],
                after=names[each.after],
                n=each.n,
                record_ids=list(each.record_ids),
            )
            for each in found.moved
        ],
    )


@router.patch("/versions/{number}")
def describe_by_api(
    project: AdminProject, number: int, body: DescribeBody, db: Db
) -> VersionNodeResponse:
    """Set a version's note and pin."""
    describe(db, project, number, body.note, is_pinned=body.is_pinned)
    return next(
        VersionNodeResponse.of(kin)
        for kin in build_lineage(db, project)
        if kin.version.number == number
    )


@router.delete("/versions/{number}", status_code=204)
def delete_by_api(project: AdminProject, user: Admin, number: int) -> None:
    """Delete a version's files; its run's metrics are kept."""
    delete_version(project, number, by=user)


@router.get("/versions/{number}/bundle", response_class=Response)
def download_by_api(project: CurrentProject, number: int, db: ReadDb) -> Response:
    """Download a version as zip file: model card, head, labels, settings, metrics."""
    return bundle_response(db, project, number)


@router.post("/try")
def try_by_api(project: CurrentProject, body: TryBody, db: ReadDb) -> list[TrialResponse]:
    """Run the raw and the active version on a text. Stores nothing."""
    pair = find_raw_and_active(db, project)
    if not pair:
        raise NotIndexed
    return [TrialResponse.of(try_text(db, project, body.text, each)) for each in pair]


def _nan_to_none(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 - NaN is what differs from itself

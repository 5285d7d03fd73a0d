"""API of projects."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from app.accounts.access import Admin, CurrentUser
from app.db.session import Db, ReadDb
from app.models import Evaluation, Project
from app.overview.cards import list_project_cards
from app.overview.project_summary import ProjectSummary, load_project_summary
from app.projects.access import CurrentProject
from app.projects.projects import create_project
from app.web.schemas import StrictModel

router = APIRouter(prefix="/api/v1", tags=["projects"])


class ProjectResponse(StrictModel):
    """A project's settings."""

    slug: str
    name: str
    is_multi_label: bool
    is_sample: bool
    base_model: str
    min_labels: int
    created_at: datetime


class CardResponse(ProjectResponse):
    """A project with its headline counts."""

    n_records: int
    n_labeled: int
    version: int | None


class ScoreResponse(StrictModel):
    """One number with its k, its n and its 95 % interval; tuned beside raw."""

    metric: str
    k: int | None
    n: int
    role: str
    value: float
    low: float
    high: float


class ProjectStatusResponse(CardResponse):
    """A project's current status."""

    n_embedded: int
    labels: dict[str, int]
    missing: list[str]
    scores: list[ScoreResponse]


class ProjectBody(StrictModel):
    """A new project."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    is_multi_label: bool = False
    base_model: Annotated[str | None, Field(max_length=300)] = None


@router.get("/projects")
def list_projects(user: CurrentUser, db: ReadDb) -> list[CardResponse]:
    """List the projects the user may see."""
    return [
        CardResponse(
            **_project_fields(card.project),
            n_records=card.n_records,
            n_labeled=card.n_labeled,
            version=card.version,
        )
        for card in list_project_cards(db, user)
    ]


@router.post("/projects", status_code=201)
def post_project(admin: Admin, db: Db, body: ProjectBody) -> ProjectResponse:
    """Create an empty project."""
    project = create_project(
        db, body.name, is_multi_label=body.is_multi_label, base_model=body.base_model, by=admin
    )
    return ProjectResponse.model_validate(project)


@router.get("/projects/{slug}")
def read_project(project: CurrentProject, db: ReadDb) -> ProjectStatusResponse:
    """Return the project's current status."""
    now = load_project_summary(db, project)
    return ProjectStatusResponse(
        **_project_fields(project),
        n_records=now.n_records,
        n_labeled=now.n_labeled,
        version=now.active.number if now.active else None,
        n_embedded=now.embedding.n_done,
        labels={label.name: n for label, n in now.shares if label is not None},
        missing=list(now.readiness.missing),
        scores=_scores(now),
    )


def _project_fields(project: Project) -> dict[str, object]:
    return ProjectResponse.model_validate(project).model_dump()


def _scores(now: ProjectSummary) -> list[ScoreResponse]:
    return [
        score
        for figure in now.figures
        for score in (_score(figure.raw, "raw"), _score(figure.tuned, "tuned"))
    ]


def _score(row: Evaluation, role: str) -> ScoreResponse:
    return ScoreResponse(
        metric=row.metric,
        k=row.k,
        n=row.n,
        role=role,
        value=row.value,
        low=row.low,
        high=row.high,
    )

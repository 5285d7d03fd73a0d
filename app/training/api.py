"""Runs and readiness for programs, under /api/v1."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from app.accounts.access import Admin
from app.database import Db, ReadDb
from app.models import TrainingRun
from app.projects.access import AdminsProject, InProject
from app.similarity.recipe import Method
from app.training.facts import facts_of, run_as_json
from app.training.forms import recipe_of
from app.training.readiness import readiness
from app.training.runs import cancel_run, find_run, latest_runs, request_run, retry_run

router = APIRouter(prefix="/api/v1", tags=["training"])


class ScoreAnswer(BaseModel):
    """A share in [0, 1] with its 95 % interval, its k and its n."""

    metric: str
    k: int | None
    n: int
    value: float
    low: float
    high: float


class RunAnswer(BaseModel):
    """A run; raw and tuned hold the same metrics in the same order, or nothing."""

    number: int
    status: str
    stage: str
    progress: float
    attempt: int
    is_forced: bool
    recipe: dict[str, Any]
    n_examples: int | None
    snapshot_hash: str | None
    version: int | None
    verdict: str | None
    error: str | None
    requested_by: str | None
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    raw: list[ScoreAnswer]
    tuned: list[ScoreAnswer]


class RunBody(BaseModel):
    """recipe: numbers that differ from the defaults. is_forced: activate even what is worse."""

    model_config = ConfigDict(extra="forbid")

    method: Method = "head"
    recipe: dict[str, Any] = {}
    is_forced: bool = False


class ReadinessAnswer(BaseModel):
    """Whether a run can start, whether one would by itself, and what is missing."""

    is_ready: bool
    is_due: bool
    n_labeled: int
    n_changed: int
    needed: int
    missing: list[str]
    moving: int | None


@router.get("/projects/{slug}/readiness", name="read_readiness")
def read_readiness(project: InProject, db: ReadDb) -> ReadinessAnswer:
    """How the project stands between its last run and the next one."""
    return ReadinessAnswer.model_validate(asdict(readiness(db, project)))


@router.get("/projects/{slug}/runs", name="list_runs")
def list_runs(project: InProject, db: ReadDb) -> list[RunAnswer]:
    """The newest 50 runs, the newest first."""
    runs = latest_runs(db, project.id)
    return [RunAnswer.model_validate(run_as_json(facts)) for facts in facts_of(db, runs)]


@router.post("/projects/{slug}/runs", name="create_run", status_code=201)
def create_run(project: AdminsProject, user: Admin, db: Db, body: RunBody) -> RunAnswer:
    """Queue a run. 409 while one is going, or when there is nothing to learn from yet."""
    recipe = recipe_of(body.recipe | {"method": body.method})
    return _answer(db, request_run(db, project, recipe, by=user, is_forced=body.is_forced))


@router.get("/projects/{slug}/runs/{number}", name="read_run")
def read_run(project: InProject, number: int, db: ReadDb) -> RunAnswer:
    """One run."""
    return _answer(db, find_run(db, project.id, number))


@router.post("/projects/{slug}/runs/{number}/cancel", name="cancel_run_by_api")
def cancel(project: AdminsProject, user: Admin, number: int, db: Db) -> RunAnswer:
    """Ask for the run's end. 409 if it has ended."""
    run = find_run(db, project.id, number)
    cancel_run(db, run, by=user)
    return _answer(db, run)


@router.post("/projects/{slug}/runs/{number}/retry", name="retry_run_by_api")
def retry(project: AdminsProject, user: Admin, number: int, db: Db) -> RunAnswer:
    """Queue a failed or cancelled run once more."""
    run = find_run(db, project.id, number)
    retry_run(db, run, by=user)
    return _answer(db, run)


def _answer(db: Session, run: TrainingRun) -> RunAnswer:
    return RunAnswer.model_validate(run_as_json(facts_of(db, [run])[0]))

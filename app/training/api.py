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
from app.training.advice import advice, advice_as_json
from app.training.auditing import audit_as_json
from app.training.estimates import estimate
from app.training.facts import facts_of, run_as_json
from app.training.figure_api import router as figure_router
from app.training.figures import evaluations_as_json
from app.training.forms import AnyMethod, recipe_of
from app.training.readiness import readiness
from app.training.runs import (
    cancel_run,
    find_run,
    latest_runs,
    losses_of,
    request_run,
    retry_run,
)

router = APIRouter(prefix="/api/v1", tags=["training"])
router.include_router(figure_router)


class ScoreAnswer(BaseModel):
    """A figure with its 95 % interval, its k and its n, and what chance alone would score."""

    model_config = ConfigDict(from_attributes=True)

    metric: str
    k: int | None
    n: int
    value: float
    low: float
    high: float
    chance: float | None = None


class EvaluationAnswer(ScoreAnswer):
    """One number of a run. role: raw, tuned, active (the version in use then), or over_raw and
    over_active, tuned minus that one; label and suggested are names, of figures of one label."""

    role: str
    label: str | None
    suggested: str | None


class StarvedAnswer(BaseModel):
    """A label that needs records of its own, and the next step."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    n_labeled: int
    n_wanted: int
    recall: float | None
    confused_with: str | None
    next_step: str


class AuditAnswer(BaseModel):
    """The audit stream: its size, and what it says of a version today; no scores below 10."""

    n_records: int
    n_labeled: int
    version: int | None
    scores: list[ScoreAnswer]


class AdviceAnswer(BaseModel):
    """What to do next. gain: what k more labels would likely add to the share of right
    suggestions; curve: that share with k labels; both by the run of that number."""

    sentences: list[str]
    missing: list[str]
    starved: list[StarvedAnswer]
    run: int | None
    curve: list[ScoreAnswer]
    gain: ScoreAnswer | None
    is_enough: bool


class RunAnswer(BaseModel):
    """A run; raw and tuned hold the same metrics in the same order, or nothing; active what the
    version in use then scored on labels that it had not learned from."""

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
    active: list[ScoreAnswer]


class RunBody(BaseModel):
    """recipe: numbers that differ from the defaults. is_forced: activate even what is worse."""

    model_config = ConfigDict(extra="forbid")

    method: AnyMethod = "head"
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


class LossAnswer(BaseModel):
    """The losses after so many steps; null where one was not measured then."""

    step: int
    epoch: float
    train_loss: float | None
    validation_loss: float | None


class EstimateAnswer(BaseModel):
    """What a deep run of the usual recipe would take."""

    n_learned: int
    n_records: int
    learning_minutes: float
    embedding_minutes: float
    has_gpu: bool
    sentence: str


@router.get("/projects/{slug}/deep-estimate", name="estimate_deep_run")
def estimate_deep_run(project: InProject, db: ReadDb) -> EstimateAnswer:
    """How long it would take on the machine that embedded the project's records."""
    found = estimate(db, project)
    return EstimateAnswer(**asdict(found), sentence=found.sentence)


@router.get("/projects/{slug}/runs/{number}/losses", name="list_losses")
def list_losses(project: InProject, number: int, db: ReadDb) -> list[LossAnswer]:
    """What a deep run measured on its way, by step; nothing for a head run."""
    points = losses_of(db, find_run(db, project.id, number).id)
    return [LossAnswer.model_validate(point, from_attributes=True) for point in points]


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


@router.get("/projects/{slug}/runs/{number}/evaluations", name="list_evaluations")
def list_evaluations(project: InProject, number: int, db: ReadDb) -> list[EvaluationAnswer]:
    """Every number that the run measured; docs/evaluation.md says what each means."""
    run = find_run(db, project.id, number)
    return [EvaluationAnswer.model_validate(each) for each in evaluations_as_json(db, run)]


@router.get("/projects/{slug}/training/advice", name="read_advice")
def read_advice(project: InProject, db: ReadDb) -> AdviceAnswer:
    """What is missing, what more labels would bring, which labels are starved, when to stop."""
    return AdviceAnswer.model_validate(advice_as_json(advice(db, project)))


@router.get("/projects/{slug}/training/audit", name="read_audit")
def read_audit(project: InProject, db: ReadDb, version: int | None = None) -> AuditAnswer:
    """What the audit stream says of a version today; of the active one unless named."""
    return AuditAnswer.model_validate(audit_as_json(db, project, version))


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

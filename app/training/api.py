"""Runs and readiness for programs, under /api/v1."""

from dataclasses import asdict

from fastapi import APIRouter
from sqlalchemy.orm import Session

from app.accounts.access import Admin
from app.database import Db, ReadDb
from app.models import TrainingRun
from app.projects.access import AdminsProject, InProject
from app.training.advice import advice, advice_as_json
from app.training.answers import (
    AdviceAnswer,
    AuditAnswer,
    EstimateAnswer,
    EvaluationAnswer,
    LossAnswer,
    ReadinessAnswer,
    RunAnswer,
    RunBody,
)
from app.training.auditing import audit_as_json
from app.training.estimates import estimate
from app.training.facts import facts_of, run_as_json
from app.training.figure_api import router as figure_router
from app.training.figures import evaluations_as_json
from app.training.forms import recipe_of
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

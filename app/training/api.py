"""The API of runs, readiness and advice, under /api/v1."""

from dataclasses import asdict

from fastapi import APIRouter
from sqlalchemy.orm import Session

from app.accounts.access import Admin
from app.db.session import Db, ReadDb
from app.models import TrainingRun
from app.projects.access import AdminProject, CurrentProject
from app.training.pipeline.holdout import holdout_as_json
from app.training.reports.advice import advice_as_json, build_advice
from app.training.reports.api import router as figure_router
from app.training.reports.metrics import evaluations_as_json
from app.training.reports.run_summary import load_run_summaries, run_as_json
from app.training.runs.estimates import estimate_duration
from app.training.runs.readiness import readiness
from app.training.runs.recipe_form import parse_recipe
from app.training.runs.runs import (
    cancel_run,
    find_run,
    list_latest_runs,
    load_losses,
    request_run,
    retry_run,
)
from app.training.schemas import (
    AdviceResponse,
    EstimateResponse,
    EvaluationResponse,
    HoldoutResponse,
    LossResponse,
    ReadinessResponse,
    RunBody,
    RunResponse,
)

router = APIRouter(prefix="/api/v1", tags=["training"])
router.include_router(figure_router)


@router.get("/projects/{slug}/deep-estimate", name="estimate_deep_run")
def estimate_deep_run(project: CurrentProject, db: ReadDb) -> EstimateResponse:
    """Estimate the duration of a deep run on the worker that embedded the project's records."""
    duration = estimate_duration(db, project)
    return EstimateResponse(**asdict(duration), sentence=duration.sentence)


@router.get("/projects/{slug}/runs/{number}/losses", name="list_losses")
def list_losses(project: CurrentProject, number: int, db: ReadDb) -> list[LossResponse]:
    """List the losses of a deep run by step; empty for other runs."""
    points = load_losses(db, find_run(db, project.id, number).id)
    return [LossResponse.model_validate(point, from_attributes=True) for point in points]


@router.get("/projects/{slug}/readiness", name="read_readiness")
def read_readiness(project: CurrentProject, db: ReadDb) -> ReadinessResponse:
    """Return whether a run can start and what is missing."""
    return ReadinessResponse.model_validate(asdict(readiness(db, project)))


@router.get("/projects/{slug}/runs", name="list_runs")
def list_runs(project: CurrentProject, db: ReadDb) -> list[RunResponse]:
    """List the newest 50 runs, newest first."""
    runs = list_latest_runs(db, project.id)
    return [
        RunResponse.model_validate(run_as_json(facts)) for facts in load_run_summaries(db, runs)
    ]


@router.post("/projects/{slug}/runs", name="create_run", status_code=201)
def create_run(project: AdminProject, user: Admin, db: Db, body: RunBody) -> RunResponse:
    """Queue a run. 409 while one is active, or when there is nothing to learn from yet."""
    recipe = parse_recipe(body.recipe | {"method": body.method})
    return _answer(db, request_run(db, project, recipe, by=user, is_forced=body.is_forced))


@router.get("/projects/{slug}/runs/{number}", name="read_run")
def read_run(project: CurrentProject, number: int, db: ReadDb) -> RunResponse:
    """Return one run."""
    return _answer(db, find_run(db, project.id, number))


@router.get("/projects/{slug}/runs/{number}/evaluations", name="list_evaluations")
def list_evaluations(project: CurrentProject, number: int, db: ReadDb) -> list[EvaluationResponse]:
    """List every score of the run; docs/evaluation.md explains the metrics."""
    run = find_run(db, project.id, number)
    return [EvaluationResponse.model_validate(each) for each in evaluations_as_json(db, run)]


@router.get("/projects/{slug}/training/advice", name="read_advice")
def read_advice(project: CurrentProject, db: ReadDb) -> AdviceResponse:
    """Return what is missing, the gain expected from more labels, and labels with few records."""
    return AdviceResponse.model_validate(advice_as_json(build_advice(db, project)))


@router.get("/projects/{slug}/training/holdout", name="read_holdout")
def read_holdout(
    project: CurrentProject, db: ReadDb, version: int | None = None
) -> HoldoutResponse:
    """Evaluate a version on the hold-out sample; the active version by default."""
    return HoldoutResponse.model_validate(holdout_as_json(db, project, version))


@router.post("/projects/{slug}/runs/{number}/cancel", name="cancel_run_by_api")
def cancel(project: AdminProject, user: Admin, number: int, db: Db) -> RunResponse:
    """Cancel the run. 409 if it has ended."""
    run = find_run(db, project.id, number)
    cancel_run(db, run, by=user)
    return _answer(db, run)


@router.post("/projects/{slug}/runs/{number}/retry", name="retry_run_by_api")
def retry(project: AdminProject, user: Admin, number: int, db: Db) -> RunResponse:
    """Queue a failed or cancelled run again."""
    run = find_run(db, project.id, number)
    retry_run(db, run, by=user)
    return _answer(db, run)


def _answer(db: Session, run: TrainingRun) -> RunResponse:
    return RunResponse.model_validate(run_as_json(load_run_summaries(db, [run])[0]))

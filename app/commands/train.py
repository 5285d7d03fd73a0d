"""Training on the command line: queue a run, with --wait run it in this process."""

from typing import Any

from app.db.session import read_session, write_session
from app.ml.deep.recipe import DeepRecipe
from app.ml.recipe import Recipe
from app.models import Project, TrainingRun
from app.projects.projects import find_named_project
from app.training.reports.advice import build_advice
from app.training.reports.run_summary import load_run_summaries, run_as_json
from app.training.runs.estimates import estimate_duration
from app.training.runs.readiness import MOVING, find_moving_run
from app.training.runs.runs import request_run
from app.worker import work_until


def queue_run(slug: str, recipe: Recipe | DeepRecipe, is_forced: bool) -> dict[str, Any]:
    """Queue a run for the worker. Raises Conflict if one is going or too little is labeled."""
    with write_session() as db:
        project = find_named_project(db, slug)
        run = request_run(db, project, recipe, is_forced=is_forced)
        return run_as_json(load_run_summaries(db, [run])[0])


def run_and_wait(slug: str, recipe: Recipe | DeepRecipe, *, is_forced: bool) -> dict[str, Any]:
    """Queue a run, wait for its end, and advise on what to label next.

    One of the same recipe that is going already is that run.
    """
    with read_session() as db:
        project = find_named_project(db, slug)
        active_run = find_moving_run(db, project.id)
    if active_run is not None:
        work_until(lambda: _has_ended(active_run.id))
    is_same_run = active_run is not None and (active_run.recipe, active_run.is_forced) == (
        recipe.as_json(),
        is_forced,
    )
    run_id = (
        active_run.id
        if active_run is not None and is_same_run
        else _queue_and_get_id(project, recipe, is_forced)
    )
    if not _has_ended(run_id):
        work_until(lambda: _has_ended(run_id))
    with read_session() as db:
        summary = run_as_json(load_run_summaries(db, [db.get_one(TrainingRun, run_id)])[0])
        return summary | {"advice": build_advice(db, find_named_project(db, slug)).sentences}


def estimate_time(slug: str, recipe: DeepRecipe) -> str:
    """Estimate what a deep run of this recipe would take, in one sentence."""
    with read_session() as db:
        return estimate_duration(db, find_named_project(db, slug), recipe).sentence


def _queue_and_get_id(project: Project, recipe: Recipe | DeepRecipe, is_forced: bool) -> int:
    with write_session() as db:
        return request_run(db, project, recipe, is_forced=is_forced).id


def _has_ended(run_id: int) -> bool:
    with read_session() as db:
        return db.get_one(TrainingRun, run_id).status not in MOVING

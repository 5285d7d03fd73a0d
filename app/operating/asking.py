"""Runs for the command line: ask for one, and with --wait carry it out in this process."""

from typing import Any

from app.database import reading, transaction
from app.models import Project, TrainingRun
from app.projects.projects import find_project
from app.similarity.deep.recipe import DeepRecipe
from app.similarity.recipe import Recipe
from app.training.advice import advice
from app.training.estimates import estimate
from app.training.facts import facts_of, run_as_json
from app.training.readiness import MOVING, moving_run
from app.training.runs import request_run
from app.worker import work_until


def ask(slug: str, recipe: Recipe | DeepRecipe, is_forced: bool) -> dict[str, Any]:
    """Queue a run for the worker. Raises Conflict if one is going or too little is labeled."""
    with transaction() as db:
        project = find_project(db, slug)
        run = request_run(db, project, recipe, is_forced=is_forced)
        return run_as_json(facts_of(db, [run])[0])


def carry(slug: str, recipe: Recipe | DeepRecipe, *, is_forced: bool) -> dict[str, Any]:
    """A run, carried out to its end, with advice on what to label next.

    One of the same recipe that is going already is that run.
    """
    with reading() as db:
        project = find_project(db, slug)
        going = moving_run(db, project.id)
    if going is not None:
        work_until(lambda: _has_ended(going.id))
    is_it = going is not None and (going.recipe, going.is_forced) == (recipe.as_json(), is_forced)
    run_id = going.id if going is not None and is_it else _queued(project, recipe, is_forced)
    if not _has_ended(run_id):
        work_until(lambda: _has_ended(run_id))
    with reading() as db:
        told = run_as_json(facts_of(db, [db.get_one(TrainingRun, run_id)])[0])
        return told | {"advice": advice(db, find_project(db, slug)).sentences}


def time_needed(slug: str, recipe: DeepRecipe) -> str:
    """What a deep run of this recipe would take, in one sentence."""
    with reading() as db:
        return estimate(db, find_project(db, slug), recipe).sentence


def _queued(project: Project, recipe: Recipe | DeepRecipe, is_forced: bool) -> int:
    with transaction() as db:
        return request_run(db, project, recipe, is_forced=is_forced).id


def _has_ended(run_id: int) -> bool:
    with reading() as db:
        return db.get_one(TrainingRun, run_id).status not in MOVING

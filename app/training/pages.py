"""The training page: readiness, start button, versions and runs."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.accounts.access import Admin
from app.db.session import Db, ReadDb
from app.ml.deep.recipe import LOSSES
from app.ml.recipe import METHODS
from app.projects.access import AdminProject, CurrentProject
from app.search import versions
from app.search.versions import can_roll_back
from app.training.pipeline.holdout import holdout_as_json
from app.training.reports.advice import build_advice
from app.training.reports.run_summary import load_run_summaries, load_version_summaries
from app.training.runs.estimates import estimate_duration
from app.training.runs.live import router as live_router
from app.training.runs.pages import router as run_router
from app.training.runs.recipe_form import SentRun, build_deep_inputs, build_inputs
from app.training.runs.runs import list_latest_runs, request_run
from app.training.runs.status import load_status
from app.training.runs.trigger_policy import TriggerPolicy
from app.web.templating import redirect_to, render, wants_fragment

PREFIX = "/projects/{slug}/training"
router = APIRouter(include_in_schema=False)
router.include_router(run_router)
router.include_router(live_router)


@router.get(PREFIX, name="show_training")
def show_training(request: Request, project: CurrentProject, db: ReadDb) -> Response:
    """Show readiness, the start button, versions and runs."""
    shown = load_status(db, project)
    if wants_fragment(request):
        answer = render(request, "training/_state.html", **shown)
        if not shown["is_moving"]:
            answer.headers["HX-Refresh"] = "true"  # The history and the versions are new as well.
        return answer
    return render(
        request,
        "training/training.html",
        **shown,
        advice=build_advice(db, project, shown["state"]),
        audit=holdout_as_json(db, project),
        runs=load_run_summaries(db, list_latest_runs(db, project.id)),
        versions=load_version_summaries(db, project),
        can_roll_back=can_roll_back(db, project.id),
        choices={method: build_inputs(method) for method in METHODS},
        estimate=estimate_duration(db, project),
        losses=LOSSES,
        deep_inputs=build_deep_inputs(),
        policy=TriggerPolicy.from_json(project.policy),
    )


@router.post(PREFIX + "/runs", name="request_training")
def request_training(
    request: Request, project: AdminProject, user: Admin, db: Db, sent: SentRun
) -> Response:
    """Queue a run and go to its page."""
    run = request_run(db, project, sent.recipe(), by=user, is_forced=sent.is_forced)
    return redirect_to(request, "show_run", slug=project.slug, number=run.number)


@router.post(PREFIX + "/versions/{number}/activate", name="activate_version")
def activate_version(request: Request, project: AdminProject, user: Admin, number: int) -> Response:
    """Use this version for search from now on."""
    versions.activate_version(project, number, by=user, reason=f"Chosen by {user.name}")
    return redirect_to(request, "show_training", slug=project.slug)


@router.post(PREFIX + "/rollback", name="roll_back_version")
def roll_back_version(request: Request, project: AdminProject, user: Admin) -> Response:
    """Activate the previously active version again."""
    versions.roll_back_version(project, by=user)
    return redirect_to(request, "show_training", slug=project.slug)

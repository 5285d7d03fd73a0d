"""The training dashboard: how near the next run is, the one button, versions and runs."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.accounts.access import Admin
from app.database import Db, ReadDb
from app.errors import Conflict
from app.html import render, see, wants_fragment
from app.projects.access import AdminsProject, InProject
from app.search.encoders import activate, active_encoder, can_roll_back, find_version, roll_back
from app.similarity.deep.recipe import LOSSES
from app.similarity.recipe import METHODS
from app.training.advice import advice
from app.training.auditing import audit_as_json
from app.training.estimates import estimate
from app.training.facts import facts_of, versions_of
from app.training.forms import SentRun, offered, offered_deep
from app.training.live import router as live_router
from app.training.policy import TriggerPolicy
from app.training.run_pages import router as run_router
from app.training.runs import latest_runs, request_run
from app.training.standing import state_of

PREFIX = "/projects/{slug}/training"
router = APIRouter(include_in_schema=False)
router.include_router(run_router)
router.include_router(live_router)


@router.get(PREFIX, name="show_training")
def show_training(request: Request, project: InProject, db: ReadDb) -> Response:
    """What is labeled since the last version, the one button, runs and versions."""
    shown = state_of(db, project)
    if wants_fragment(request):
        answer = render(request, "training/_state.html", **shown)
        if not shown["is_moving"]:
            answer.headers["HX-Refresh"] = "true"  # The history and the versions are new as well.
        return answer
    return render(
        request,
        "training/training.html",
        **shown,
        advice=advice(db, project, shown["state"]),
        audit=audit_as_json(db, project),
        runs=facts_of(db, latest_runs(db, project.id)),
        versions=versions_of(db, project),
        can_roll_back=can_roll_back(db, project.id),
        choices={method: offered(method) for method in METHODS},
        estimate=estimate(db, project),
        losses=LOSSES,
        deep_inputs=offered_deep(),
        policy=TriggerPolicy.from_json(project.policy),
    )


@router.post(PREFIX + "/runs", name="request_training")
def request_training(
    request: Request, project: AdminsProject, user: Admin, db: Db, sent: SentRun
) -> Response:
    """Queue a run and go to its page."""
    run = request_run(db, project, sent.recipe(), by=user, is_forced=sent.is_forced)
    return see(request, "show_run", slug=project.slug, number=run.number)


@router.post(PREFIX + "/versions/{number}/activate", name="activate_version")
def activate_version(
    request: Request, project: AdminsProject, user: Admin, number: int, db: Db
) -> Response:
    """From now on search uses this version."""
    encoder = find_version(db, project.id, number)
    active = active_encoder(db, project.id)
    if active is not None and active.id == encoder.id:
        raise Conflict(f"Version {number} is active already.")
    activate(db, encoder, by=user, reason=f"Chosen by {user.name}")
    return see(request, "show_training", slug=project.slug)


@router.post(PREFIX + "/rollback", name="roll_back_version")
def roll_back_version(request: Request, project: AdminsProject, user: Admin, db: Db) -> Response:
    """Back to the version that was active before."""
    roll_back(db, project, by=user)
    return see(request, "show_training", slug=project.slug)

"""The training dashboard and the page of a run."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts import audit
from app.accounts.access import Admin
from app.database import Db, ReadDb
from app.errors import Conflict
from app.html import render, see, wants_fragment
from app.jobs import workers
from app.models import Project
from app.projects.access import AdminsProject, InProject
from app.projects.labels import every_label
from app.search.embedding import progress
from app.search.encoders import activate, active_encoder, can_roll_back, find_version, roll_back
from app.settings import settings
from app.similarity.deep.recipe import LOSSES
from app.similarity.recipe import METHODS
from app.training.advice import advice
from app.training.auditing import audit_as_json
from app.training.chart import chart_of
from app.training.estimates import estimate
from app.training.facts import facts_of, versions_of
from app.training.figures import scores_of
from app.training.forms import SentRun, offered, offered_deep
from app.training.loss_chart import loss_chart
from app.training.readiness import moving_run, readiness
from app.training.runs import (
    STAGES,
    cancel_run,
    events_of,
    find_run,
    latest_runs,
    losses_of,
    request_run,
    retry_run,
)
from app.training.tables import label_rows, metric_rows

router = APIRouter(prefix="/projects/{slug}/training", include_in_schema=False)

Whole = Annotated[int, Form(ge=2, le=100_000)]


@router.get("", name="show_training")
def show_training(request: Request, project: InProject, db: ReadDb) -> Response:
    """What is labeled since the last version, the one button, runs and versions."""
    shown = _state(db, project)
    if wants_fragment(request):
        answer = render(request, "training/_state.html", **shown)
        if not shown["is_moving"]:
            answer.headers["HX-Refresh"] = "true"  # The history and the versions are new as well.
        return answer
    return render(
        request,
        "training/training.html",
        **shown,
        advice=advice(db, project),
        audit=audit_as_json(db, project),
        runs=facts_of(db, latest_runs(db, project.id)),
        versions=versions_of(db, project),
        can_roll_back=can_roll_back(db, project.id),
        choices={method: offered(method) for method in METHODS},
        estimate=estimate(db, project),
        losses=LOSSES,
        deep_inputs=offered_deep(),
    )


@router.post("/runs", name="request_training")
def request_training(
    request: Request, project: AdminsProject, user: Admin, db: Db, sent: SentRun
) -> Response:
    """Queue a run and go to its page."""
    run = request_run(db, project, sent.recipe(), by=user, is_forced=sent.is_forced)
    return see(request, "show_run", slug=project.slug, number=run.number)


@router.get("/runs/{number}", name="show_run")
def show_run(request: Request, project: InProject, number: int, db: ReadDb) -> Response:
    """One run: its stages, log, figures and verdict."""
    run = find_run(db, project.id, number)
    facts = facts_of(db, [run])[0]
    template = "training/_run.html" if wants_fragment(request) else "training/run.html"
    active = active_encoder(db, project.id)
    scores = scores_of(db, run)
    names = {label.id: label.name for label in every_label(db, project.id)}
    return render(
        request,
        template,
        project=project,
        facts=facts,
        run=run,
        events=events_of(db, run.id),
        stages=STAGES,
        chart=chart_of(facts.figures),
        rows=metric_rows(scores),
        label_rows=label_rows(scores, names),
        losses=loss_chart(losses_of(db, run.id)),
        is_active=active is not None and active.id == run.encoder_id,
        last_worker=_last_worker(),
    )


@router.post("/runs/{number}/cancel", name="cancel_training")
def cancel_training(
    request: Request, project: AdminsProject, user: Admin, number: int, db: Db
) -> Response:
    """Ask for the run's end."""
    cancel_run(db, find_run(db, project.id, number), by=user)
    return see(request, "show_run", slug=project.slug, number=number)


@router.post("/runs/{number}/retry", name="retry_training")
def retry_training(
    request: Request, project: AdminsProject, user: Admin, number: int, db: Db
) -> Response:
    """Queue the run once more."""
    retry_run(db, find_run(db, project.id, number), by=user)
    return see(request, "show_run", slug=project.slug, number=number)


@router.post("/settings", name="save_training_settings")
def save_training_settings(
    request: Request,
    project: AdminsProject,
    user: Admin,
    db: Db,
    min_labels: Whole,
    trains_itself: Annotated[bool, Form()] = False,
) -> Response:
    """When runs start by themselves."""
    ours = db.get_one(Project, project.id)
    ours.min_labels, ours.trains_itself = min_labels, trains_itself
    audit.note(
        db, "training.settings", user_id=user.id, project_id=project.id,
        min_labels=min_labels, trains_itself=trains_itself,
    )  # fmt: skip
    return see(request, "show_training", slug=project.slug)


@router.post("/versions/{number}/activate", name="activate_version")
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


@router.post("/rollback", name="roll_back_version")
def roll_back_version(request: Request, project: AdminsProject, user: Admin, db: Db) -> Response:
    """Back to the version that was active before."""
    roll_back(db, project, by=user)
    return see(request, "show_training", slug=project.slug)


def _state(db: Session, project: Project) -> dict[str, Any]:
    """What the polled part of the dashboard shows."""
    moving = moving_run(db, project.id)
    embedding = progress(db, project)
    state = readiness(db, project)
    return {
        "project": project,
        "state": state,
        "is_moving": moving is not None or state.is_due or not embedding.is_done,
        "moving": facts_of(db, [moving])[0] if moving else None,
        "embedding": embedding,
        "stages": STAGES,
        "last_worker": _last_worker(),
    }


def _last_worker() -> Any:
    """None while a worker is there; else when the last one was seen, or "never"."""
    seen = workers(settings().database_url, settings().data_dir)
    if any(worker.is_serving and "train" in worker.queues for worker in seen):
        return None
    return seen[0].last_seen_at if seen else "never"

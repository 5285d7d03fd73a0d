"""The page of a run, its figures, and each of its plots as a file."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.access import Admin
from app.csv_tables import attachment, csv_answer
from app.database import Db, ReadDb
from app.html import render, see, wants_fragment
from app.models import Encoder, LossPoint, Project, TrainingRun
from app.projects.access import AdminsProject, InProject
from app.search.encoders import active_encoder
from app.similarity.deep.curve import LossPoint as Point
from app.similarity.deep.curve import overfitting
from app.similarity.measuring.forgetting import LEAST_KEPT
from app.training.changes import changes
from app.training.drawing import Drawn, drawn, find_plot, label_parts, slice_parts
from app.training.facts import facts_of
from app.training.figures import evaluations_as_json
from app.training.grid_plots import matrix
from app.training.live import log_lines, mark_of, words_of
from app.training.recipe_words import recipe_rows
from app.training.runs import STAGES, cancel_run, events_of, find_run, losses_of, retry_run
from app.training.standing import last_worker
from app.training.story import Story, story
from app.training.tables import label_rows, metric_rows

router = APIRouter(prefix="/projects/{slug}/training", include_in_schema=False)


@router.get("/runs/{number}", name="show_run")
def show_run(request: Request, project: InProject, number: int, db: ReadDb) -> Response:
    """One run: what it brought, its stages, log, data and recipe."""
    run = find_run(db, project.id, number)
    template = "training/_run.html" if wants_fragment(request) else "training/run.html"
    found, losses, events = drawn(db, project, run), losses_of(db, run.id), events_of(db, run.id)
    shown = _headed(db, project, run) | {
        "log": log_lines(events),
        "mark": mark_of(run, len(events)),
        "stages": STAGES,
        "plots": found.plots,
        "story": story_of(run, found),
        "dataset": run.dataset,
        "recipe": recipe_rows(run.recipe),
        "overfitting": overfitting([_point(each) for each in losses]) if losses else None,
        "last_worker": last_worker(),
    }
    return render(request, template, **shown)


@router.get("/runs/{number}/figures", name="show_figures")
def show_figures(request: Request, project: InProject, number: int, db: ReadDb) -> Response:
    """Raw against tuned: every plot, what is mixed up, what changed, every number."""
    run = find_run(db, project.id, number)
    found = drawn(db, project, run)
    measured = found.measured
    improved, worsened = changes(db, measured, found.names) if measured else ([], [])
    slices = slice_parts(measured)
    return render(
        request, "training/figures.html", **_headed(db, project, run), plots=found.plots,
        matrix=None if measured is None else matrix(measured, found.names, "tuned"),
        improved=improved, worsened=worsened,
        worse_slices=[each for each in slices if each.is_worse],
        worse_labels=[e for e in label_parts(measured, found.names) if e.is_worse],
        probe=_probe(found), least_kept=LEAST_KEPT, rows=metric_rows(found.scores),
        label_rows=label_rows(found.scores, found.names), raw_number=_raw_number(db, run),
    )  # fmt: skip


@router.get("/runs/{number}/plots/{name}.svg", name="download_plot")
def download_plot(
    request: Request, project: InProject, number: int, name: str, db: ReadDb
) -> Response:
    """A plot as a file of its own, painted for light paper."""
    plot = find_plot(drawn(db, project, find_run(db, project.id, number)), name)
    answer = render(request, "training/plot.svg", plot=plot)
    answer.headers.update(attachment(f"run-{number}-{name}.svg"))
    answer.headers["Content-Type"] = "image/svg+xml"
    return answer


@router.get("/runs/{number}/plots/{name}.csv", name="download_numbers")
def download_numbers(project: InProject, number: int, name: str, db: ReadDb) -> Response:
    """The numbers of a plot."""
    plot = find_plot(drawn(db, project, find_run(db, project.id, number)), name)
    return csv_answer(f"run-{number}-{name}.csv", plot.columns, plot.rows)


@router.get("/runs/{number}/evaluations.csv", name="download_evaluations")
def download_evaluations(project: InProject, number: int, db: ReadDb) -> Response:
    """Every number of the run, label by label as well."""
    told = evaluations_as_json(db, find_run(db, project.id, number))
    columns = tuple(told[0]) if told else ("metric",)
    return csv_answer(f"run-{number}-evaluations.csv", columns, (tuple(e.values()) for e in told))


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


def _headed(db: Session, project: Project, run: TrainingRun) -> dict[str, Any]:
    """What both pages of a run begin with."""
    facts = facts_of(db, [run])[0]
    active = active_encoder(db, project.id)
    return {
        "project": project,
        "run": run,
        "facts": facts,
        "words": words_of(db, facts),
        "is_active": active is not None and active.id == run.encoder_id,
    }


def story_of(run: TrainingRun, found: Drawn) -> Story | None:
    """What the run brought, in words; None before it has succeeded."""
    if run.status != "succeeded":
        return None
    differences = [] if found.measured is None else found.measured.facts["differences"]
    parts = label_parts(found.measured, found.names)
    return story(found.figures, found.scores, differences, parts)


def _probe(found: Drawn) -> Mapping[str, Any]:
    """What the version left of the neighbours of unlabeled records, by metric."""
    kept = ("probe_overlap", "probe_rbo")
    return {score.metric: score for score in found.scores if score.metric in kept}


def _raw_number(db: Session, run: TrainingRun) -> int | None:
    """The version that this run was compared with; None before it made one of its own."""
    made = None if run.encoder_id is None else db.get(Encoder, run.encoder_id)
    raw = made and db.get(Encoder, made.raw_encoder_id or made.id)
    return None if raw is None or raw is made else raw.number


def _point(row: LossPoint) -> Point:
    return Point(row.step, row.epoch, row.train_loss, row.validation_loss)

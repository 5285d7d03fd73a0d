"""The page of a run, its evaluation, and downloads of its plots and metrics."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.accounts.access import Admin
from app.db.session import Db, ReadDb
from app.jobs.workers import find_workers
from app.ml.deep.loss_curve import LossPoint as Point
from app.ml.deep.loss_curve import describe_overfitting
from app.ml.evaluation.neighbour_retention import LEAST_KEPT
from app.models import LossPoint, Project, TrainingRun, Version
from app.models.enums import RunStatus
from app.projects.access import AdminProject, CurrentProject
from app.search.versions import find_active_version
from app.training.plots.grids import build_confusion_matrix
from app.training.plots.registry import (
    RunPlots,
    build_run_plots,
    find_plot,
    list_label_gains,
    list_segment_gains,
)
from app.training.reports.metrics import evaluations_as_json
from app.training.reports.neighbour_changes import find_changes
from app.training.reports.run_summary import load_run_summaries
from app.training.reports.summary_text import Story, write_story
from app.training.reports.tables import build_label_rows, build_metric_rows
from app.training.runs.live import compute_page_mark, describe_progress, format_log_lines
from app.training.runs.recipe_form import build_recipe_rows
from app.training.runs.runs import STAGES, cancel_run, find_run, list_events, load_losses, retry_run
from app.web.csv_tables import attachment_headers, csv_response
from app.web.templating import redirect_to, render, wants_fragment

router = APIRouter(prefix="/projects/{slug}/training", include_in_schema=False)


@router.get("/runs/{number}", name="show_run")
def show_run(request: Request, project: CurrentProject, number: int, db: ReadDb) -> Response:
    """Show a run: its result, stages, log, training data and recipe."""
    run = find_run(db, project.id, number)
    template = "training/_run.html" if wants_fragment(request) else "training/run.html"
    run_plots, losses, events = (
        build_run_plots(db, project, run),
        load_losses(db, run.id),
        list_events(db, run.id),
    )
    shown = _build_page_header(db, project, run) | {
        "log": format_log_lines(run, events),
        "mark": compute_page_mark(run, len(events)),
        "stages": STAGES,
        "plots": run_plots.plots,
        "story": build_story(run, run_plots),
        "dataset": run.dataset,
        "recipe": build_recipe_rows(run.recipe),
        "overfitting": describe_overfitting([_to_point(loss) for loss in losses])
        if losses
        else None,
        "workers": find_workers("train"),
    }
    return render(request, template, **shown)


@router.get("/runs/{number}/figures", name="show_figures")
def show_figures(request: Request, project: CurrentProject, number: int, db: ReadDb) -> Response:
    """Show every plot, the confusion matrix, changed queries and all metrics."""
    run = find_run(db, project.id, number)
    run_plots = build_run_plots(db, project, run)
    measured = run_plots.measured
    improved, worsened = find_changes(db, measured, run_plots.names) if measured else ([], [])
    segments = list_segment_gains(measured)
    return render(
        request,
        "training/figures.html",
        **_build_page_header(db, project, run),
        plots=run_plots.plots,
        matrix=None
        if measured is None
        else build_confusion_matrix(measured, run_plots.names, "tuned"),
        improved=improved,
        worsened=worsened,
        worse_segments=[segment for segment in segments if segment.is_worse],
        worse_labels=[e for e in list_label_gains(measured, run_plots.names) if e.is_worse],
        probe=_select_retention_scores(run_plots),
        least_kept=LEAST_KEPT,
        rows=build_metric_rows(run_plots.scores),
        label_rows=build_label_rows(run_plots.scores, run_plots.names),
        raw_number=_find_raw_number(db, run),
    )


@router.get("/runs/{number}/plots/{name}.svg", name="download_plot")
def download_plot(
    request: Request, project: CurrentProject, number: int, name: str, db: ReadDb
) -> Response:
    """Download a plot as SVG in light colours."""
    plot = find_plot(build_run_plots(db, project, find_run(db, project.id, number)), name)
    answer = render(request, "training/plot.svg", plot=plot)
    answer.headers.update(attachment_headers(f"run-{number}-{name}.svg"))
    answer.headers["Content-Type"] = "image/svg+xml"
    return answer


@router.get("/runs/{number}/plots/{name}.csv", name="download_numbers")
def download_numbers(project: CurrentProject, number: int, name: str, db: ReadDb) -> Response:
    """Download the data of a plot as CSV."""
    plot = find_plot(build_run_plots(db, project, find_run(db, project.id, number)), name)
    return csv_response(f"run-{number}-{name}.csv", plot.columns, plot.rows)


@router.get("/runs/{number}/evaluations.csv", name="download_evaluations")
def download_evaluations(project: CurrentProject, number: int, db: ReadDb) -> Response:
    """Download all metrics of the run, including those by label."""
    rows = evaluations_as_json(db, find_run(db, project.id, number))
    columns = tuple(rows[0]) if rows else ("metric",)
    return csv_response(f"run-{number}-evaluations.csv", columns, (tuple(e.values()) for e in rows))


@router.post("/runs/{number}/cancel", name="cancel_training")
def cancel_training(
    request: Request, project: AdminProject, user: Admin, number: int, db: Db
) -> Response:
    """Cancel the run."""
    cancel_run(db, find_run(db, project.id, number), by=user)
    return redirect_to(request, "show_run", slug=project.slug, number=number)


@router.post("/runs/{number}/retry", name="retry_training")
def retry_training(
    request: Request, project: AdminProject, user: Admin, number: int, db: Db
) -> Response:
    """Queue the run again."""
    retry_run(db, find_run(db, project.id, number), by=user)
    return redirect_to(request, "show_run", slug=project.slug, number=number)


def _build_page_header(db: Session, project: Project, run: TrainingRun) -> dict[str, Any]:
    """Build the context that both pages of a run share."""
    facts = load_run_summaries(db, [run])[0]
    active = find_active_version(db, project.id)
    return {
        "project": project,
        "run": run,
        "facts": facts,
        "words": describe_progress(facts),
        "is_active": active is not None and active.id == run.version_id,
    }


def build_story(run: TrainingRun, run_plots: RunPlots) -> Story | None:
    """Write the summary of the run; None before it has succeeded."""
    if run.status != RunStatus.SUCCEEDED:
        return None
    differences = [] if run_plots.measured is None else run_plots.measured.facts["differences"]
    parts = list_label_gains(run_plots.measured, run_plots.names)
    return write_story(run_plots.figures, run_plots.scores, differences, parts)


def _select_retention_scores(run_plots: RunPlots) -> Mapping[str, Any]:
    """Select the scores of neighbour retention, by metric."""
    kept = ("probe_overlap", "probe_rbo")
    return {score.metric: score for score in run_plots.scores if score.metric in kept}


def _find_raw_number(db: Session, run: TrainingRun) -> int | None:
    """Return the number of the raw version of the run's version; None before it has one."""
    made = None if run.version_id is None else db.get(Version, run.version_id)
    raw = made and db.get(Version, made.base_version_id or made.id)
    return None if raw is None or raw is made else raw.number


def _to_point(row: LossPoint) -> Point:
    return Point(row.step, row.epoch, row.train_loss, row.validation_loss)

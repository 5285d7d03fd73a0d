"""The plots of a run, built from stored metrics, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import NotFound
from app.models import Evaluation, Project, TrainingRun
from app.projects.labels import list_all_labels
from app.training.pipeline.query_results import StoredResults, find_query_results
from app.training.plots.canvas import Plot
from app.training.plots.dots import GainRow, plot_gains, plot_metrics
from app.training.plots.grids import (
    build_confusion_matrix,
    plot_balance,
    plot_calibration,
    plot_confusion,
)
from app.training.plots.lines import plot_depths, plot_losses
from app.training.plots.spreads import plot_label_boxes, plot_violins
from app.training.reports.metrics import Figure, load_figures, load_scores, select_figures
from app.training.runs.runs import load_losses

RANKINGS = ("r_precision", "top_k", "ndcg", "mrr", "map", "macro_r_precision")
HOLDOUT = ("holdout_accuracy", "holdout_macro_f1", "holdout_r_precision")
SUGGESTIONS = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "weighted_f1")


@dataclass(frozen=True)
class RunPlots:
    """The metrics and plots of a run, loaded once.

    names  the name of every label that the project ever had, by id
    """

    figures: tuple[Figure, ...]
    scores: Sequence[Evaluation]
    measured: StoredResults | None
    names: Mapping[int, str]
    plots: Mapping[str, Plot]


def build_run_plots(db: Session, project: Project, run: TrainingRun) -> RunPlots:
    """Load the run's metrics and build its plots."""
    names = {label.id: label.name for label in list_all_labels(db, project.id)}
    figures = load_figures(db, [run]).get(run.id, ())
    scores, measured = load_scores(db, run), find_query_results(db, run)
    run_plots = [
        plot_metrics(
            "headline",
            "Raw versus tuned",
            "On labeled records held out from training. Hold-out sample: records drawn at random. "
            "Lines: 95 % intervals.",
            figures,
        ),
        plot_losses(load_losses(db, run.id)),
        plot_balance((run.dataset or {}).get("labels", [])),
        _plot_metrics_of_all("ranking", "Ranking quality", scores, RANKINGS),
        _plot_metrics_of_all("suggestions", "Suggestion quality", scores, SUGGESTIONS),
        plot_metrics(
            "holdout",
            "Hold-out sample",
            "Records drawn at random and never used for training, so results hold for all records. "
            "Lines: 95 % intervals.",
            select_figures(scores, HOLDOUT),
        ),
        *([] if measured is None else _plot_queries(measured, names)),
    ]
    plots = {plot.name: plot for plot in run_plots if plot is not None}
    return RunPlots(figures, scores, measured, names, plots)


def find_plot(run_plots: RunPlots, name: str) -> Plot:
    """Return the plot with that name. Raises NotFound."""
    if name not in run_plots.plots:
        raise NotFound("plot")
    return run_plots.plots[name]


def list_label_gains(measured: StoredResults | None, names: Mapping[int, str]) -> list[GainRow]:
    """List the gain of each label, by r_precision."""
    gains = [] if measured is None else measured.facts["labels"]
    return [
        _build_gain_row(names.get(gain["key"], "–"), gain)
        for gain in gains
        if gain["metric"] == "r_precision"
    ]


def list_segment_gains(measured: StoredResults | None) -> list[GainRow]:
    """List the gain of each segment, by r_precision, named "field: value"."""
    gains = [] if measured is None else measured.facts["segments"]
    return [
        _build_gain_row(f"{gain['field']}: {gain['of']}", gain)
        for gain in gains
        if gain["metric"] == "r_precision"
    ]


def _build_gain_row(name: str, each: Mapping[str, Any]) -> GainRow:
    return GainRow(name, each["n"], each["raw"], each["value"], each["low"], each["high"])


def _plot_metrics_of_all(
    name: str, title: str, scores: Sequence[Evaluation], metrics: Sequence[str]
) -> Plot | None:
    about = "Lines: 95 % intervals; the table of all metrics is below."
    return plot_metrics(name, title, about, select_figures(scores, metrics))


def _plot_queries(measured: StoredResults, names: Mapping[int, str]) -> list[Plot | None]:
    gains = "Tuned minus raw, in points of R-precision. Bars: 95 % intervals."
    marks = " Square: clearly better; triangle: clearly worse; circle: unclear."
    confusion = build_confusion_matrix(measured, names, "tuned")
    return [
        plot_depths(measured.facts["curve"]),
        plot_violins(measured, names),
        plot_label_boxes(measured, names),
        plot_gains("labels", "Gain by label", gains + marks, list_label_gains(measured, names)),
        plot_gains("segments", "Gain by segment", gains + marks, list_segment_gains(measured)),
        plot_calibration(measured.facts["bins"]),
        None if confusion is None else plot_confusion(confusion),
    ]

"""Which plots a run has: all of them from stored figures, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.errors import NotFound
from app.models import Evaluation, Project, TrainingRun
from app.projects.labels import every_label
from app.training.dot_plots import Part, gain_plot, metric_plot
from app.training.figures import Figure, figures_among, figures_of, scores_of
from app.training.grid_plots import balance_plot, calibration_plot, matrix, matrix_plot
from app.training.line_plots import depth_plot, loss_plot
from app.training.measured import Measured, find_measured
from app.training.plots import Plot
from app.training.runs import losses_of
from app.training.spread_plots import label_boxes, violins

RANKINGS = ("r_precision", "top_k", "ndcg", "mrr", "map", "macro_r_precision")
AUDITED = ("audit_accuracy", "audit_macro_f1", "audit_r_precision")
SUGGESTIONS = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "weighted_f1")


@dataclass(frozen=True)
class Drawn:
    """A run's figures as its pages need them: read once.

    names  of every label that the project ever had, by id
    """

    figures: tuple[Figure, ...]
    scores: Sequence[Evaluation]
    measured: Measured | None
    names: Mapping[int, str]
    plots: Mapping[str, Plot]


def drawn(db: Session, project: Project, run: TrainingRun) -> Drawn:
    """The run's figures and plots."""
    names = {label.id: label.name for label in every_label(db, project.id)}
    figures = figures_of(db, [run]).get(run.id, ())
    scores, measured = scores_of(db, run), find_measured(db, run)
    found = [
        metric_plot(
            "headline", "Raw against tuned",
            "On labeled records that were hidden from training; in the audit, on records drawn by "
            "chance. Lines: 95 % intervals.", figures,
        ),
        loss_plot(losses_of(db, run.id)),
        balance_plot((run.dataset or {}).get("labels", [])),
        _metrics("ranking", "How good the order is", scores, RANKINGS),
        _metrics("suggestions", "How good suggestions are", scores, SUGGESTIONS),
        metric_plot(
            "audit", "In the audit",
            "Records drawn by chance, which no run learns from: what they say holds for all. "
            "Lines: 95 % intervals.", figures_among(scores, AUDITED),
        ),
        *([] if measured is None else _of_queries(measured, names)),
    ]  # fmt: skip
    plots = {plot.name: plot for plot in found if plot is not None}
    return Drawn(figures, scores, measured, names, plots)


def find_plot(found: Drawn, name: str) -> Plot:
    """The plot of that name. Raises NotFound."""
    if name not in found.plots:
        raise NotFound("plot")
    return found.plots[name]


def label_parts(measured: Measured | None, names: Mapping[int, str]) -> list[Part]:
    """What tuning brought to each label, by r_precision."""
    gains = [] if measured is None else measured.facts["labels"]
    return [
        _part(names.get(each["key"], "–"), each)
        for each in gains
        if each["metric"] == "r_precision"
    ]


def slice_parts(measured: Measured | None) -> list[Part]:
    """What tuning brought to each slice, by r_precision, named "field: its value"."""
    gains = [] if measured is None else measured.facts["slices"]
    return [
        _part(f"{each['field']}: {each['of']}", each)
        for each in gains
        if each["metric"] == "r_precision"
    ]


def _part(name: str, each: Mapping[str, Any]) -> Part:
    return Part(name, each["n"], each["raw"], each["value"], each["low"], each["high"])


def _metrics(
    name: str, title: str, scores: Sequence[Evaluation], metrics: Sequence[str]
) -> Plot | None:
    about = "Lines: 95 % intervals; the table of every number below says what each is."
    return metric_plot(name, title, about, figures_among(scores, metrics))


def _of_queries(measured: Measured, names: Mapping[int, str]) -> list[Plot | None]:
    gains = "Tuned minus raw, in points of like neighbours. Bars: 95 % intervals."
    marks = " Square: clearly better; triangle: clearly worse; circle: cannot be told."
    confusion = matrix(measured, names, "tuned")
    return [
        depth_plot(measured.facts["curve"]),
        violins(measured, names),
        label_boxes(measured, names),
        gain_plot("labels", "What each label gained", gains + marks, label_parts(measured, names)),
        gain_plot("slices", "What each slice gained", gains + marks, slice_parts(measured)),
        calibration_plot(measured.facts["bins"]),
        None if confusion is None else matrix_plot(confusion),
    ]

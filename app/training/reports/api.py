"""The API of a run's evaluation and training data: the data of every plot and table."""

from fastapi import APIRouter
from pydantic import TypeAdapter

from app.db.session import ReadDb
from app.errors import NotFound
from app.projects.access import CurrentProject
from app.training.plots.canvas import Plot
from app.training.plots.grids import build_confusion_matrix
from app.training.plots.registry import build_run_plots, find_plot
from app.training.reports.neighbour_changes import Change, find_changes
from app.training.reports.schemas import (
    ChangeResponse,
    ChangesResponse,
    ConfusedResponse,
    DatasetResponse,
    GainResponse,
    LogResponse,
    PlotResponse,
    SummaryResponse,
)
from app.training.runs.pages import build_story
from app.training.runs.runs import find_run, list_events

router = APIRouter(prefix="/projects/{slug}/runs/{number}")
_GAINS = TypeAdapter(list[GainResponse])


@router.get("/plots", name="list_plots")
def list_plots(project: CurrentProject, number: int, db: ReadDb) -> list[PlotResponse]:
    """List the data of every plot of the run; which plots exist depends on the evaluation."""
    run_plots = build_run_plots(db, project, find_run(db, project.id, number))
    return [_build_response(plot) for plot in run_plots.plots.values()]


@router.get("/plots/{name}", name="read_plot")
def read_plot(project: CurrentProject, number: int, name: str, db: ReadDb) -> PlotResponse:
    """Return one plot: top_k (by depth), top_1k (by query), top_1k_by_label, ranking, labels,
    segments, suggestions, holdout, calibration, confusion, headline, losses or balance."""
    return _build_response(
        find_plot(build_run_plots(db, project, find_run(db, project.id, number)), name)
    )


@router.get("/summary", name="read_summary")
def read_summary(project: CurrentProject, number: int, db: ReadDb) -> SummaryResponse:
    """Return whether the run helped, how much, for which labels and with what confidence. 404
    before it has succeeded."""
    run = find_run(db, project.id, number)
    story = build_story(run, build_run_plots(db, project, run))
    if story is None:
        raise NotFound("story")
    return SummaryResponse.model_validate(story)


@router.get("/dataset", name="read_dataset")
def read_dataset(project: CurrentProject, number: int, db: ReadDb) -> DatasetResponse:
    """Return the training data of the run. 404 before its snapshot was taken."""
    run = find_run(db, project.id, number)
    if run.dataset is None:
        raise NotFound("dataset")
    return DatasetResponse.model_validate(run.dataset)


@router.get("/log", name="list_run_events")
def list_run_events(project: CurrentProject, number: int, db: ReadDb) -> list[LogResponse]:
    """List the run's log, oldest first."""
    events = list_events(db, find_run(db, project.id, number).id)
    return [LogResponse.model_validate(event) for event in events]


@router.get("/gains", name="list_gains")
def list_gains(project: CurrentProject, number: int, db: ReadDb) -> list[GainResponse]:
    """List the gain of each label and segment, in r_precision and accuracy."""
    run_plots = build_run_plots(db, project, find_run(db, project.id, number))
    if run_plots.measured is None:
        return []
    labels = [
        fact | {"field": None, "of": run_plots.names.get(fact["key"], "–")}
        for fact in run_plots.measured.facts["labels"]
    ]
    return _GAINS.validate_python(labels + run_plots.measured.facts["segments"])


@router.get("/confusion", name="list_confusion")
def list_confusion(project: CurrentProject, number: int, db: ReadDb) -> list[ConfusedResponse]:
    """List the cells of the confusion matrix; empty where records carry several labels."""
    run_plots = build_run_plots(db, project, find_run(db, project.id, number))
    cells = (
        None
        if run_plots.measured is None
        else build_confusion_matrix(run_plots.measured, run_plots.names, "tuned")
    )
    rows = () if cells is None else cells.rows
    return [ConfusedResponse.model_validate(cell) for row in rows for cell in row if cell]


@router.get("/changes", name="read_changes")
def read_changes(project: CurrentProject, number: int, db: ReadDb) -> ChangesResponse:
    """List the queries whose neighbours improved and worsened most."""
    run_plots = build_run_plots(db, project, find_run(db, project.id, number))
    change_lists: tuple[list[Change], list[Change]] = ([], [])
    if run_plots.measured is not None:
        change_lists = find_changes(db, run_plots.measured, run_plots.names)
    improved, worsened = (
        [ChangeResponse.model_validate(each) for each in part] for part in change_lists
    )
    return ChangesResponse(improved=improved, worsened=worsened)


def _build_response(plot: Plot) -> PlotResponse:
    return PlotResponse(
        name=plot.name,
        title=plot.title,
        about=plot.about,
        columns=list(plot.columns),
        rows=[list(row) for row in plot.rows],
    )

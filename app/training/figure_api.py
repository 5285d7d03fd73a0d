"""What a run measured and learned from, for programs: the numbers of every plot and table."""

from fastapi import APIRouter
from pydantic import TypeAdapter

from app.database import ReadDb
from app.errors import NotFound
from app.projects.access import InProject
from app.training.changes import Change, changes
from app.training.drawing import drawn, find_plot
from app.training.figure_answers import (
    ChangeAnswer,
    ChangesAnswer,
    ConfusedAnswer,
    DatasetAnswer,
    GainAnswer,
    LogAnswer,
    PlotAnswer,
    StoryAnswer,
)
from app.training.grid_plots import matrix
from app.training.plots import Plot
from app.training.run_pages import story_of
from app.training.runs import events_of, find_run

router = APIRouter(prefix="/projects/{slug}/runs/{number}")
_GAINS = TypeAdapter(list[GainAnswer])


@router.get("/plots", name="list_plots")
def list_plots(project: InProject, number: int, db: ReadDb) -> list[PlotAnswer]:
    """The numbers of every plot of the run's pages; which there are, what was measured says."""
    found = drawn(db, project, find_run(db, project.id, number))
    return [_plot(plot) for plot in found.plots.values()]


@router.get("/plots/{name}", name="read_plot")
def read_plot(project: InProject, number: int, name: str, db: ReadDb) -> PlotAnswer:
    """One of them: top_k (by depth), top_1k (query by query), top_1k_by_label, ranking, labels,
    slices, suggestions, calibration, confusion, headline, losses or balance."""
    return _plot(find_plot(drawn(db, project, find_run(db, project.id, number)), name))


@router.get("/story", name="read_story")
def read_story(project: InProject, number: int, db: ReadDb) -> StoryAnswer:
    """Whether the run helped, how much, for which labels, and how sure that is. 404 before it has
    succeeded."""
    run = find_run(db, project.id, number)
    story = story_of(run, drawn(db, project, run))
    if story is None:
        raise NotFound("story")
    return StoryAnswer.model_validate(story)


@router.get("/dataset", name="read_dataset")
def read_dataset(project: InProject, number: int, db: ReadDb) -> DatasetAnswer:
    """What the run learned from. 404 before its examples were frozen."""
    run = find_run(db, project.id, number)
    if run.dataset is None:
        raise NotFound("dataset")
    return DatasetAnswer.model_validate(run.dataset)


@router.get("/log", name="list_run_events")
def list_run_events(project: InProject, number: int, db: ReadDb) -> list[LogAnswer]:
    """The run's log, oldest first."""
    events = events_of(db, find_run(db, project.id, number).id)
    return [LogAnswer.model_validate(event) for event in events]


@router.get("/gains", name="list_gains")
def list_gains(project: InProject, number: int, db: ReadDb) -> list[GainAnswer]:
    """What tuning brought to each label and each slice, by r_precision and accuracy."""
    found = drawn(db, project, find_run(db, project.id, number))
    if found.measured is None:
        return []
    labels = [
        each | {"field": None, "of": found.names.get(each["key"], "–")}
        for each in found.measured.facts["labels"]
    ]
    return _GAINS.validate_python(labels + found.measured.facts["slices"])


@router.get("/confusion", name="list_confusion")
def list_confusion(project: InProject, number: int, db: ReadDb) -> list[ConfusedAnswer]:
    """Which records were taken for what; empty where records carry several labels."""
    found = drawn(db, project, find_run(db, project.id, number))
    cells = None if found.measured is None else matrix(found.measured, found.names, "tuned")
    rows = () if cells is None else cells.rows
    return [ConfusedAnswer.model_validate(cell) for row in rows for cell in row if cell]


@router.get("/changes", name="read_changes")
def read_changes(project: InProject, number: int, db: ReadDb) -> ChangesAnswer:
    """The queries whose neighbours improved and worsened most."""
    found = drawn(db, project, find_run(db, project.id, number))
    told: tuple[list[Change], list[Change]] = ([], [])
    if found.measured is not None:
        told = changes(db, found.measured, found.names)
    improved, worsened = ([ChangeAnswer.model_validate(each) for each in part] for part in told)
    return ChangesAnswer(improved=improved, worsened=worsened)


def _plot(plot: Plot) -> PlotAnswer:
    return PlotAnswer(
        name=plot.name, title=plot.title, about=plot.about, columns=list(plot.columns),
        rows=[list(row) for row in plot.rows],
    )  # fmt: skip

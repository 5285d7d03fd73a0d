"""What a run measured and learned from, for programs: the numbers of every plot and table."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from app.database import ReadDb
from app.errors import NotFound
from app.projects.access import InProject
from app.training.changes import Change, changes
from app.training.drawing import drawn, find_plot
from app.training.grid_plots import matrix
from app.training.plots import Plot
from app.training.run_pages import story_of
from app.training.runs import events_of, find_run

router = APIRouter(prefix="/projects/{slug}/runs/{number}")


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PlotAnswer(_Answer):
    """The numbers of a plot: rows in the order of the columns; about says how to read them."""

    name: str
    title: str
    about: str
    columns: list[str]
    rows: list[list[str | int | float | None]]


class StoryAnswer(_Answer):
    """What the run brought, in sentences. kind: good, info (no clear difference), bad, or warn (not
    measured)."""

    answer: str
    kind: str
    how_much: list[str]
    for_which: list[str]
    how_sure: list[str]


class LogAnswer(_Answer):
    """A line of the run's log."""

    happened_at: datetime
    stage: str
    message: str


class GainAnswer(BaseModel):
    """Tuned minus raw for the queries of one label (field: None), or of one value of a field, with
    its 95 % interval; chance_worse is the share of 1,000 redraws in which tuned was below raw."""

    field: str | None
    of: str
    metric: str
    n: int
    raw: float
    value: float
    low: float
    high: float
    chance_worse: float


class ConfusedAnswer(_Answer):
    """Records of one label that got one label suggested by tuned while they were hidden; at most
    500 ids."""

    true: str
    suggested: str
    n: int
    share: float
    record_ids: list[int]


class NeighbourAnswer(_Answer):
    """A neighbour of a query. move: stays, left (old list alone) or entered (new list alone)."""

    record_id: int
    text: str
    label: str
    is_like: bool
    move: str


class ChangeAnswer(_Answer):
    """A query with its r-precision and its 10 nearest hidden records, raw and tuned; texts are
    shortened."""

    record_id: int
    text: str
    label: str
    raw: float
    tuned: float
    before: list[NeighbourAnswer]
    after: list[NeighbourAnswer]


class ChangesAnswer(BaseModel):
    """The queries that improved and worsened most, at most 10 of each."""

    improved: list[ChangeAnswer]
    worsened: list[ChangeAnswer]


class LabelShareAnswer(BaseModel):
    """A label among the examples; log_share: its share if labels count with log(1 + n)."""

    name: str
    n: int
    share: float
    log_share: float


class LeftOutAnswer(BaseModel):
    """How many labels do not teach, by the rule that leaves them out."""

    rule: str
    n: int


class DroppedAnswer(BaseModel):
    """A label of the set that teaches nothing, or cannot be measured, and why."""

    name: str
    rule: str


class SplitAnswer(BaseModel):
    """A part of the examples that was hidden and asked, by what was learned from the others."""

    part: int
    n_shown: int
    n_hidden: int


class DatasetAnswer(BaseModel):
    """What the run learned from, counted when its examples were frozen."""

    n_records: int
    n_with_vector: int
    n_examples: int
    n_duplicates: int
    n_groups: int
    n_contradictions: int
    n_page_accepted: int
    n_by_rule: int
    weights: dict[str, float]
    left_out: list[LeftOutAnswer]
    labels: list[LabelShareAnswer]
    dropped: list[DroppedAnswer]
    splits: list[SplitAnswer]


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
    return [GainAnswer.model_validate(each) for each in labels + found.measured.facts["slices"]]


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

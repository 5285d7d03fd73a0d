"""Response models for the evaluation and training data of a run."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from app.ml.evaluation.per_query import Gain


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PlotResponse(_Answer):
    """The data of a plot: rows in the order of the columns; about explains how to read them."""

    name: str
    title: str
    about: str
    columns: list[str]
    rows: list[list[str | int | float | None]]


class SummaryResponse(_Answer):
    """The result of the run in sentences. kind: good, info (no clear difference), bad, or warn (not
    evaluated)."""

    answer: str
    kind: str
    how_much: list[str]
    for_which: list[str]
    how_sure: list[str]


class LogResponse(_Answer):
    """A line of the run's log."""

    happened_at: datetime
    stage: str
    message: str


@dataclass(frozen=True)
class GainResponse(Gain):
    """The gain for queries of one label (field: null) or one value of a field. chance_worse: share
    of 1,000 bootstrap samples in which tuned was below raw."""

    field: str | None
    of: str


class ConfusedResponse(_Answer):
    """Held-out records of one label with one label suggested by the tuned version; at most 500
    ids."""

    true: str
    suggested: str
    n: int
    share: float
    record_ids: list[int]


class NeighbourResponse(_Answer):
    """A neighbour of a query. move: stays, left (only before) or entered (only after)."""

    record_id: int
    text: str
    label: str
    is_like: bool
    move: str


class ChangeResponse(_Answer):
    """A query with its R-precision and its 10 nearest held-out records, raw and tuned; texts are
    shortened."""

    record_id: int
    text: str
    label: str
    raw: float
    tuned: float
    before: list[NeighbourResponse]
    after: list[NeighbourResponse]


class ChangesResponse(BaseModel):
    """The queries that improved and worsened most, at most 10 of each."""

    improved: list[ChangeResponse]
    worsened: list[ChangeResponse]


class LabelShareResponse(BaseModel):
    """A label among the labeled records; log_share: its share when weighted by log(1 + n)."""

    name: str
    n: int
    share: float
    log_share: float


class LeftOutResponse(BaseModel):
    """The number of labels not used for training, by rule."""

    rule: str
    n: int


class DroppedResponse(BaseModel):
    """A label that is not used for training or cannot be evaluated, and why."""

    name: str
    rule: str


class SplitResponse(BaseModel):
    """A cross-validation fold: number of training and held-out records."""

    part: int
    n_shown: int
    n_hidden: int


class DatasetResponse(BaseModel):
    """The training data of the run, counted when its snapshot was taken."""

    n_records: int
    n_with_vector: int
    n_examples: int
    n_duplicates: int
    n_groups: int
    n_contradictions: int
    n_page_accepted: int
    n_by_rule: int
    weights: dict[str, float]
    left_out: list[LeftOutResponse]
    labels: list[LabelShareResponse]
    dropped: list[DroppedResponse]
    splits: list[SplitResponse]

"""The shapes in which programs are told what a run measured and learned from."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from app.ml.evaluation.per_query import Gain


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PlotResponse(_Answer):
    """The numbers of a plot: rows in the order of the columns; about says how to read them."""

    name: str
    title: str
    about: str
    columns: list[str]
    rows: list[list[str | int | float | None]]


class SummaryResponse(_Answer):
    """What the run brought, in sentences. kind: good, info (no clear difference), bad, or warn (not
    measured)."""

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
    """What tuning brought to the queries of one label (field: None), or of one value of a field;
    chance_worse is the share of 1,000 redraws in which tuned was below raw."""

    field: str | None
    of: str


class ConfusedResponse(_Answer):
    """Records of one label that got one label suggested by tuned while they were hidden; at most
    500 ids."""

    true: str
    suggested: str
    n: int
    share: float
    record_ids: list[int]


class NeighbourResponse(_Answer):
    """A neighbour of a query. move: stays, left (old list alone) or entered (new list alone)."""

    record_id: int
    text: str
    label: str
    is_like: bool
    move: str


class ChangeResponse(_Answer):
    """A query with its r-precision and its 10 nearest hidden records, raw and tuned; texts are
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
    """A label among the examples; log_share: its share if labels count with log(1 + n)."""

    name: str
    n: int
    share: float
    log_share: float


class LeftOutResponse(BaseModel):
    """How many labels do not teach, by the rule that leaves them out."""

    rule: str
    n: int


class DroppedResponse(BaseModel):
    """A label of the set that teaches nothing, or cannot be measured, and why."""

    name: str
    rule: str


class SplitResponse(BaseModel):
    """A part of the examples that was hidden and asked, by what was learned from the others."""

    part: int
    n_shown: int
    n_hidden: int


class DatasetResponse(BaseModel):
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
    left_out: list[LeftOutResponse]
    labels: list[LabelShareResponse]
    dropped: list[DroppedResponse]
    splits: list[SplitResponse]

"""Request and response models of the training API."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.training.runs.recipe_form import AnyMethod
from app.web.schemas import StrictModel


class ScoreResponse(BaseModel):
    """A score with its 95 % interval, its k and n, and the score of chance."""

    model_config = ConfigDict(from_attributes=True)

    metric: str
    k: int | None
    n: int
    value: float
    low: float
    high: float
    chance: float | None = None


class EvaluationResponse(ScoreResponse):
    """One score of a run. role: raw, tuned, active (the version active then), or over_raw and
    over_active (tuned minus that one). label and suggested: names, for scores of one label."""

    role: str
    label: str | None
    suggested: str | None


class StarvedResponse(BaseModel):
    """A label that needs more records, and the next step."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    n_labeled: int
    n_wanted: int
    recall: float | None
    confused_with: str | None
    next_step: str


class HoldoutResponse(BaseModel):
    """The hold-out sample: its size and a version's current scores on it; none below 10 records."""

    n_records: int
    n_labeled: int
    version: int | None
    scores: list[ScoreResponse]


class AdviceResponse(BaseModel):
    """What to do next. gain: expected gain in accuracy from k more labels; curve: accuracy with k
    labels; both from the given run."""

    sentences: list[str]
    missing: list[str]
    starved: list[StarvedResponse]
    run: int | None
    curve: list[ScoreResponse]
    gain: ScoreResponse | None
    is_enough: bool


class RunResponse(BaseModel):
    """A run. raw and tuned: the same metrics in the same order, or empty; active: scores of the
    version active then, on labels it was not trained on."""

    number: int
    status: str
    stage: str
    progress: float
    n_done: int | None
    n_total: int | None
    unit: str | None
    attempt: int
    is_forced: bool
    recipe: dict[str, Any]
    n_examples: int | None
    snapshot_hash: str | None
    version: int | None
    verdict: str | None
    error: str | None
    requested_by: str | None
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    raw: list[ScoreResponse]
    tuned: list[ScoreResponse]
    active: list[ScoreResponse]


class RunBody(StrictModel):
    """recipe: values that differ from the defaults. is_forced: activate even a worse version."""

    method: AnyMethod = "head"
    recipe: dict[str, Any] = Field(default={})
    is_forced: bool = False


class ReadinessResponse(BaseModel):
    """Whether a run can start, whether an automatic run is due, and what is missing."""

    is_ready: bool
    is_due: bool
    n_labeled: int
    n_changed: int
    needed: int
    missing: list[str]
    moving: int | None


class LossResponse(BaseModel):
    """The losses at a step; null where not measured."""

    step: int
    epoch: float
    train_loss: float | None
    validation_loss: float | None


class EstimateResponse(BaseModel):
    """The expected duration of a deep run with the default recipe."""

    n_learned: int
    n_records: int
    learning_minutes: float
    embedding_minutes: float
    has_gpu: bool
    sentence: str

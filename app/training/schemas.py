"""What training takes from programs and tells them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.training.runs.recipe_form import AnyMethod
from app.web.schemas import StrictModel


class ScoreResponse(BaseModel):
    """A figure with its 95 % interval, its k and its n, and what chance alone would score."""

    model_config = ConfigDict(from_attributes=True)

    metric: str
    k: int | None
    n: int
    value: float
    low: float
    high: float
    chance: float | None = None


class EvaluationResponse(ScoreResponse):
    """One number of a run. role: raw, tuned, active (the version in use then), or over_raw and
    over_active, tuned minus that one; label and suggested are names, of figures of one label."""

    role: str
    label: str | None
    suggested: str | None


class StarvedResponse(BaseModel):
    """A label that needs records of its own, and the next step."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    n_labeled: int
    n_wanted: int
    recall: float | None
    confused_with: str | None
    next_step: str


class HoldoutResponse(BaseModel):
    """The audit stream: its size, and what it says of a version today; no scores below 10."""

    n_records: int
    n_labeled: int
    version: int | None
    scores: list[ScoreResponse]


class AdviceResponse(BaseModel):
    """What to do next. gain: what k more labels would likely add to the share of right
    suggestions; curve: that share with k labels; both by the run of that number."""

    sentences: list[str]
    missing: list[str]
    starved: list[StarvedResponse]
    run: int | None
    curve: list[ScoreResponse]
    gain: ScoreResponse | None
    is_enough: bool


class RunResponse(BaseModel):
    """A run; raw and tuned hold the same metrics in the same order, or nothing; active what the
    version in use then scored on labels that it had not learned from."""

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
    """recipe: numbers that differ from the defaults. is_forced: activate even what is worse."""

    method: AnyMethod = "head"
    recipe: dict[str, Any] = Field(default={})
    is_forced: bool = False


class ReadinessResponse(BaseModel):
    """Whether a run can start, whether one would by itself, and what is missing."""

    is_ready: bool
    is_due: bool
    n_labeled: int
    n_changed: int
    needed: int
    missing: list[str]
    moving: int | None


class LossResponse(BaseModel):
    """The losses after so many steps; null where one was not measured then."""

    step: int
    epoch: float
    train_loss: float | None
    validation_loss: float | None


class EstimateResponse(BaseModel):
    """What a deep run of the usual recipe would take."""

    n_learned: int
    n_records: int
    learning_minutes: float
    embedding_minutes: float
    has_gpu: bool
    sentence: str

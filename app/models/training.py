"""Training runs, their events, and their scores."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Float,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, utc_now
from app.models.enums import RunStage, RunStatus


class TrainingRun(Base):
    """A run from labels to a version. Durable: after a crash it continues at its last step.

    status: a RunStatus; stage: a RunStage. At most one run of a project is queued or running (a
    unique partial index holds it).
    `version_id` is the version it published. `last_action_id` is the newest action in its snapshot:
    labels of later actions count as changed since. `holdout_until` is the hold-out sample left out.
    `snapshot_hash` is the sha256 of the frozen examples; `dataset` describes them as
    counted by app.training.pipeline.dataset; `verdict` is the reason for (not) activating it.
    `progress` of the stage in [0, 1]; `n_done` of `n_total` units (step, pass, part, epoch or
    record) of its work, and `per_minute` of them: null where the stage does not count.
    """

    __tablename__ = "training_runs"
    __table_args__ = (
        UniqueConstraint("project_id", "number"),
        Index(
            "uq_training_runs_one_at_a_time",
            "project_id",
            unique=True,
            sqlite_where=text("status IN ('queued', 'running')"),
            postgresql_where=text("status IN ('queued', 'running')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    number: Mapped[int]
    recipe: Mapped[dict[str, Any]] = mapped_column(default=dict)
    is_forced: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(String(20), default=RunStatus.QUEUED, index=True)
    stage: Mapped[str] = mapped_column(String(20), default=RunStage.COLLECT)
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    n_done: Mapped[int | None]
    n_total: Mapped[int | None]
    unit: Mapped[str | None] = mapped_column(String(12))
    per_minute: Mapped[float | None] = mapped_column(Float)
    attempt: Mapped[int] = mapped_column(default=1)
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    n_examples: Mapped[int | None]
    last_action_id: Mapped[int | None]
    snapshot_hash: Mapped[str | None] = mapped_column(String(64))
    dataset: Mapped[dict[str, Any] | None]
    holdout_until: Mapped[str] = mapped_column(String(64), default="")
    version_id: Mapped[int | None] = mapped_column(
        ForeignKey("versions.id", ondelete="SET NULL"), unique=True
    )
    verdict: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]


class RunEvent(Base):
    """A line of a run's log: what happened, at which stage."""

    __tablename__ = "run_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), index=True
    )
    happened_at: Mapped[datetime] = mapped_column(default=utc_now)
    stage: Mapped[str] = mapped_column(String(20))
    message: Mapped[str] = mapped_column(Text)


class LossPoint(Base):
    """The losses of a deep run at a step; null where not measured.

    `epoch` is the number of passes over the training records, a fraction.
    """

    __tablename__ = "loss_points"

    run_id: Mapped[int] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), primary_key=True
    )
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[float] = mapped_column(Float)
    train_loss: Mapped[float | None] = mapped_column(Float)
    validation_loss: Mapped[float | None] = mapped_column(Float)


class Evaluation(Base):
    """One score of a version in this run, with its k, its n and its 95 % interval.

    `role`: raw; tuned; active, the version active then; over_raw and over_active, tuned minus that
    one, query by query. `label_id`: of that label only. `suggested_id`: for a confusion, the label
    suggested instead. `chance`: the score of random neighbours. docs/evaluation.md explains each
    metric.
    """

    __tablename__ = "evaluations"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(
        ForeignKey("training_runs.id", ondelete="CASCADE"), index=True
    )
    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(12))
    metric: Mapped[str] = mapped_column(String(40))
    k: Mapped[int | None]
    label_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id", ondelete="CASCADE"))
    suggested_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id", ondelete="CASCADE"))
    n: Mapped[int]
    value: Mapped[float] = mapped_column(Float)
    low: Mapped[float] = mapped_column(Float)
    high: Mapped[float] = mapped_column(Float)
    chance: Mapped[float | None] = mapped_column(Float)

"""What pages and programs are told about a run or a version: rows put together, read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import (
    Activation,
    Encoder,
    Project,
    RunEvent,
    TrainingRun,
    User,
    utc_now,
)
from app.search.encoders import active_encoder, versions
from app.training.figures import Figure, figures_of, score_as_json
from app.training.readiness import MOVING


@dataclass(frozen=True)
class RunFacts:
    """A run with the names of what its ids mean; figures are empty where nothing was measured."""

    run: TrainingRun
    version: int | None
    requested_by: str | None
    figures: tuple[Figure, ...]
    stage_since: datetime | None

    @property
    def is_moving(self) -> bool:
        """Queued or running."""
        return self.run.status in MOVING

    @property
    def seconds(self) -> float | None:
        """How long it took, or takes by now; None before it started."""
        if self.run.started_at is None:
            return None
        return ((self.run.finished_at or utc_now()) - self.run.started_at).total_seconds()

    @property
    def seconds_left(self) -> float | None:
        """What the present stage will still take at its present speed; None if too early to say."""
        if self.run.status != "running" or self.stage_since is None or self.run.progress < 0.1:
            return None
        passed = (utc_now() - self.stage_since).total_seconds()
        return passed * (1 - self.run.progress) / self.run.progress

    @property
    def headline(self) -> Figure | None:
        """The figure that decides about activation."""
        return next((f for f in self.figures if f.tuned.metric == "r_precision"), None)


@dataclass(frozen=True)
class VersionFacts:
    """A version, the run that made it (None: the base model as it is), and is it in use."""

    encoder: Encoder
    made_by: RunFacts | None
    is_active: bool
    activated_at: datetime | None


def facts_of(db: Session, runs: Sequence[TrainingRun]) -> list[RunFacts]:
    """The facts of these runs, in their order; a handful of queries for all of them."""
    figures = figures_of(db, runs)
    numbers = _numbers(db, [run.encoder_id for run in runs if run.encoder_id])
    names = _names(db, [run.requested_by_id for run in runs if run.requested_by_id])
    since = _stages_since(db, [run for run in runs if run.status == "running"])
    return [
        RunFacts(
            run,
            numbers.get(run.encoder_id or 0),
            names.get(run.requested_by_id or 0),
            figures.get(run.id, ()),
            since.get(run.id),
        )
        for run in runs
    ]


def versions_of(db: Session, project: Project) -> list[VersionFacts]:
    """Every version of the project, the newest first."""
    made = db.scalars(
        select(TrainingRun).where(
            TrainingRun.project_id == project.id, TrainingRun.encoder_id.is_not(None)
        )
    ).all()
    by_encoder = {facts.run.encoder_id: facts for facts in facts_of(db, made)}
    active = active_encoder(db, project.id)
    since = select(Activation.encoder_id, func.max(Activation.activated_at)).where(
        Activation.project_id == project.id
    )
    activated = dict(db.execute(since.group_by(Activation.encoder_id)).all())
    return [
        VersionFacts(
            encoder,
            by_encoder.get(encoder.id),
            active is not None and encoder.id == active.id,
            activated.get(encoder.id),
        )
        for encoder in versions(db, project.id)
    ]


def run_as_json(facts: RunFacts) -> dict[str, Any]:
    """A run as the API and the command line tell it."""
    run = facts.run
    columns = (
        "number", "status", "stage", "progress", "attempt", "is_forced", "recipe", "n_examples",
        "snapshot_hash", "verdict", "error", "requested_at", "started_at", "finished_at",
    )  # fmt: skip
    told: dict[str, Any] = {name: getattr(run, name) for name in columns}
    told |= {
        "version": facts.version,
        "requested_by": facts.requested_by,
        "seconds": facts.seconds,
        "raw": [score_as_json(figure.raw) for figure in facts.figures],
        "tuned": [score_as_json(figure.tuned) for figure in facts.figures],
        "active": [score_as_json(each.active) for each in facts.figures if each.active],
    }
    return told


def _numbers(db: Session, encoder_ids: Sequence[int]) -> dict[int, int]:
    found = select(Encoder.id, Encoder.number).where(Encoder.id.in_(encoder_ids))
    return dict(db.execute(found).all())


def _names(db: Session, user_ids: Sequence[int]) -> dict[int, str]:
    return dict(db.execute(select(User.id, User.name).where(User.id.in_(user_ids))).all())


def _stages_since(db: Session, runs: Sequence[TrainingRun]) -> dict[int, datetime]:
    """When each run's present stage wrote its first line."""
    first: dict[int, datetime] = {}
    for run in runs:
        began = db.scalar(
            select(func.min(RunEvent.happened_at)).where(
                RunEvent.run_id == run.id, RunEvent.stage == run.stage
            )
        )
        if began is not None:
            first[run.id] = began
    return first

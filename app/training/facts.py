"""What pages and programs are told about a run or a version: rows put together, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import (
    Activation,
    Encoder,
    Evaluation,
    Project,
    RunEvent,
    TrainingRun,
    User,
    utc_now,
)
from app.search.encoders import active_encoder, versions
from app.training.readiness import MOVING

WORDS = {
    "r_precision": "Like neighbours among as many as there are",
    "top_k": "Like neighbours among the nearest",
    "accuracy": "Right suggestions",
    "macro_f1": "Right suggestions, each label counting the same",
    "audit_accuracy": "Right suggestions, in the audit",
    "audit_r_precision": "Like neighbours, in the audit",
}
"""The figures that are shown first; a run keeps many more."""

USUAL_K = 10


@dataclass(frozen=True)
class Figure:
    """One metric, raw beside tuned, on the same queries with the same k.

    active  the version that was in use, on those queries that it had not learned from
    """

    raw: Evaluation
    tuned: Evaluation
    active: Evaluation | None = None

    @property
    def words(self) -> str:
        """The metric in plain words."""
        return WORDS.get(self.tuned.metric, self.tuned.metric)


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


def scores_of(db: Session, run: TrainingRun) -> Sequence[Evaluation]:
    """Every number that the run measured, in the order in which they were kept."""
    return db.scalars(
        select(Evaluation).where(Evaluation.run_id == run.id).order_by(Evaluation.id)
    ).all()


def figures_of(db: Session, runs: Sequence[TrainingRun]) -> dict[int, tuple[Figure, ...]]:
    """By run: the figures that are shown first. Runs that measured nothing are missing."""
    found: dict[int, dict[str, dict[str, Evaluation]]] = {}
    for score in _headlines(db, runs):
        if (score.k or 0) <= USUAL_K:
            # Of several depths, the last is the largest.
            found.setdefault(score.run_id, {}).setdefault(score.metric, {})[score.role] = score
    return {run_id: _in_order(by_metric) for run_id, by_metric in found.items()}


def _headlines(db: Session, runs: Sequence[TrainingRun]) -> Sequence[Evaluation]:
    return db.scalars(
        select(Evaluation)
        .where(
            Evaluation.run_id.in_([run.id for run in runs]),
            Evaluation.metric.in_(WORDS),
            Evaluation.label_id.is_(None),
        )
        .order_by(Evaluation.id)
    ).all()


def _in_order(by_metric: Mapping[str, Mapping[str, Evaluation]]) -> tuple[Figure, ...]:
    told = [by_metric[metric] for metric in WORDS if metric in by_metric]
    return tuple(
        Figure(of["raw"], of["tuned"], of.get("active"))
        for of in told
        if {"raw", "tuned"} <= set(of)
    )


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


def score_as_json(score: Evaluation) -> dict[str, Any]:
    """One number, never without its k and n."""
    names = ("metric", "k", "n", "value", "low", "high", "chance")
    return {name: getattr(score, name) for name in names}


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

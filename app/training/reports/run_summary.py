"""Summaries of runs and versions for pages and the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Activation, Project, RunEvent, TrainingRun, User, Version, utc_now
from app.models.enums import RunStatus
from app.search.versions import find_active_version, list_versions
from app.training.reports.metrics import Figure, load_figures, score_as_json
from app.training.runs.readiness import MOVING


@dataclass(frozen=True)
class RunSummary:
    """A run with the names behind its ids; figures are empty without an evaluation."""

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
        """The duration so far, in seconds; None before the start."""
        if self.run.started_at is None:
            return None
        return ((self.run.finished_at or utc_now()) - self.run.started_at).total_seconds()

    @property
    def seconds_left(self) -> float | None:
        """The remaining time of the current stage at its current speed; None if too early."""
        if (
            self.run.status != RunStatus.RUNNING
            or self.stage_since is None
            or self.run.progress < 0.1
        ):
            return None
        passed = (utc_now() - self.stage_since).total_seconds()
        return passed * (1 - self.run.progress) / self.run.progress

    @property
    def headline(self) -> Figure | None:
        """The headline metric, R-precision."""
        return next((f for f in self.figures if f.tuned.metric == "r_precision"), None)


@dataclass(frozen=True)
class VersionSummary:
    """A version, the run that made it (None: the base model), and whether it is active."""

    version: Version
    made_by: RunSummary | None
    is_active: bool
    activated_at: datetime | None


def load_run_summaries(db: Session, runs: Sequence[TrainingRun]) -> list[RunSummary]:
    """Load the summaries of these runs, in their order, with a fixed number of queries."""
    figures = load_figures(db, runs)
    numbers = _load_version_numbers(db, [run.version_id for run in runs if run.version_id])
    names = _load_user_names(db, [run.requested_by_id for run in runs if run.requested_by_id])
    since = _load_stage_starts(db, [run for run in runs if run.status == RunStatus.RUNNING])
    return [
        RunSummary(
            run,
            numbers.get(run.version_id or 0),
            names.get(run.requested_by_id or 0),
            figures.get(run.id, ()),
            since.get(run.id),
        )
        for run in runs
    ]


def load_version_summaries(db: Session, project: Project) -> list[VersionSummary]:
    """Load every version of the project, newest first."""
    made = db.scalars(
        select(TrainingRun).where(
            TrainingRun.project_id == project.id, TrainingRun.version_id.is_not(None)
        )
    ).all()
    by_version = {facts.run.version_id: facts for facts in load_run_summaries(db, made)}
    active = find_active_version(db, project.id)
    since = select(Activation.version_id, func.max(Activation.activated_at)).where(
        Activation.project_id == project.id
    )
    activated = dict(db.execute(since.group_by(Activation.version_id)).all())
    return [
        VersionSummary(
            version,
            by_version.get(version.id),
            active is not None and version.id == active.id,
            activated.get(version.id),
        )
        for version in list_versions(db, project.id)
    ]


def run_as_json(facts: RunSummary) -> dict[str, Any]:
    """Return a run as the API and the command line show it."""
    run = facts.run
    columns = (
        "number",
        "status",
        "stage",
        "progress",
        "n_done",
        "n_total",
        "unit",
        "attempt",
        "is_forced",
        "recipe",
        "n_examples",
        "snapshot_hash",
        "verdict",
        "error",
        "requested_at",
        "started_at",
        "finished_at",
    )
    values: dict[str, Any] = {name: getattr(run, name) for name in columns}
    values |= {
        "version": facts.version,
        "requested_by": facts.requested_by,
        "seconds": facts.seconds,
        "raw": [score_as_json(figure.raw) for figure in facts.figures],
        "tuned": [score_as_json(figure.tuned) for figure in facts.figures],
        "active": [score_as_json(each.active) for each in facts.figures if each.active],
    }
    return values


def _load_version_numbers(db: Session, version_ids: Sequence[int]) -> dict[int, int]:
    found = select(Version.id, Version.number).where(Version.id.in_(version_ids))
    return dict(db.execute(found).all())


def _load_user_names(db: Session, user_ids: Sequence[int]) -> dict[int, str]:
    return dict(db.execute(select(User.id, User.name).where(User.id.in_(user_ids))).all())


def _load_stage_starts(db: Session, runs: Sequence[TrainingRun]) -> dict[int, datetime]:
    """Load when the current stage of each run wrote its first log line."""
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

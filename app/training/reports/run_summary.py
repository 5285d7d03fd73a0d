"""What pages and programs are told about a run or a version: rows put together, read once."""

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
        """The figure that decides about activation."""
        return next((f for f in self.figures if f.tuned.metric == "r_precision"), None)


@dataclass(frozen=True)
class VersionSummary:
    """A version, the run that made it (None: the base model as it is), and is it in use."""

    version: Version
    made_by: RunSummary | None
    is_active: bool
    activated_at: datetime | None


def load_run_summaries(db: Session, runs: Sequence[TrainingRun]) -> list[RunSummary]:
    """The facts of these runs, in their order; a handful of queries for all of them."""
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
    """Every version of the project, the newest first."""
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
    """A run as the API and the command line tell it."""
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

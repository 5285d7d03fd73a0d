"""Summary of a project: counts and newest rows, all quick to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.jobs.workers import find_workers
from app.labeling.annotations.counts import count_by_label
from app.labeling.sessions.kinds import SESSION_KINDS
from app.labeling.sessions.session_list import list_recent_sessions
from app.models import (
    Artifact,
    Consensus,
    Evaluation,
    Import,
    Label,
    LabelingSession,
    Project,
    SessionItem,
    TrainingRun,
    Version,
)
from app.models.enums import RunStatus, VersionKind
from app.projects.labels import is_offered, list_all_labels
from app.search.embedding import EmbeddingProgress, load_embedding_progress
from app.search.versions import find_active_version
from app.training.reports.metrics import Figure, load_figures
from app.training.runs.readiness import MOVING, Readiness, readiness
from app.training.runs.runs import list_latest_runs

RECENT = 5


@dataclass(frozen=True)
class SessionSummary:
    """A session, and how many of its records are labeled."""

    session: LabelingSession
    n_labeled: int


@dataclass(frozen=True)
class ProjectSummary:
    """Everything that a project's page shows, read at one moment.

    is_searchable  whether a version has an index, which sessions of similar records need
    """

    n_records: int
    embedding: EmbeddingProgress
    is_searchable: bool
    readiness: Readiness
    shares: list[tuple[Label | None, int]]
    active: Version | None
    figures: list[Figure]
    runs: Sequence[TrainingRun]
    sessions: list[SessionSummary]
    importing: Import | None
    has_tuned_session: bool
    labeled_record_id: int | None
    workers_away_since: datetime | None
    has_worker: bool

    @property
    def n_labeled(self) -> int:
        """Count records with consensus."""
        return self.readiness.n_labeled

    @property
    def moving_run(self) -> TrainingRun | None:
        """Return the run that is queued or running."""
        return next((run for run in self.runs if run.status in MOVING), None)

    @property
    def has_tuned(self) -> bool:
        """Check whether a run has succeeded."""
        return bool(self.figures) or any(run.status == RunStatus.SUCCEEDED for run in self.runs)


def load_project_summary(db: Session, project: Project) -> ProjectSummary:
    """Load the project's current status."""
    embedding = load_embedding_progress(db, project)
    workers = find_workers()
    return ProjectSummary(
        n_records=embedding.n_total,
        embedding=embedding,
        is_searchable=_has_index(db, project.id),
        readiness=readiness(db, project),
        shares=shares(db, project.id),
        active=find_active_version(db, project.id),
        figures=figures(db, project.id),
        runs=list_latest_runs(db, project.id, RECENT),
        sessions=_list_sessions(db, project.id),
        importing=_find_unfinished_import(db, project.id),
        has_tuned_session=_has_tuned_session(db, project.id),
        labeled_record_id=_find_labeled_record(db, project.id),
        has_worker=workers.is_ready,
        workers_away_since=None if workers.is_ready else workers.last_seen_at,
    )


def shares(db: Session, project_id: int) -> list[tuple[Label | None, int]]:
    """Return the offered labels with the number of records that carry each; None is "none of
    these"."""
    counts = count_by_label(db, project_id)
    offered = [label for label in list_all_labels(db, project_id) if is_offered(label)]
    nones = db.scalar(
        select(func.count()).where(Consensus.project_id == project_id, Consensus.label_id.is_(None))
    )
    parts: list[tuple[Label | None, int]] = [(each, counts.get(each.id, 0)) for each in offered]
    return parts + ([(None, nones)] if nones else [])


def figures(db: Session, project_id: int) -> list[Figure]:
    """Return the scores of the newest run that measured any, tuned beside raw."""
    run = db.scalar(
        select(TrainingRun)
        .where(
            TrainingRun.project_id == project_id,
            TrainingRun.status == RunStatus.SUCCEEDED,
            select(Evaluation.id).where(Evaluation.run_id == TrainingRun.id).exists(),
        )
        .order_by(TrainingRun.number.desc())
        .limit(1)
    )
    if run is None:
        return []
    return list(load_figures(db, [run]).get(run.id, ()))


def _has_index(db: Session, project_id: int) -> bool:
    indexes = (
        select(Artifact.id)
        .join(Version, Version.id == Artifact.version_id)
        .where(Version.project_id == project_id, Artifact.kind == "index")
    )
    return db.scalar(indexes.limit(1)) is not None


def _list_sessions(db: Session, project_id: int) -> list[SessionSummary]:
    sessions = list_recent_sessions(db, project_id, RECENT)
    rows = db.execute(
        select(SessionItem.session_id, func.count(Consensus.record_id.distinct()))
        .join(Consensus, Consensus.record_id == SessionItem.record_id)
        .where(SessionItem.session_id.in_([session.id for session in sessions]))
        .group_by(SessionItem.session_id)
    )
    n_labeled = {row[0]: row[1] for row in rows}
    return [SessionSummary(session, n_labeled.get(session.id, 0)) for session in sessions]


def _find_unfinished_import(db: Session, project_id: int) -> Import | None:
    return db.scalar(
        select(Import)
        .where(Import.project_id == project_id, Import.status.in_(MOVING))
        .order_by(Import.id.desc())
        .limit(1)
    )


def _has_tuned_session(db: Session, project_id: int) -> bool:
    kinds = [each.kind for each in SESSION_KINDS.values() if each.is_similarity]
    found = db.scalar(
        select(LabelingSession.id)
        .join(Version, Version.id == LabelingSession.version_id)
        .where(
            LabelingSession.project_id == project_id,
            Version.kind != VersionKind.RAW,
            LabelingSession.seed_kind.in_(kinds),
        )
        .limit(1)
    )
    return found is not None


def _find_labeled_record(db: Session, project_id: int) -> int | None:
    """Find a recently labeled record, to show similar ones."""
    return db.scalar(
        select(Consensus.record_id)
        .where(Consensus.project_id == project_id, Consensus.label_id.is_not(None))
        .order_by(Consensus.action_id.desc(), Consensus.id)
        .limit(1)
    )

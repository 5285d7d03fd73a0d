"""The current state of training: worker, device and active run."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.jobs.workers import find_workers
from app.models import Project, TrainingRun
from app.models.enums import RunStatus
from app.search.embedding import load_embedding_progress
from app.training.reports.run_summary import load_run_summaries
from app.training.runs.devices import read_device
from app.training.runs.live import describe_progress
from app.training.runs.readiness import MOVING, find_moving_run, readiness
from app.training.runs.runs import STAGES


def load_status(db: Session, project: Project) -> dict[str, Any]:
    """Return what the polled part of the training page shows."""
    moving = find_moving_run(db, project.id)
    facts = load_run_summaries(db, [moving])[0] if moving else None
    embedding = load_embedding_progress(db, project)
    state = readiness(db, project)
    return {
        "project": project,
        "state": state,
        "is_moving": moving is not None or state.is_due or not embedding.is_done,
        "moving": facts,
        "words": describe_progress(facts) if facts else "",
        "embedding": embedding,
        "stages": STAGES,
        "workers": find_workers("train"),
        "device": read_device(),
        "n_ahead": 0 if moving is None else _count_ahead(db, moving),
    }


def _count_ahead(db: Session, run: TrainingRun) -> int:
    """Count unfinished runs of other projects that were queued before this one."""
    if run.status != RunStatus.QUEUED:
        return 0
    earlier = (
        select(func.count())
        .select_from(TrainingRun)
        .where(
            TrainingRun.status.in_(MOVING),
            TrainingRun.project_id != run.project_id,
            TrainingRun.requested_at <= run.requested_at,
        )
    )
    return db.scalar(earlier) or 0

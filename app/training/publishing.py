"""A run's results become a version: files, figures, verdict and activation, all or nothing."""

from dataclasses import asdict

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.database import transaction
from app.jobs import JobCancelled, failpoint
from app.models import Encoder, Evaluation, Project, RunEvent, TrainingRun, utc_now
from app.search.encoders import activate, find_raw_encoder, publish
from app.similarity.evaluation import Comparison, Score
from app.training import workspace
from app.training.verdict import Verdict


def publish_version(run_id: int, comparison: Comparison, verdict: Verdict) -> None:
    """End the run as succeeded, with its version, in one transaction.

    Raises JobCancelled if the run has ended already or was asked to; then nothing is published.
    """
    indexed = workspace.indexed_by(run_id)
    with transaction() as db:
        _succeed(db, run_id, verdict)
        run = db.get_one(TrainingRun, run_id)
        encoder, raw = _publish(db, run, indexed)
        db.add_all(_evaluations(run_id, raw, comparison.raw))
        db.add_all(_evaluations(run_id, encoder, comparison.tuned))
        if verdict.is_activated:
            activate(db, encoder, by=None, reason=f"Run {run.number}")
        db.flush()
        failpoint("run.activate.inside")


def _succeed(db: Session, run_id: int, verdict: Verdict) -> None:
    succeeded = db.execute(
        update(TrainingRun)
        .where(
            TrainingRun.id == run_id,
            TrainingRun.status == "running",
            TrainingRun.cancel_asked_at.is_(None),
        )
        .values(status="succeeded", progress=1.0, finished_at=utc_now(), verdict=verdict.sentence)
    )
    if succeeded.rowcount == 0:  # type: ignore[attr-defined]
        raise JobCancelled
    db.add(RunEvent(run_id=run_id, stage="activate", message=verdict.sentence))


def _publish(db: Session, run: TrainingRun, indexed: workspace.Indexed) -> tuple[Encoder, Encoder]:
    project = db.get_one(Project, run.project_id)
    raw = find_raw_encoder(db, project)
    assert raw is not None  # Reindex read its vectors, and versions are never deleted.
    encoder = publish(
        db,
        project,
        kind="head",
        raw_encoder=raw,
        files=indexed.files,
        n_records=indexed.n_records,
        read_at=indexed.read_at,
    )
    run.encoder_id = encoder.id
    return encoder, raw


def _evaluations(run_id: int, encoder: Encoder, scores: tuple[Score, ...]) -> list[Evaluation]:
    return [Evaluation(run_id=run_id, encoder_id=encoder.id, **asdict(score)) for score in scores]

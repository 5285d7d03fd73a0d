"""A run's results become a version: files, figures, verdict and activation, all or nothing."""

from dataclasses import asdict

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.database import transaction
from app.jobs import JobCancelled, failpoint
from app.models import Encoder, Evaluation, Project, RunEvent, TrainingRun, utc_now
from app.notices.announcing import Event, announce
from app.search.deep_versions import find_prepared
from app.search.encoders import activate, active_encoder, publish, publish_prepared
from app.similarity.measuring.evaluation import Comparison
from app.similarity.measuring.gate import RAW
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
        active = active_encoder(db, run.project_id)
        encoder, raw = _publish(db, run, indexed)
        db.add_all(evaluations(run_id, comparison, raw=raw, tuned=encoder, active=active))
        if verdict.is_activated:
            activate(db, encoder, by=None, reason=f"Run {run.number}")
        _announce(db, run, encoder, verdict)
        db.flush()
        failpoint("run.activate.inside")


def _announce(db: Session, run: TrainingRun, encoder: Encoder, verdict: Verdict) -> None:
    project = db.get_one(Project, run.project_id)
    facts = {
        "run": run.number, "version": encoder.number, "is_activated": verdict.is_activated,
    }  # fmt: skip
    path = f"/projects/{project.slug}/training/runs/{run.number}"
    event = Event("run.succeeded", f"Run {run.number}: {verdict.sentence}", path, facts)
    announce(db, project, event, also=run.requested_by_id)


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
    source = db.get_one(Encoder, workspace.source_id(run.id))
    prepared = find_prepared(db, run.id)
    if prepared is None:
        encoder = publish(
            db, project, kind="head", raw_encoder=source, files=indexed.files,
            n_records=indexed.n_records, read_at=indexed.read_at,
        )  # fmt: skip
    else:
        encoder = publish_prepared(
            db, prepared, indexed.files, n_records=indexed.n_records, read_at=indexed.read_at
        )
    run.encoder_id = encoder.id
    return encoder, source


def evaluations(
    run_id: int, comparison: Comparison, *, raw: Encoder, tuned: Encoder, active: Encoder | None
) -> list[Evaluation]:
    """The comparison as rows: every score, and every difference between two of its contenders."""
    parts = [("raw", raw, comparison.raw), ("tuned", tuned, comparison.tuned)]
    if active is not None:
        parts.append(("active", active, comparison.active))
    rows = [
        Evaluation(run_id=run_id, encoder_id=encoder.id, role=role, **asdict(score))
        for role, encoder, scores in parts
        for score in scores
    ]
    for each in comparison.differences:
        role = "over_raw" if each.against == RAW else "over_active"
        rows.append(
            Evaluation(
                run_id=run_id, encoder_id=tuned.id, role=role, metric=each.metric, n=each.n,
                value=each.value, low=each.low, high=each.high,
            )
        )  # fmt: skip
    return rows

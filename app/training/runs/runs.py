"""Training runs: request, cancel, retry, list and end them."""

from collections.abc import Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts import audit_log as audit
from app.db.session import write_session
from app.errors import Conflict, NotFound
from app.jobs.steps import JobCancelled, JobFinished
from app.jobs.workers import find_workers
from app.ml.deep.recipe import DeepRecipe
from app.ml.recipe import Recipe
from app.models import LossPoint, Project, RunEvent, TrainingRun, User, utc_now
from app.models.enums import RunStage, RunStatus
from app.notifications.events import Event, announce
from app.training.pipeline import workspace
from app.training.pipeline.snapshot import last_action_id
from app.training.runs.readiness import MOVING, Readiness, find_moving_run, readiness

STAGES = tuple(RunStage)


def request_run(
    db: Session,
    project: Project,
    recipe: Recipe | DeepRecipe = Recipe(),
    by: User | None = None,
    *,
    is_forced: bool = False,
) -> TrainingRun:
    """Queue a run for the worker. is_forced: activate its version even if it measures worse.

    Raises Conflict while a run is active, or when there is nothing to learn from.
    """
    state = readiness(db, project)
    if state.moving is not None:
        raise _build_conflict(state.moving)
    if not state.is_ready:
        raise Conflict(_format_missing(state))
    run = TrainingRun(
        project_id=project.id,
        number=1 + _find_newest_number(db, project.id),
        recipe=recipe.as_json(),
        is_forced=is_forced,
        requested_by_id=None if by is None else by.id,
        # Set now, so that automatic training does not repeat a run that fails early.
        last_action_id=last_action_id(db, project.id),
    )
    _queue(db, run)
    _log_action(db, "run.request", run, by)
    return run


def cancel_run(db: Session, run: TrainingRun, by: User | None = None) -> None:
    """Cancel the run: at once if no worker executes it, else at its next progress report.

    Raises Conflict when it has already ended.
    """
    now = utc_now()
    updated = db.execute(
        update(TrainingRun)
        .where(TrainingRun.id == run.id, TrainingRun.status.in_(MOVING))
        .values(cancel_requested_at=func.coalesce(TrainingRun.cancel_requested_at, now))
    )
    if updated.rowcount == 0:  # type: ignore[attr-defined]
        raise Conflict(f"Run {run.number} has already ended.")
    if run.status == RunStatus.QUEUED or not find_workers("train").is_ready:
        _end(db, run.id, status=RunStatus.CANCELLED)
    db.refresh(run)
    _log_action(db, "run.cancel", run, by)


def retry_run(db: Session, run: TrainingRun, by: User | None = None) -> None:
    """Queue a failed or cancelled run again, from its first step and with the current labels.

    Raises Conflict while it or another run is active, or when it has succeeded.
    """
    if run.status not in {RunStatus.FAILED, RunStatus.CANCELLED}:
        raise Conflict(
            f"Run {run.number} is {run.status}. Only failed or cancelled runs can be retried."
        )
    going = find_moving_run(db, run.project_id)
    if going is not None:
        raise _build_conflict(going.number)
    run.attempt += 1
    run.status, run.stage, run.progress = RunStatus.QUEUED, RunStage.COLLECT, 0.0
    run.error = run.verdict = None
    run.started_at = run.finished_at = run.cancel_requested_at = None
    _queue(db, run)
    _log_action(db, "run.retry", run, by)


def find_run(db: Session, project_id: int, number: int) -> TrainingRun:
    """Return the project's run with that number. Raises NotFound."""
    wanted = select(TrainingRun).where(
        TrainingRun.project_id == project_id, TrainingRun.number == number
    )
    run = db.scalar(wanted)
    if run is None:
        raise NotFound("run")
    return run


def list_latest_runs(db: Session, project_id: int, limit: int = 50) -> Sequence[TrainingRun]:
    """List the project's runs, newest first."""
    return db.scalars(
        select(TrainingRun)
        .where(TrainingRun.project_id == project_id)
        .order_by(TrainingRun.number.desc())
        .limit(limit)
    ).all()


def list_events(db: Session, run_id: int) -> Sequence[RunEvent]:
    """List the run's log, oldest first."""
    return db.scalars(select(RunEvent).where(RunEvent.run_id == run_id).order_by(RunEvent.id)).all()


def load_losses(db: Session, run_id: int) -> Sequence[LossPoint]:
    """List the losses of a deep run by step; empty for other runs."""
    measured = select(LossPoint).where(LossPoint.run_id == run_id)
    return db.scalars(measured.order_by(LossPoint.step)).all()


def begin_stage(run_id: int, stage: str) -> TrainingRun:
    """Move the run to this stage and return it.

    Raises JobFinished if it has succeeded already, JobCancelled if it ended otherwise or is to be
    cancelled.
    """
    with write_session() as db:
        db.execute(
            update(TrainingRun)
            .where(TrainingRun.id == run_id, TrainingRun.status.in_(MOVING))
            .values(
                status=RunStatus.RUNNING,
                stage=stage,
                progress=0.0,
                n_done=None,
                n_total=None,
                unit=None,
                per_minute=None,
                started_at=func.coalesce(TrainingRun.started_at, utc_now()),
            )
        )
        run = db.get_one(TrainingRun, run_id)
    if run.status == RunStatus.SUCCEEDED:
        workspace.clear(run_id)
        raise JobFinished
    if run.status != RunStatus.RUNNING or run.cancel_requested_at is not None:
        raise JobCancelled
    return run


def fail_run(run_id: int, sentence: str) -> None:
    """End the run as failed with this message; do nothing if it has already ended."""
    with write_session() as db:
        if _end(db, run_id, status=RunStatus.FAILED, error=sentence):
            _announce_failure(db, db.get_one(TrainingRun, run_id), sentence)
    workspace.discard(run_id)


def mark_cancelled(run_id: int) -> None:
    """End the run as cancelled; do nothing if it has already ended."""
    with write_session() as db:
        _end(db, run_id, status=RunStatus.CANCELLED)
    workspace.discard(run_id)


def _announce_failure(db: Session, run: TrainingRun, sentence: str) -> None:
    project = db.get_one(Project, run.project_id)
    path = f"/projects/{project.slug}/training/runs/{run.number}"
    event = Event("run.failed", f"Run {run.number} failed: {sentence}", path, {"run": run.number})
    announce(db, project, event, also=run.requested_by_id)


def _end(db: Session, run_id: int, **values: str) -> bool:
    """End the run unless it has ended; return whether this call did."""
    ended = db.execute(
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.status.in_(MOVING))
        .values(finished_at=utc_now(), **values)
    )
    if ended.rowcount:  # type: ignore[attr-defined]
        stage = select(TrainingRun.stage).where(TrainingRun.id == run_id).scalar_subquery()
        message = values.get("error", "Cancelled.")
        db.execute(insert(RunEvent).values(run_id=run_id, stage=stage, message=message))
    return bool(ended.rowcount)  # type: ignore[attr-defined]


def _queue(db: Session, run: TrainingRun) -> None:
    try:
        with db.begin_nested():
            db.add(run)
            db.flush()
    except IntegrityError as error:
        going = find_moving_run(db, run.project_id)
        raise _build_conflict(going.number if going else run.number) from error


def _log_action(db: Session, action: str, run: TrainingRun, by: User | None) -> None:
    user_id = None if by is None else by.id
    audit.log_event(db, action, user_id=user_id, project_id=run.project_id, run=run.number)


def _find_newest_number(db: Session, project_id: int) -> int:
    numbers = select(func.max(TrainingRun.number)).where(TrainingRun.project_id == project_id)
    return db.scalar(numbers) or 0


def _build_conflict(number: int) -> Conflict:
    return Conflict(f"Run {number} is already queued or running.")


def _format_missing(state: Readiness) -> str:
    return f"Training cannot start yet. Still missing: {' and '.join(state.missing)}."

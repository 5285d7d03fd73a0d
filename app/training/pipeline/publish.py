"""Publish a run as a version: files, metrics, verdict and activation in one transaction."""

from dataclasses import asdict
from functools import partial
from shutil import copyfile

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.jobs.steps import JobCancelled, failpoint
from app.ml.evaluation.activation_gate import RAW
from app.ml.evaluation.comparison import Comparison
from app.ml.heads.storage import load_head, save_head
from app.models import Evaluation, Project, RunEvent, TrainingRun, Version, utc_now
from app.models.enums import RunStage, RunStatus, VersionKind
from app.notifications.events import Event, announce
from app.search.deep_versions import find_prepared
from app.search.indexes import build_version_files, index_vectors
from app.search.vectors import list_embedded_ids, read_blocks
from app.search.versions import activate, find_active_version, publish, publish_prepared
from app.storage import StoredFile, store_file
from app.training.pipeline import workspace
from app.training.pipeline.activation_policy import ActivationDecision
from app.training.pipeline.query_results import KIND as MEASURED
from app.training.pipeline.strategies import choose_strategy
from app.training.runs.progress import RunReport


def publish_version(run_id: int, comparison: Comparison, verdict: ActivationDecision) -> None:
    """End the run as succeeded, with its version, in one transaction.

    Raises JobCancelled if the run has ended or is to be cancelled; then nothing is published.
    """
    indexed = workspace.read_indexed(run_id)
    with write_session() as db:
        _succeed(db, run_id, verdict)
        run = db.get_one(TrainingRun, run_id)
        active = find_active_version(db, run.project_id)
        version, raw = _publish(db, run, indexed)
        db.add_all(build_evaluations(run_id, comparison, raw=raw, tuned=version, active=active))
        if verdict.is_activated:
            activate(db, version, by=None, reason=f"Run {run.number}")
        _announce(db, run, version, verdict)
        db.flush()
        failpoint("run.activate.inside")


def _announce(db: Session, run: TrainingRun, version: Version, verdict: ActivationDecision) -> None:
    project = db.get_one(Project, run.project_id)
    facts = {
        "run": run.number,
        "version": version.number,
        "is_activated": verdict.is_activated,
    }
    path = f"/projects/{project.slug}/training/runs/{run.number}"
    event = Event("run.succeeded", f"Run {run.number}: {verdict.sentence}", path, facts)
    announce(db, project, event, also=run.requested_by_id)


def _succeed(db: Session, run_id: int, verdict: ActivationDecision) -> None:
    succeeded = db.execute(
        update(TrainingRun)
        .where(
            TrainingRun.id == run_id,
            TrainingRun.status == RunStatus.RUNNING,
            TrainingRun.cancel_requested_at.is_(None),
        )
        .values(
            status=RunStatus.SUCCEEDED,
            progress=1.0,
            finished_at=utc_now(),
            verdict=verdict.sentence,
        )
    )
    if succeeded.rowcount == 0:  # type: ignore[attr-defined]
        raise JobCancelled
    db.add(RunEvent(run_id=run_id, stage=RunStage.ACTIVATE, message=verdict.sentence))


def _publish(
    db: Session, run: TrainingRun, indexed: workspace.IndexedFiles
) -> tuple[Version, Version]:
    project = db.get_one(Project, run.project_id)
    source = db.get_one(Version, workspace.read_source_id(run.id))
    prepared = find_prepared(db, run.id)
    if prepared is None:
        version = publish(
            db,
            project,
            kind=VersionKind.HEAD,
            base_version=source,
            files=indexed.files,
            n_records=indexed.n_records,
            read_at=indexed.read_at,
        )
    else:
        version = publish_prepared(
            db, prepared, indexed.files, n_records=indexed.n_records, read_at=indexed.read_at
        )
    run.version_id = version.id
    return version, source


def build_evaluations(
    run_id: int, comparison: Comparison, *, raw: Version, tuned: Version, active: Version | None
) -> list[Evaluation]:
    """Build the rows of the comparison: every score and every difference between versions."""
    parts = [("raw", raw, comparison.raw), ("tuned", tuned, comparison.tuned)]
    if active is not None:
        parts.append(("active", active, comparison.active))
    rows = [
        Evaluation(run_id=run_id, version_id=version.id, role=role, **asdict(score))
        for role, version, scores in parts
        for score in scores
    ]
    for difference in comparison.differences:
        role = "over_raw" if difference.against == RAW else "over_active"
        rows.append(
            Evaluation(
                run_id=run_id,
                version_id=tuned.id,
                role=role,
                metric=difference.metric,
                n=difference.n,
                value=difference.value,
                low=difference.low,
                high=difference.high,
            )
        )
    return rows


def build_index_files(run: TrainingRun, report: RunReport) -> None:
    """Build and store the index and the suggestions of all embedded records."""
    head = load_head(workspace.file_path(run.id, workspace.HEAD))
    read_at = utc_now()
    with read_session() as db:
        source_id = choose_strategy(run.recipe).find_vector_source(db, run.id).id
        ids = list_embedded_ids(db, source_id)
    index, suggestions = index_vectors(head, read_blocks(source_id, ids), len(ids))
    writers = build_version_files(index, suggestions) | {"head": lambda path: save_head(head, path)}
    if workspace.has_file(run.id, workspace.MEASURED):
        writers[MEASURED] = partial(copyfile, workspace.file_path(run.id, workspace.MEASURED))
    files: dict[str, StoredFile] = {}
    for kind, write in writers.items():
        report(0.2 + 0.2 * len(files), "Writing the index and the suggestions")
        files[kind] = store_file(kind, write)
    workspace.write_indexed(run.id, workspace.IndexedFiles(files, len(index), read_at))

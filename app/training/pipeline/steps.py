"""The training pipeline: turns annotations into a new version that search uses.

collect → tune → evaluate → reindex → activate:

    collect   freezes the examples: labeled records, their labels, what must not be split, and the
              pool of all records with a vector
    tune      learns a head from them; unlabeled records teach as well. In a deep run, the whole
              encoder before it (app.training.pipeline.deep)
    evaluate  tuned against raw and the version in use, by cross-validation, on the same queries
              with the same k; and by the audit stream
    reindex   index and suggestions of every record that has a vector by now
    activate  one transaction: the version, its evaluations, the verdict, and, if it did not
              measure worse, its activation

Each step is a function of the run's id and safe to repeat: a killed run goes on at its last step,
whose result did not count before it was whole. The database is touched at the ends of a step
only; no lock is held while it thinks. Results wait in the run's own folder
(app.training.pipeline.workspace) until activate makes them artifacts of a version. A step whose
result is there already is done.

app.training.pipeline.activation_policy says when a version is activated.
"""

from contextlib import AbstractContextManager

from sqlalchemy import update

from app.db.session import read_session, write_session
from app.jobs.steps import Step
from app.ml.evaluation.comparison import Comparison
from app.ml.heads.storage import save_head
from app.ml.heads.tuning import tune as learn
from app.models import Project, TrainingRun
from app.search.vector_lock import hold_vectors
from app.training.pipeline import deep as deep_runs
from app.training.pipeline import workspace
from app.training.pipeline.activation_policy import (
    decide_activation,
    load_comparison,
    save_comparison,
)
from app.training.pipeline.dataset import summarize_dataset
from app.training.pipeline.evaluate import add_retention_scores, evaluate_head, store_query_results
from app.training.pipeline.inputs import find_source, is_deep, load_inputs
from app.training.pipeline.publish import build_index_files, publish_version
from app.training.pipeline.snapshot import freeze, load_snapshot
from app.training.pipeline.stages import make_stage
from app.training.runs.progress import RunReport

WAITING = "Waiting for another job of this project: only one at a time holds all vectors in memory"


@make_stage("collect")
def collect(run: TrainingRun, report: RunReport) -> None:
    """Freeze what the run learns from, and note on the row what that was."""
    with read_session() as db:
        project = db.get_one(Project, run.project_id)
        source = find_source(db, project, run)
        snapshot = freeze(db, project, source)
        dataset = summarize_dataset(db, project, source, snapshot, run.recipe)
    workspace.write_source_id(run.id, source.id)
    workspace.write_file(run.id, "collect", workspace.SNAPSHOT, snapshot.save)
    with write_session() as db:
        db.execute(
            update(TrainingRun)
            .where(TrainingRun.id == run.id)
            .values(
                n_examples=len(snapshot.record_ids),
                last_action_id=snapshot.last_action_id,
                holdout_until=project.holdout_until,
                snapshot_hash=snapshot.hash,
                dataset=dataset,
            )
        )
    report.log(
        f"Learning from {len(snapshot.record_ids):,} labeled records with "
        f"{len(snapshot.label_ids)} labels, among {len(snapshot.pool):,} records."
    )


@make_stage("tune")
def tune(run: TrainingRun, report: RunReport) -> None:
    """Learn the head; in a deep run, first the encoder below it, from the raw vectors."""
    if workspace.has_file(run.id, workspace.HEAD):
        return
    with _hold_vectors_alone(run, report):
        _learn_head(run, report)


def _learn_head(run: TrainingRun, report: RunReport) -> None:
    if is_deep(run.recipe):
        deep_runs.learn_model(run, load_inputs(run, report, of_raw=True), report)
    inputs = load_inputs(run, report)
    head = learn(inputs.vectors, inputs.examples, inputs.recipe, report, inputs.graph, inputs.words)
    workspace.write_file(run.id, "tune", workspace.HEAD, lambda path: save_head(head, path))


@make_stage("evaluate")
def evaluate(run: TrainingRun, report: RunReport) -> None:
    """Measure tuned against raw and the version in use, on records that none of them saw."""
    if workspace.has_file(run.id, workspace.COMPARISON):
        return
    with _hold_vectors_alone(run, report):
        comparison = _compare(run, report)
    report.log(comparison.sentence)


def _compare(run: TrainingRun, report: RunReport) -> Comparison:
    inputs = raw = load_inputs(run, report)
    if is_deep(run.recipe):
        raw = load_inputs(run, report, of_raw=True)
        comparison = deep_runs.evaluate_deep(run, raw, inputs, report)
    else:
        comparison = evaluate_head(run, inputs, report)
    comparison = add_retention_scores(comparison, run, raw, inputs)
    store_query_results(run, comparison, raw)
    workspace.write_file(
        run.id, "evaluate", workspace.COMPARISON, lambda path: save_comparison(comparison, path)
    )
    return comparison


@make_stage("reindex")
def reindex(run: TrainingRun, report: RunReport) -> None:
    """Tuned vectors of every record that has a raw one by now: index and suggestions."""
    if not workspace.is_indexed(run.id):
        build_index_files(run, report)


@make_stage("activate")
def activate(run: TrainingRun, report: RunReport) -> None:
    """Publish the version whole, with its figures and the verdict, all at once."""
    snapshot = load_snapshot(workspace.file_path(run.id, workspace.SNAPSHOT))
    comparison = load_comparison(workspace.file_path(run.id, workspace.COMPARISON))
    verdict = decide_activation(
        comparison, snapshot, is_forced=run.is_forced, is_deep=is_deep(run.recipe)
    )
    if not workspace.is_indexed(run.id):
        build_index_files(run, report)
    report(0.9, "Publishing the version")
    publish_version(run.id, comparison, verdict)
    workspace.clear(run.id)


STEPS: tuple[tuple[str, Step], ...] = (
    ("collect", collect),
    ("tune", tune),
    ("evaluate", evaluate),
    ("reindex", reindex),
    ("activate", activate),
)


def _hold_vectors_alone(run: TrainingRun, report: RunReport) -> AbstractContextManager[None]:
    """Hold all vectors alone; while others do, say so in the log, and mind cancelling."""
    return hold_vectors(run.project_id, lambda: report(0.0, WAITING))

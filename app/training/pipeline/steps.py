"""The training pipeline: turns annotations into a new version that search uses.

collect → tune → evaluate → reindex → activate:

    collect   freezes the examples: labeled records, their labels, what must not be split, and the
              pool of all records with a vector
    tune      learns a head from them; unlabeled records teach as well. In a deep run, the whole
              encoder before it (app.training.pipeline.deep)
    evaluate  tuned against raw and the version in use, by cross-validation, on the same queries
              with the same k; and on the hold-out sample
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

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import update

from app.db.session import read_session, write_session
from app.errors import Conflict
from app.jobs.steps import JobCancelled, Step
from app.ml.heads.storage import save_head
from app.ml.heads.tuning import tune as learn
from app.models import Project, TrainingRun
from app.models.enums import RunStage
from app.search.vector_lock import hold_vectors
from app.training.pipeline import workspace
from app.training.pipeline.activation_policy import (
    decide_activation,
    load_comparison,
    save_comparison,
)
from app.training.pipeline.dataset import summarize_dataset
from app.training.pipeline.evaluate import add_retention_scores, store_query_results
from app.training.pipeline.inputs import load_inputs
from app.training.pipeline.publish import build_index_files, publish_version
from app.training.pipeline.snapshot import freeze, load_snapshot
from app.training.pipeline.strategies import choose_strategy
from app.training.runs import runs
from app.training.runs.progress import RunReport

WAITING = "Waiting for another job of this project: only one at a time holds all vectors in memory"


@contextmanager
def open_stage(run_id: int, stage: RunStage) -> Iterator[tuple[TrainingRun, RunReport]]:
    """Note the stage's beginning on the row, and its end where the run is cancelled in it.

    Raises JobFinished where the run has succeeded already, JobCancelled where it ended otherwise.
    """
    try:
        yield runs.begin_stage(run_id, stage), RunReport(run_id, stage)
    except JobCancelled:
        runs.mark_cancelled(run_id)
        raise


def collect(run_id: int) -> None:
    """Freeze what the run learns from, and note on the row what that was."""
    with open_stage(run_id, RunStage.COLLECT) as (run, report):
        strategy = choose_strategy(run.recipe)
        with read_session() as db:
            project = db.get_one(Project, run.project_id)
            source = strategy.find_source(db, project)
            if source is None:
                raise Conflict(
                    "No record has been embedded yet, so there is nothing to learn from."
                )
            snapshot = freeze(db, project, source)
            dataset = summarize_dataset(db, project, source, snapshot, strategy.split)
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


def tune(run_id: int) -> None:
    """Learn the head and, in a deep run, the encoder below it."""
    with open_stage(run_id, RunStage.TUNE) as (run, report):
        if workspace.has_file(run.id, workspace.HEAD):
            return
        strategy = choose_strategy(run.recipe)
        with hold_vectors(run.project_id, lambda: report(0.0, WAITING)):
            strategy.learn_model(run, report)
            inputs = load_inputs(run, strategy, report)
            head = learn(
                inputs.vectors, inputs.examples, inputs.recipe, report, inputs.graph, inputs.words
            )
            workspace.write_file(run.id, "tune", workspace.HEAD, lambda path: save_head(head, path))


def evaluate(run_id: int) -> None:
    """Measure tuned against raw and the version in use, on records that none of them saw."""
    with open_stage(run_id, RunStage.EVALUATE) as (run, report):
        if workspace.has_file(run.id, workspace.COMPARISON):
            return
        with hold_vectors(run.project_id, lambda: report(0.0, WAITING)):
            measured = choose_strategy(run.recipe).compare(run, report)
            comparison = add_retention_scores(measured.comparison, run, measured.raw, measured.own)
            store_query_results(run, comparison, measured.raw)
            workspace.write_file(
                run.id,
                "evaluate",
                workspace.COMPARISON,
                lambda path: save_comparison(comparison, path),
            )
        report.log(comparison.sentence)


def reindex(run_id: int) -> None:
    """Tuned vectors of every record that has a raw one by now: index and suggestions."""
    with open_stage(run_id, RunStage.REINDEX) as (run, report):
        if not workspace.is_indexed(run.id):
            build_index_files(run, report)


def activate(run_id: int) -> None:
    """Publish the version whole, with its evaluations and the decision, all at once."""
    with open_stage(run_id, RunStage.ACTIVATE) as (run, report):
        snapshot = load_snapshot(workspace.file_path(run.id, workspace.SNAPSHOT))
        comparison = load_comparison(workspace.file_path(run.id, workspace.COMPARISON))
        objection = choose_strategy(run.recipe).find_objection(snapshot)
        decision = decide_activation(comparison, objection, is_forced=run.is_forced)
        if not workspace.is_indexed(run.id):
            build_index_files(run, report)
        report(0.9, "Publishing the version")
        publish_version(run.id, comparison, decision)
        workspace.clear(run.id)


STEPS: tuple[tuple[str, Step], ...] = (
    ("collect", collect),
    ("tune", tune),
    ("evaluate", evaluate),
    ("reindex", reindex),
    ("activate", activate),
)

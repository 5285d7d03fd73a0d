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

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from shutil import copyfile

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import Conflict
from app.jobs.steps import JobCancelled, Step
from app.ml.deep.recipe import head_recipe_from_json
from app.ml.evaluation.comparison import Comparison
from app.ml.heads.head import load_head, save_head
from app.ml.heads.tuning import tune as learn
from app.models import Encoder, Project, TrainingRun, utc_now
from app.search.base_versions import find_active_base_version
from app.search.embedding import load_all_vectors
from app.search.indexes import build_version_files, index_vectors
from app.search.vector_lock import hold_vectors
from app.search.vectors import embedded_ids, read_blocks
from app.search.versions import find_raw_version
from app.storage import StoredFile, store_file
from app.training.pipeline import deep as deep_runs
from app.training.pipeline import workspace
from app.training.pipeline.activation_policy import (
    decide_activation,
    load_comparison,
    save_comparison,
)
from app.training.pipeline.dataset import summarize_dataset
from app.training.pipeline.evaluate import (
    TrainingInputs,
    add_retention_scores,
    evaluate_head,
    store_query_results,
)
from app.training.pipeline.graph_cache import load_or_build_graph
from app.training.pipeline.publish import publish_version
from app.training.pipeline.query_results import KIND as MEASURED
from app.training.pipeline.record_texts import load_word_features, uses_words
from app.training.pipeline.snapshot import freeze, load_snapshot
from app.training.runs import runs
from app.training.runs.progress import RunReport

Work = Callable[[TrainingRun, RunReport], None]

WAITING = "Waiting for another job of this project: only one at a time holds all vectors in memory"


def _make_stage(name: str) -> Callable[[Work], Step]:
    """Make a step of what one stage does: it begins it on the row, and minds cancelling."""

    def as_step(work: Work) -> Step:
        @functools.wraps(work)
        def step(run_id: int) -> None:
            try:
                run = runs.begin_stage(run_id, name)
                if run is not None:
                    work(run, RunReport(run_id, name))
                else:
                    workspace.clear(run_id)
            except JobCancelled:
                runs.mark_cancelled(run_id)
                raise

        return step

    return as_step


@_make_stage("collect")
def collect(run: TrainingRun, report: RunReport) -> None:
    """Freeze what the run learns from, and note on the row what that was."""
    with read_session() as db:
        project = db.get_one(Project, run.project_id)
        source = _find_source(db, project, run)
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
                last_act_id=snapshot.last_act_id,
                audit_until=project.audit_until,
                snapshot_hash=snapshot.hash,
                dataset=dataset,
            )
        )
    report.log(
        f"Learning from {len(snapshot.record_ids):,} labeled records with "
        f"{len(snapshot.label_ids)} labels, among {len(snapshot.pool):,} records."
    )


@_make_stage("tune")
def tune(run: TrainingRun, report: RunReport) -> None:
    """Learn the head; in a deep run, first the encoder below it, from the raw vectors."""
    if workspace.has_file(run.id, workspace.HEAD):
        return
    with _hold_vectors_alone(run, report):
        _learn_head(run, report)


def _learn_head(run: TrainingRun, report: RunReport) -> None:
    if deep_runs.is_deep(run.recipe):
        deep_runs.learn_encoder(run, _load_inputs(run, report, of_raw=True), report)
    inputs = _load_inputs(run, report)
    head = learn(
        inputs.vectors,
        inputs.examples,
        inputs.recipe,
        report,
        graph=inputs.graph,
        words=inputs.words,
    )
    workspace.write_file(run.id, "tune", workspace.HEAD, lambda path: save_head(head, path))


@_make_stage("evaluate")
def evaluate(run: TrainingRun, report: RunReport) -> None:
    """Measure tuned against raw and the version in use, on records that none of them saw."""
    if workspace.has_file(run.id, workspace.COMPARISON):
        return
    with _hold_vectors_alone(run, report):
        comparison = _compare(run, report)
    report.log(comparison.sentence)


def _compare(run: TrainingRun, report: RunReport) -> Comparison:
    inputs = raw = _load_inputs(run, report)
    if deep_runs.is_deep(run.recipe):
        raw = _load_inputs(run, report, of_raw=True)
        comparison = deep_runs.evaluate_deep(run, raw, inputs, report)
    else:
        comparison = evaluate_head(run, inputs, report)
    comparison = add_retention_scores(comparison, run, raw, inputs)
    store_query_results(run, comparison, raw)
    workspace.write_file(
        run.id, "evaluate", workspace.COMPARISON, lambda path: save_comparison(comparison, path)
    )
    return comparison


@_make_stage("reindex")
def reindex(run: TrainingRun, report: RunReport) -> None:
    """Tuned vectors of every record that has a raw one by now: index and suggestions."""
    if not workspace.is_indexed(run.id):
        _build_index(run, report)


@_make_stage("activate")
def activate(run: TrainingRun, report: RunReport) -> None:
    """Publish the version whole, with its figures and the verdict, all at once."""
    snapshot = load_snapshot(workspace.file_path(run.id, workspace.SNAPSHOT))
    comparison = load_comparison(workspace.file_path(run.id, workspace.COMPARISON))
    is_deep = deep_runs.is_deep(run.recipe)
    verdict = decide_activation(comparison, snapshot, is_forced=run.is_forced, is_deep=is_deep)
    if not workspace.is_indexed(run.id):
        _build_index(run, report)
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


def _build_index(run: TrainingRun, report: RunReport) -> None:
    head = load_head(workspace.file_path(run.id, workspace.HEAD))
    read_at = utc_now()
    with read_session() as db:
        source_id = deep_runs.find_vector_source(db, run).id
        ids = embedded_ids(db, source_id)
    index, suggestions = index_vectors(head, read_blocks(source_id, ids), len(ids))
    writers = build_version_files(index, suggestions) | {"head": lambda path: save_head(head, path)}
    if workspace.has_file(run.id, workspace.MEASURED):
        writers[MEASURED] = partial(copyfile, workspace.file_path(run.id, workspace.MEASURED))
    files: dict[str, StoredFile] = {}
    for kind, write in writers.items():
        report(0.2 + 0.2 * len(files), "Writing the index and the suggestions")
        files[kind] = store_file(kind, write)
    workspace.write_indexed(run.id, workspace.IndexedFiles(files, len(index), read_at))


def _hold_vectors_alone(run: TrainingRun, report: RunReport) -> AbstractContextManager[None]:
    """Hold all vectors alone; while others do, say so in the log, and mind cancelling."""
    return hold_vectors(run.project_id, lambda: report(0.0, WAITING))


def _find_source(db: Session, project: Project, run: TrainingRun) -> Encoder:
    """A head stands on the vectors in use; a deep encoder is taught through the raw ones."""
    find = find_raw_version if deep_runs.is_deep(run.recipe) else find_active_base_version
    source = find(db, project)
    if source is None:
        raise Conflict("No record has been embedded yet, so there is nothing to learn from.")
    return source


def _load_inputs(run: TrainingRun, report: RunReport, *, of_raw: bool = False) -> TrainingInputs:
    """The same for every try: what has arrived since collect stays out.

    of_raw  in a deep run: of the vectors that teach it, not of those that it makes
    """
    report(0.0, "Reading vectors")
    snapshot = load_snapshot(workspace.file_path(run.id, workspace.SNAPSHOT))
    recipe = head_recipe_from_json(run.recipe)
    with read_session() as db:
        project = db.get_one(Project, run.project_id)
        source_id = workspace.read_source_id(run.id)
        raw = db.get_one(Encoder, source_id) if of_raw else deep_runs.find_vector_source(db, run)
        ids, vectors = load_all_vectors(db, raw.id, among=snapshot.pool)
    graph = words = None
    if recipe.method == "head":
        report(0.0, "Finding each record's neighbours")
        graph = load_or_build_graph(raw.id, ids, vectors, recipe.neighbours)
    if uses_words(recipe, project) and not of_raw:
        report(0.0, "Reading the words of the records")
        with read_session() as db:
            words = load_word_features(db, ids)
    examples = snapshot.examples(ids, is_multi_label=project.is_multi_label)
    return TrainingInputs(raw.id, ids, vectors, examples, recipe, graph, words)

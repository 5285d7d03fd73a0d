"""THE HEART: what people said becomes what search uses.

collect → tune → evaluate → reindex → activate:

    collect   freezes the examples: labeled records, their labels, what must not be split, and the
              pool of all records with a vector
    tune      learns a head from them; unlabeled records teach as well. In a deep run, the whole
              encoder before it (app.training.deep_runs)
    evaluate  tuned against raw and the version in use, by cross-validation, on the same queries
              with the same k; and by the audit stream
    reindex   index and suggestions of every record that has a vector by now
    activate  one transaction: the version, its evaluations, the verdict, and, if it did not
              measure worse, its activation

Each step is a function of the run's id and safe to repeat: a killed run goes on at its last step,
whose result did not count before it was whole. The database is touched at the ends of a step
only; no lock is held while it thinks. Results wait in the run's own folder (app.training.workspace)
until activate makes them artifacts of a version. A step whose result is there already is done.

app.training.verdict says when a version is activated.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from shutil import copyfile

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.artifacts import StoredFile, store
from app.database import reading, transaction
from app.errors import Conflict
from app.jobs import JobCancelled, Step
from app.models import Encoder, Project, TrainingRun, utc_now
from app.search.embedding import raw_vectors
from app.search.encoders import find_raw_encoder
from app.search.indexes import index_vectors, version_files
from app.search.sources import source_in_use
from app.search.vector_lock import hold_vectors
from app.search.vectors import embedded_ids, read_blocks
from app.similarity.deep.recipe import head_recipe
from app.similarity.head import load_head, save_head
from app.similarity.measuring.evaluation import Comparison
from app.similarity.tuning import tune as learn
from app.training import deep_runs, runs, workspace
from app.training.dataset import dataset_of
from app.training.graphs import shared_graph
from app.training.measured import KIND as MEASURED
from app.training.measuring import Material, keep_queries, measure, with_probe
from app.training.publishing import publish_version
from app.training.report import RunReport
from app.training.snapshot import freeze, load_snapshot
from app.training.texts import is_heard, words_of_records
from app.training.verdict import judge, load_comparison, save_comparison

Work = Callable[[TrainingRun, RunReport], None]

WAITING = "Waiting for another job of this project: only one at a time holds all vectors in memory"


def _stage(name: str) -> Callable[[Work], Step]:
    """Make a step of what one stage does: it begins it on the row, and minds cancelling."""

    def as_step(work: Work) -> Step:
        @functools.wraps(work)
        def step(run_id: int) -> None:
            try:
                run = runs.begin(run_id, name)
                if run is not None:
                    work(run, RunReport(run_id, name))
                else:
                    workspace.clear(run_id)
            except JobCancelled:
                runs.end_cancelled(run_id)
                raise

        return step

    return as_step


@_stage("collect")
def collect(run: TrainingRun, report: RunReport) -> None:
    """Freeze what the run learns from, and note on the row what that was."""
    with reading() as db:
        project = db.get_one(Project, run.project_id)
        source = _source(db, project, run)
        snapshot = freeze(db, project, source)
        dataset = dataset_of(db, project, source, snapshot, run.recipe)
    workspace.keep_source(run.id, source.id)
    workspace.keep(run.id, "collect", workspace.SNAPSHOT, snapshot.save)
    with transaction() as db:
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
    report.say(
        f"Learning from {len(snapshot.record_ids):,} labeled records with "
        f"{len(snapshot.label_ids)} labels, among {len(snapshot.pool):,} records."
    )


@_stage("tune")
def tune(run: TrainingRun, report: RunReport) -> None:
    """Learn the head; in a deep run, first the encoder below it, from the raw vectors."""
    if workspace.has(run.id, workspace.HEAD):
        return
    with _only_holder(run, report):
        _learn_head(run, report)


def _learn_head(run: TrainingRun, report: RunReport) -> None:
    if deep_runs.is_deep(run.recipe):
        deep_runs.learn_whole(run, _material(run, report, of_raw=True), report)
    material = _material(run, report)
    head = learn(
        material.vectors, material.examples, material.recipe, report,
        graph=material.graph, words=material.words,
    )  # fmt: skip
    workspace.keep(run.id, "tune", workspace.HEAD, lambda path: save_head(head, path))


@_stage("evaluate")
def evaluate(run: TrainingRun, report: RunReport) -> None:
    """Measure tuned against raw and the version in use, on records that none of them saw."""
    if workspace.has(run.id, workspace.COMPARISON):
        return
    with _only_holder(run, report):
        comparison = _compare(run, report)
    report.say(comparison.sentence)


def _compare(run: TrainingRun, report: RunReport) -> Comparison:
    material = raw = _material(run, report)
    if deep_runs.is_deep(run.recipe):
        raw = _material(run, report, of_raw=True)
        comparison = deep_runs.measure_deep(run, raw, material, report)
    else:
        comparison = measure(run, material, report)
    comparison = with_probe(comparison, run, raw, material)
    keep_queries(run, comparison, raw)
    workspace.keep(
        run.id, "evaluate", workspace.COMPARISON, lambda path: save_comparison(comparison, path)
    )
    return comparison


@_stage("reindex")
def reindex(run: TrainingRun, report: RunReport) -> None:
    """Tuned vectors of every record that has a raw one by now: index and suggestions."""
    if not workspace.is_indexed(run.id):
        _index(run, report)


@_stage("activate")
def activate(run: TrainingRun, report: RunReport) -> None:
    """Publish the version whole, with its figures and the verdict, all at once."""
    snapshot = load_snapshot(workspace.path_of(run.id, workspace.SNAPSHOT))
    comparison = load_comparison(workspace.path_of(run.id, workspace.COMPARISON))
    is_deep = deep_runs.is_deep(run.recipe)
    verdict = judge(comparison, snapshot, is_forced=run.is_forced, is_deep=is_deep)
    if not workspace.is_indexed(run.id):
        _index(run, report)
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


def _index(run: TrainingRun, report: RunReport) -> None:
    head = load_head(workspace.path_of(run.id, workspace.HEAD))
    read_at = utc_now()
    with reading() as db:
        source_id = deep_runs.source_of_run(db, run).id
        ids = embedded_ids(db, source_id)
    index, suggestions = index_vectors(head, read_blocks(source_id, ids), len(ids))
    writers = version_files(index, suggestions) | {"head": lambda path: save_head(head, path)}
    if workspace.has(run.id, workspace.MEASURED):
        writers[MEASURED] = partial(copyfile, workspace.path_of(run.id, workspace.MEASURED))
    files: dict[str, StoredFile] = {}
    for kind, write in writers.items():
        report(0.2 + 0.2 * len(files), "Writing the index and the suggestions")
        files[kind] = store(kind, write)
    workspace.keep_indexed(run.id, workspace.Indexed(files, len(index), read_at))


def _only_holder(run: TrainingRun, report: RunReport) -> AbstractContextManager[None]:
    """Hold all vectors alone; while others do, say so in the log, and mind cancelling."""
    return hold_vectors(run.project_id, lambda: report(0.0, WAITING))


def _source(db: Session, project: Project, run: TrainingRun) -> Encoder:
    """A head stands on the vectors in use; a deep encoder is taught through the raw ones."""
    find = find_raw_encoder if deep_runs.is_deep(run.recipe) else source_in_use
    source = find(db, project)
    if source is None:
        raise Conflict("No record has been embedded yet, so there is nothing to learn from.")
    return source


def _material(run: TrainingRun, report: RunReport, *, of_raw: bool = False) -> Material:
    """The same for every try: what has arrived since collect stays out.

    of_raw  in a deep run: of the vectors that teach it, not of those that it makes
    """
    report(0.0, "Reading vectors")
    snapshot = load_snapshot(workspace.path_of(run.id, workspace.SNAPSHOT))
    recipe = head_recipe(run.recipe)
    with reading() as db:
        project = db.get_one(Project, run.project_id)
        source_id = workspace.source_id(run.id)
        raw = db.get_one(Encoder, source_id) if of_raw else deep_runs.source_of_run(db, run)
        ids, vectors = raw_vectors(db, raw.id, among=snapshot.pool)
    graph = words = None
    if recipe.method == "head":
        report(0.0, "Finding each record's neighbours")
        graph = shared_graph(raw.id, ids, vectors, recipe.neighbours)
    if is_heard(recipe, project) and not of_raw:
        report(0.0, "Reading the words of the records")
        with reading() as db:
            words = words_of_records(db, ids)
    examples = snapshot.examples(ids, is_multi_label=project.is_multi_label)
    return Material(raw.id, ids, vectors, examples, recipe, graph, words)

"""Deep runs: what tune and evaluate do where the whole encoder learns.

The encoder learns from what the labels say by the graph of the raw vectors, whatever version is
active: vectors that were tuned to some labels would carry them to the records held out.

Decision: a part of the labeled records is held out of it altogether, with every near-copy
of it, and asked about afterwards; of the head on top, all labels are the teachers.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.db.session import read_session, write_session
from app.errors import Busy, Conflict
from app.jobs.steps import failpoint
from app.ml.deep.evaluate import compare_deep, concatenate_vectors, split_held_out
from app.ml.deep.loss_curve import LossPoint as Point
from app.ml.deep.recipe import DeepRecipe
from app.ml.encoding.encoder import ModelNotAvailable, resolve_model
from app.ml.evaluation.comparison import Comparison
from app.ml.evaluation.near_copies import compute_near_copy_key
from app.ml.examples import Count
from app.ml.heads.storage import load_head
from app.ml.label_inference.infer import infer_soft_targets
from app.ml.label_inference.naive_bayes import build_word_features
from app.models import LossPoint, Project, TrainingRun
from app.search.deep_versions import find_prepared, prepare_deep
from app.search.embedding import embed_with
from app.search.versions import find_active_version
from app.settings import settings
from app.training.pipeline import workspace
from app.training.pipeline.baseline import find_baseline, find_run_of_version
from app.training.pipeline.evaluate import add_holdout_scores
from app.training.pipeline.holdout import evaluate_on_holdout, load_holdout_records
from app.training.pipeline.inputs import TrainingInputs
from app.training.pipeline.snapshot import iterate_texts, load_snapshot
from app.training.runs.progress import RunReport

if TYPE_CHECKING:
    from app.ml.deep.tuning import DeepTrainingData

LEARNING_SHARE = 0.75
"""The part of the stage's progress that learning takes; embedding takes the rest."""


def learn_model(run: TrainingRun, raw: TrainingInputs, report: RunReport) -> None:
    """Learn the encoder, and give every record its embedding. Killed, it goes on where it was.

    raw  the material of the raw vectors
    """
    with read_session() as db:
        prepared = find_prepared(db, run.id)
    if prepared is None:
        prepare_deep(run.project_id, run.id, _tune_model(run, raw, report))
    with read_session() as db:
        prepared = find_prepared(db, run.id)
        assert prepared is not None  # It was just prepared.
    embed_with(prepared, lambda n_done, n_total: _report_embedding(report, n_done, n_total))


def _report_embedding(report: RunReport, n_done: int, n_total: int) -> None:
    progress = LEARNING_SHARE + (1 - LEARNING_SHARE) * n_done / max(1, n_total)
    report(progress, "Embedding records with the new model", Count(n_done, n_total, "record"))
    failpoint("run.tune.embedding")


def _tune_model(run: TrainingRun, raw: TrainingInputs, report: RunReport) -> Path:
    """The folder of the tuned encoder, in the run's own folder."""
    # Loaded here: it loads torch, and pages import what imports this.
    from app.ml.deep.tuning import MODEL, tune_deep

    place = workspace.file_path(run.id, workspace.DEEP)
    if (place / MODEL).is_dir():
        return place / MODEL
    recipe, config = DeepRecipe.from_json(run.recipe), settings()
    with read_session() as db:
        base_model = db.get_one(Project, run.project_id).base_model
    try:
        learned = tune_deep(
            Path(resolve_model(base_model, config.allow_model_downloads)),
            _build_training_data(raw, recipe),
            recipe,
            place,
            report=report.scale(LEARNING_SHARE),
            on_loss=lambda point: _store_loss_point(run.id, point),
            device=config.device,
            name=base_model,
        )
    except (ModelNotAvailable, ValueError) as error:
        raise Conflict(str(error)) from error
    report.log(f"{learned.sentence} Learned from {learned.n_learned:,} records.")
    return learned.folder


def _build_training_data(raw: TrainingInputs, recipe: DeepRecipe) -> "DeepTrainingData":
    """Soft labels of the examples that are not held out, and the records that may be learned from:
    all but near-copies of what is held out."""
    # As above.
    from app.ml.deep.tuning import DeepTrainingData

    with read_session() as db:
        texts = list(iterate_texts(db, raw.ids))
    train, held_out = split_held_out(raw.examples, recipe.held_out, recipe.seed)
    known = raw.examples.take(train)
    assert raw.graph is not None  # A deep run's head is learned through the graph.
    uses_words = recipe.head.words > 0 and not raw.examples.is_multi_label
    words = build_word_features(texts) if uses_words else None
    soft = infer_soft_targets(raw.graph, raw.vectors, known, recipe.head, words)
    keys = [compute_near_copy_key(text) for text in texts]
    apart = {keys[row] for row in raw.examples.rows[held_out]}
    pool = np.array([row for row, key in enumerate(keys) if key not in apart], np.int64)
    taught_rows = known.rows[np.isin(known.rows, pool)]
    return DeepTrainingData(
        texts, raw.vectors, soft, taught_rows, pool, raw.examples.is_multi_label
    )


def _store_loss_point(run_id: int, point: Point) -> None:
    row = LossPoint(
        run_id=run_id,
        step=point.step,
        epoch=point.epoch,
        train_loss=point.train_loss,
        validation_loss=point.validation_loss,
    )
    try:
        with write_session() as db:
            db.merge(row)
    except Busy:
        # One point of the picture is no reason to lose an hour's learning.
        return
    failpoint("run.tune.loss")


def evaluate_deep(
    run: TrainingRun, raw: TrainingInputs, deep: TrainingInputs, report: RunReport
) -> Comparison:
    """The deep version against raw and the version in use, on labels that were held out."""
    snapshot = load_snapshot(workspace.file_path(run.id, workspace.SNAPSHOT))
    recipe = DeepRecipe.from_json(run.recipe)
    is_present = np.isin(raw.ids, deep.ids, assume_unique=True)
    if not is_present.all():
        raise Conflict("Records were deleted while the run learned; try it again.")
    with read_session() as db:
        project = db.get_one(Project, run.project_id)
        baseline = find_baseline(db, project, snapshot, raw.ids, (raw.raw_id, raw.vectors))
        active = find_active_version(db, project.id)
        baseline_run = None if active is None else find_run_of_version(db, active)
        own_holdout = load_holdout_records(db, project, [run])
        shared_holdout = (
            own_holdout
            if baseline_run is None
            else load_holdout_records(db, project, [run, baseline_run])
        )
    fold = split_held_out(raw.examples, recipe.held_out, recipe.seed)
    comparison = compare_deep(
        raw.vectors, deep.vectors, raw.examples, fold, recipe.head, report, baseline, deep.words
    )
    head = load_head(workspace.file_path(run.id, workspace.HEAD))
    rows, base, tuned = concatenate_vectors(raw.vectors, deep.vectors, head)
    holdout_inputs = (raw.ids, rows, raw.examples)
    return add_holdout_scores(
        comparison,
        evaluate_on_holdout(tuned, holdout_inputs, baseline, own_holdout, shared_holdout, base),
    )

"""Deep runs: what tune and evaluate do where the whole encoder learns.

The encoder learns from what the labels say by the graph of the raw vectors, whatever version is
active: vectors that were tuned to some labels would carry them to the records held out.

Decision: a part of the labeled records is held out of it altogether, with every near-copy
of it, and asked about afterwards; of the head on top, all labels are the teachers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import Busy, Conflict
from app.jobs.steps import failpoint
from app.ml.deep.evaluate import compare_deep, concatenate_vectors, split_held_out
from app.ml.deep.loss_curve import LossPoint as Point
from app.ml.deep.recipe import DeepRecipe
from app.ml.encoding.encoder import ModelNotAvailable, resolve_model
from app.ml.evaluation.near_copies import compute_near_copy_key
from app.ml.evaluation.splits import Partition
from app.ml.examples import Count, Examples
from app.ml.heads.storage import load_head
from app.ml.label_inference.infer import infer_soft_targets
from app.ml.label_inference.naive_bayes import build_word_features
from app.models import LossPoint, Project, TrainingRun, Version
from app.search.deep_versions import find_prepared, prepare_deep
from app.search.embedding import embed_with
from app.search.versions import find_raw_version
from app.settings import settings
from app.training.pipeline import workspace
from app.training.pipeline.evaluate import add_holdout_scores, load_references
from app.training.pipeline.holdout import evaluate_on_holdout
from app.training.pipeline.inputs import TrainingInputs, load_inputs
from app.training.pipeline.snapshot import Snapshot, iterate_texts
from app.training.pipeline.strategies import Measured
from app.training.runs.progress import RunReport

if TYPE_CHECKING:
    from app.ml.deep.tuning import DeepTrainingData

LEARNING_SHARE = 0.75
"""The part of the stage's progress that learning takes; embedding takes the rest."""


@dataclass(frozen=True)
class DeepStrategy:
    """Learns the whole encoder from raw vectors, and then a head on the new embeddings."""

    recipe: DeepRecipe

    @classmethod
    def from_json(cls, recipe: dict[str, Any]) -> Self:
        """Return the strategy of a recipe as it is stored."""
        return cls(DeepRecipe.from_json(recipe))

    def find_source(self, db: Session, project: Project) -> Version | None:
        """Find the raw version: tuned vectors would carry labels to the records held out."""
        return find_raw_version(db, project)

    def find_vector_source(self, db: Session, run_id: int) -> Version:
        """Find the run's own encoder, once it has learned one."""
        prepared = find_prepared(db, run_id)
        return prepared or db.get_one(Version, workspace.read_source_id(run_id))

    def learn_model(self, run: TrainingRun, report: RunReport) -> None:
        """Learn the encoder, and embed every record. Killed, it goes on where it was."""
        raw = load_inputs(run, self, report, of_raw=True)
        with read_session() as db:
            prepared = find_prepared(db, run.id)
        if prepared is None:
            prepare_deep(run.project_id, run.id, _tune_model(run, self.recipe, raw, report))
        with read_session() as db:
            prepared = find_prepared(db, run.id)
            assert prepared is not None  # It was just prepared.
        embed_with(prepared, lambda n_done, n_total: _report_embedding(report, n_done, n_total))

    def compare(self, run: TrainingRun, report: RunReport) -> Measured:
        """On labeled records that were held out of all learning, and on the hold-out sample."""
        deep = load_inputs(run, self, report)
        raw = load_inputs(run, self, report, of_raw=True)
        if not np.isin(raw.ids, deep.ids, assume_unique=True).all():
            raise Conflict("Records were deleted while the run learned; try it again.")
        references = load_references(run, raw)
        fold = split_held_out(raw.examples, self.recipe.held_out, self.recipe.seed)
        comparison = compare_deep(
            raw.vectors,
            deep.vectors,
            raw.examples,
            fold,
            self.recipe.head,
            report,
            references.baseline,
            deep.words,
        )
        head = load_head(workspace.file_path(run.id, workspace.HEAD))
        rows, base, tuned = concatenate_vectors(raw.vectors, deep.vectors, head)
        holdout = evaluate_on_holdout(
            tuned,
            (raw.ids, rows, raw.examples),
            references.baseline,
            references.own_holdout,
            references.shared_holdout,
            base,
        )
        return Measured(add_holdout_scores(comparison, holdout), raw, deep)

    def split(self, examples: Examples) -> Partition:
        """Return the one split: what is held out is held out altogether."""
        return [split_held_out(examples, self.recipe.held_out, self.recipe.seed)]

    def find_objection(self, _snapshot: Snapshot) -> str | None:
        """Find why the version is not activated: a deep one never is without an evaluation."""
        return (
            "a deep version replaces every vector, so it must be measured first. Label more, "
            "label a hold-out sample, or activate it yourself."
        )


def _report_embedding(report: RunReport, n_done: int, n_total: int) -> None:
    progress = LEARNING_SHARE + (1 - LEARNING_SHARE) * n_done / max(1, n_total)
    report(progress, "Embedding records with the new model", Count(n_done, n_total, "record"))
    failpoint("run.tune.embedding")


def _tune_model(
    run: TrainingRun, recipe: DeepRecipe, raw: TrainingInputs, report: RunReport
) -> Path:
    """Return the folder of the tuned encoder, in the run's own folder."""
    # Loaded here: it loads torch, and pages import what imports this.
    from app.ml.deep.tuning import MODEL, tune_deep

    place = workspace.file_path(run.id, workspace.DEEP)
    if (place / MODEL).is_dir():
        return place / MODEL
    config = settings()
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

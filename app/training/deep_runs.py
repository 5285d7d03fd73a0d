"""Deep runs: what tune and evaluate do where the whole encoder learns.

The encoder learns from what the labels say by the graph of the raw vectors, whatever version is
active: vectors that were tuned to some labels would carry them to the records held out.

Decision: a part of the labeled records is held out of it altogether, with every near-copy
of it, and asked about afterwards; of the head on top, all labels are the teachers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy.orm import Session

from app.database import reading, transaction
from app.errors import Busy, Conflict
from app.jobs import failpoint
from app.models import Encoder, LossPoint, Project, TrainingRun
from app.search.deep_versions import find_prepared, prepare_deep
from app.search.embedding import embed_with
from app.search.encoders import active_encoder
from app.settings import settings
from app.similarity.deep.curve import LossPoint as Point
from app.similarity.deep.recipe import DeepRecipe
from app.similarity.deep.trial import compare_deep, held_out, side_by_side
from app.similarity.encoding.encoder import ModelNotAvailable, model_source
from app.similarity.head import load_head
from app.similarity.measuring.evaluation import Comparison
from app.similarity.near_copies import near_copy_key
from app.similarity.suggesting import lessons_of_all
from app.similarity.words import words_of
from app.training import workspace
from app.training.auditing import audit_of_run, audited
from app.training.contenders import find_champion, run_of
from app.training.measuring import Material, with_audit
from app.training.report import RunReport
from app.training.snapshot import load_snapshot
from app.training.texts import texts_of

if TYPE_CHECKING:
    from app.similarity.deep.tuning import Lesson

LEARNING = 0.75
"""The part of the stage's progress that learning takes; embedding takes the rest."""


def is_deep(recipe: Mapping[str, object]) -> bool:
    """Whether a run's recipe, as it is kept, is a deep one."""
    return recipe.get("method") == "deep"


def learn_whole(run: TrainingRun, raw: Material, report: RunReport) -> None:
    """Learn the encoder, and give every record its embedding. Killed, it goes on where it was.

    raw  the material of the raw vectors
    """
    with reading() as db:
        prepared = find_prepared(db, run.id)
    if prepared is None:
        prepare_deep(run.project_id, run.id, _learned(run, raw, report))
    with reading() as db:
        prepared = find_prepared(db, run.id)
        assert prepared is not None  # It was just prepared.
    embed_with(prepared, lambda n_done, n_total: _tell(report, n_done, n_total))


def _tell(report: RunReport, n_done: int, n_total: int) -> None:
    progress = LEARNING + (1 - LEARNING) * n_done / max(1, n_total)
    report(progress, f"Embedding records with the new encoder, {n_done:,} of {n_total:,}")
    failpoint("run.tune.embedding")


def _learned(run: TrainingRun, raw: Material, report: RunReport) -> Path:
    """The folder of the tuned encoder, in the run's own folder."""
    # Loaded here: it loads torch, and pages import what imports this.
    from app.similarity.deep.tuning import MODEL, tune_deep

    place = workspace.path_of(run.id, workspace.DEEP)
    if (place / MODEL).is_dir():
        return place / MODEL
    recipe, here = DeepRecipe.from_json(run.recipe), settings()
    with reading() as db:
        base_model = db.get_one(Project, run.project_id).base_model
    try:
        learned = tune_deep(
            Path(model_source(base_model, here.allow_model_downloads)),
            _lesson(raw, recipe),
            recipe,
            place,
            report=lambda progress, sentence: report(LEARNING * progress, sentence),
            told=lambda point: _keep_point(run.id, point),
            device=here.device,
            name=base_model,
        )
    except (ModelNotAvailable, ValueError) as error:
        raise Conflict(str(error)) from error
    report.say(f"{learned.sentence} Learned from {learned.n_learned:,} records.")
    return learned.folder


def _lesson(raw: Material, recipe: DeepRecipe) -> "Lesson":
    """Soft labels of the examples that are not held out, and the records that may be learned from:
    all but near-copies of what is held out."""
    # As above.
    from app.similarity.deep.tuning import Lesson

    with reading() as db:
        texts = list(texts_of(db, raw.ids))
    shown, hidden = held_out(raw.examples, recipe.held_out, recipe.seed)
    known = raw.examples.taken(shown)
    assert raw.graph is not None  # A deep run's head is learned through the graph.
    is_heard = recipe.head.words > 0 and not raw.examples.is_multi_label
    words = words_of(texts) if is_heard else None
    soft = lessons_of_all(raw.graph, raw.vectors, known, recipe.head, words)
    keys = [near_copy_key(text) for text in texts]
    apart = {keys[row] for row in raw.examples.rows[hidden]}
    pool = np.array([row for row, key in enumerate(keys) if key not in apart], np.int64)
    taught = known.rows[np.isin(known.rows, pool)]
    return Lesson(texts, raw.vectors, soft, taught, pool, raw.examples.is_multi_label)


def _keep_point(run_id: int, point: Point) -> None:
    row = LossPoint(
        run_id=run_id, step=point.step, epoch=point.epoch,
        train_loss=point.train_loss, validation_loss=point.validation_loss,
    )  # fmt: skip
    try:
        with transaction() as db:
            db.merge(row)
    except Busy:
        # One point of the picture is no reason to lose an hour's learning.
        return
    failpoint("run.tune.loss")


def measure_deep(run: TrainingRun, raw: Material, deep: Material, report: RunReport) -> Comparison:
    """The deep version against raw and the version in use, on labels that were held out."""
    snapshot = load_snapshot(workspace.path_of(run.id, workspace.SNAPSHOT))
    recipe = DeepRecipe.from_json(run.recipe)
    there = np.isin(raw.ids, deep.ids, assume_unique=True)
    if not there.all():
        raise Conflict("Records were deleted while the run learned; try it again.")
    with reading() as db:
        project = db.get_one(Project, run.project_id)
        champion = find_champion(db, project, snapshot, raw.ids, (raw.raw_id, raw.vectors))
        active = active_encoder(db, project.id)
        theirs = None if active is None else run_of(db, active)
        ours = audited(db, project, [run])
        both = ours if theirs is None else audited(db, project, [run, theirs])
    fold = held_out(raw.examples, recipe.held_out, recipe.seed)
    comparison = compare_deep(
        raw.vectors, deep.vectors, raw.examples, fold, recipe.head, report, champion, deep.words
    )
    head = load_head(workspace.path_of(run.id, workspace.HEAD))
    rows, base, tuned = side_by_side(raw.vectors, deep.vectors, head)
    heard = (raw.ids, rows, raw.examples)
    return with_audit(comparison, audit_of_run(tuned, heard, champion, ours, both, base))


def source_of_run(db: Session, run: TrainingRun) -> Encoder:
    """The version whose embeddings the run's head reads: its own encoder, once it has learned one,
    or the one that was in use when it began."""
    prepared = find_prepared(db, run.id) if is_deep(run.recipe) else None
    return prepared or db.get_one(Encoder, workspace.source_id(run.id))

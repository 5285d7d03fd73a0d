"""Deep tuning: fine-tune the whole encoder on labels and propagated labels. Loads torch.

The soft labels that train a head train all layers here, with sentence-transformers' own trainer.
What comes out is a folder that plain `SentenceTransformer(folder)` loads: safetensors weights, a
model card, no code.

Decision: checkpoints lie in the run's own folder, each with the loss's own weights beside the
encoder's and a mark that it is whole; a killed run goes on from the newest marked one. They are
read with torch's weights-only loader, so nothing in them can run.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from app.ml.deep.adapters import merge_into_base, prepare_model
from app.ml.deep.callbacks import LossCallback, TrainingWatcher, find_last_checkpoint, restore_loss
from app.ml.deep.data import DataSplit, Rows, Soft, build_dataset, split_rows
from app.ml.deep.loss_curve import LossPoint, describe_overfitting, parse_loss_points
from app.ml.deep.losses import build_loss
from app.ml.deep.model_card import render_model_card
from app.ml.deep.oom_retry import learn_within_memory
from app.ml.deep.recipe import DeepRecipe, n_learned
from app.ml.deep.trainer import build_trainer
from app.ml.encoding.encoder import DEFAULT_MODEL, pick_device
from app.ml.examples import Report
from app.ml.vectors import Vectors

MODEL = "model"
CHECKPOINTS = "checkpoints"
LEAST_LEARNED = 8


@dataclass(frozen=True)
class DeepTrainingData:
    """What a deep run learns from; rows are positions in texts, vectors and soft.

    texts     of all records, n
    vectors   (n, d) float32, the base model's
    soft      (n, K) float32: shares of the classes, or for is_binary chances of each label
    examples  rows that people labeled, (m,) int64
    pool      rows that may be learned from, the examples among them: not those held out
    """

    texts: Sequence[str]
    vectors: Vectors
    soft: Soft
    examples: Rows
    pool: Rows
    is_binary: bool = False


@dataclass(frozen=True)
class TunedEncoder:
    """A tuned encoder: its folder, its losses, and a sentence about overfitting."""

    folder: Path
    points: tuple[LossPoint, ...]
    sentence: str
    n_learned: int
    n_validated: int


def tune_deep(
    base: Path,
    data: DeepTrainingData,
    recipe: DeepRecipe,
    place: Path,
    *,
    report: Report,
    on_loss: LossCallback = lambda point: None,
    device: str = "auto",
    name: str = DEFAULT_MODEL,
) -> TunedEncoder:
    """Tune the encoder in the folder `base`, and write the new one to place/"model".

    place   where checkpoints are kept as well; called again with the same arguments after a kill,
            it goes on from the last one
    report  called before each batch; may raise to stop
    device  auto, cpu, cuda or mps
    name    of the base model, for the model card

    Where memory runs out, it learns once more with half the batch. Raises ValueError, in one
    sentence, where there is too little to learn from or learning fails.
    """
    device = pick_device() if device == "auto" else device

    def learn(chosen: DeepRecipe) -> TunedEncoder:
        return _tune(base, data, chosen, place, report, on_loss, device, name)

    return learn_within_memory(learn, recipe, place, CHECKPOINTS, report)


def _tune(
    base: Path,
    data: DeepTrainingData,
    recipe: DeepRecipe,
    place: Path,
    report: Report,
    on_loss: LossCallback,
    device: str,
    name: str,
) -> TunedEncoder:
    torch.manual_seed(recipe.seed)
    model = prepare_model(base, recipe, device)
    parts = _split(data, recipe, device)
    loss = build_loss(model, recipe, _compute_centres(data, parts), is_binary=data.is_binary)
    learned, validated = (
        build_dataset(data.texts, data.soft, rows, recipe, is_binary=data.is_binary)
        for rows in (parts.learned, parts.validated)
    )
    _check_enough(len(learned))
    trainer = build_trainer(
        model, loss, learned, validated, recipe, place=place / CHECKPOINTS, device=device
    )
    trainer.add_callback(TrainingWatcher(loss, report, on_loss))
    checkpoint = find_last_checkpoint(place / CHECKPOINTS)
    if checkpoint is not None:
        restore_loss(loss, checkpoint)
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    points = parse_loss_points(trainer.state.log_history)
    outcome = TunedEncoder(
        place / MODEL, points, describe_overfitting(points), len(learned), len(validated)
    )
    _save(merge_into_base(base, model), outcome, recipe, name)
    shutil.rmtree(place / CHECKPOINTS, ignore_errors=True)
    return outcome


def _split(data: DeepTrainingData, recipe: DeepRecipe, device: str) -> DataSplit:
    wanted = n_learned(recipe, len(data.pool), has_gpu=device != "cpu")
    return split_rows(data.texts, data.soft, data.pool, data.examples, recipe, wanted)


def _compute_centres(data: DeepTrainingData, parts: DataSplit) -> torch.Tensor:
    """Compute the mean raw vector of each class, (K, d) float32."""
    soft, vectors = data.soft[parts.learned], data.vectors[parts.learned]
    mass = np.maximum(soft.sum(axis=0), 1e-6)
    return torch.from_numpy(np.asarray(soft.T @ vectors / mass[:, None], dtype=np.float32))


def _check_enough(n: int) -> None:
    if n < LEAST_LEARNED:
        raise ValueError(
            f"A deep run needs at least {LEAST_LEARNED} records with a sufficiently certain label, "
            f"and there are {n}."
        )


def _save(model: SentenceTransformer, outcome: TunedEncoder, recipe: DeepRecipe, base: str) -> None:
    """Write the folder beside its place, and rename it when it is whole and on the disk."""
    part = outcome.folder.with_name(f"part-{MODEL}")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(str(part), create_model_card=False, safe_serialization=True)
    card = render_model_card(
        recipe,
        base=base,
        dimension=model.get_embedding_dimension() or 0,
        n_learned=outcome.n_learned,
        n_validated=outcome.n_validated,
        overfitting=outcome.sentence,
    )
    (part / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(outcome.folder, ignore_errors=True)
    part.rename(outcome.folder)

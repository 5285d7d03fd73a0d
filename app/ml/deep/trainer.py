"""sentence-transformers' trainer, set up by a recipe. Loads torch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.sampler import BatchSamplers
from torch import nn
from transformers import EarlyStoppingCallback
from transformers.trainer_callback import PrinterCallback

from app.ml.deep.data import EvenBatches, LengthBatches
from app.ml.deep.recipe import GROUPED, DeepRecipe

N_LOGGED_LOSSES = 50
"""Train losses of a whole run: enough for a curve."""


def build_trainer(
    model: SentenceTransformer,
    loss: nn.Module,
    learned: Dataset,
    validated: Dataset,
    recipe: DeepRecipe,
    *,
    place: Path,
    device: str,
) -> SentenceTransformerTrainer:
    """Build the trainer, ready to train: schedule, clipping, precision, checks and checkpoints.

    validated  may be empty: then there are no validation losses, and nothing stops early
    place      the folder of its checkpoints
    """
    has_validation = len(validated) > 0
    trainer = _Trainer(
        model=model,
        args=_build_arguments(recipe, len(learned), place, device, has_validation=has_validation),
        train_dataset=learned,
        eval_dataset=validated if has_validation else None,
        loss=loss,
        callbacks=[EarlyStoppingCallback(recipe.patience)] if has_validation else [],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


class _Trainer(SentenceTransformerTrainer):
    """With batches of like length, and without a model card that quotes records."""

    def get_batch_sampler(
        self, dataset: Any, batch_size: int, drop_last: bool, *args: Any, **others: Any
    ) -> Any:
        if dataset is not self.train_dataset:
            return EvenBatches(_count_characters(dataset), batch_size)
        if self.args.batch_sampler is BatchSamplers.GROUP_BY_LABEL:
            return super().get_batch_sampler(dataset, batch_size, drop_last, *args, **others)
        return LengthBatches(_count_characters(dataset), batch_size, self.args.seed)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: the finished encoder gets a card of ours."""


def _count_characters(dataset: Dataset) -> NDArray[np.int64]:
    texts = dataset[dataset.column_names[0]]
    return np.array([len(text) for text in texts], np.int64)


def _build_arguments(
    recipe: DeepRecipe, n: int, place: Path, device: str, *, has_validation: bool
) -> SentenceTransformerTrainingArguments:
    n_steps = count_steps(recipe, n)
    every = max(1, n_steps // recipe.checks)
    is_cuda = device.startswith("cuda")
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(place),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        learning_rate_mapping=_build_learning_rates(recipe),
        lr_scheduler_type="linear",
        warmup_steps=int(recipe.warm_up * n_steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_gradient,
        bf16=computes_bf16(device),
        use_cpu=device == "cpu",
        seed=recipe.seed,
        batch_sampler=_choose_sampler(recipe),
        eval_strategy="steps" if has_validation else "no",
        eval_steps=every,
        eval_on_start=has_validation,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=has_validation,
        metric_for_best_model="eval_loss" if has_validation else None,
        greater_is_better=False if has_validation else None,
        logging_steps=max(1, n_steps // N_LOGGED_LOSSES),
        logging_nan_inf_filter=False,
        dataloader_pin_memory=is_cuda,
        disable_tqdm=True,
        report_to="none",
    )
    # One process learns on one GPU: several would change what a batch is, and so the result.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def computes_bf16(device: str) -> bool:
    """Whether this device supports bfloat16 natively: training is then about twice as fast.

    On a CPU without it, it would be slower than float32.
    """
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    able = torch.cpu.get_capabilities()
    return device == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def count_steps(recipe: DeepRecipe, n: int) -> int:
    """Return the number of training steps for this many rows, without early stopping."""
    n_batches = -(-n // recipe.batch_size)
    return max(1, -(-n_batches // recipe.accumulation) * recipe.epochs)


def _build_learning_rates(recipe: DeepRecipe) -> dict[str, float]:
    """Build the learning rates; the classes are new, so they learn faster than the encoder."""
    return {r"^classes\.": recipe.class_learning_rate} if recipe.loss == "distil" else {}


def _choose_sampler(recipe: DeepRecipe) -> BatchSamplers:
    is_grouped = recipe.loss in GROUPED
    return BatchSamplers.GROUP_BY_LABEL if is_grouped else BatchSamplers.BATCH_SAMPLER

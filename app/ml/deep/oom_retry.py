"""When memory runs out while a deep run learns: once again with half the batch, then a sentence.

Loads torch.
"""

import gc
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from app.ml.deep.recipe import RANGES, DeepRecipe
from app.ml.examples import Report

T = TypeVar("T")

HALVED = "halved"
"""A mark in the run's folder: the whole batch was too large for this machine."""

OUT_OF_MEMORY_MESSAGES = ("out of memory", "not enough memory")
"""Messages of torch: GPU first, CPU second, both as a RuntimeError."""


def learn_within_memory(
    learn: Callable[[DeepRecipe], T],
    recipe: DeepRecipe,
    place: Path,
    checkpoints: str,
    report: Report,
) -> T:
    """Return what `learn` returns for this recipe or, if memory ran out, for one with half the
    batch and twice as many batches before a step, from the start.

    place  the run's folder; checkpoints of the whole batch, in the folder `checkpoints` in it, are
           deleted before the second try, and a run that was killed in it goes on with half

    Raises ValueError, in one sentence, where memory runs out again.
    """
    least, mark = RANGES["batch_size"][0], place / HALVED
    if recipe.batch_size // 2 >= least:
        if not mark.exists():
            whole = _try_learning(learn, recipe)
            if whole is not None:
                return whole
            shutil.rmtree(place / checkpoints, ignore_errors=True)
            place.mkdir(parents=True, exist_ok=True)
            mark.touch()
        recipe = halve_batch(recipe)
        report(0.0, f"Out of memory: training again with batch size {recipe.batch_size}")
    outcome = _try_learning(learn, recipe)
    if outcome is None:
        raise ValueError(
            f"Out of memory with batch size {recipe.batch_size} and up to {recipe.max_tokens} "
            "tokens per text. Try a smaller batch, fewer tokens, or weights=lora."
        )
    mark.unlink(missing_ok=True)
    return outcome


def halve_batch(recipe: DeepRecipe) -> DeepRecipe:
    """Halve the batch size and keep the number of records per step."""
    return replace(recipe, batch_size=recipe.batch_size // 2, accumulation=2 * recipe.accumulation)


def _try_learning(learn: Callable[[DeepRecipe], T], recipe: DeepRecipe) -> T | None:
    """Train, or return None if memory ran out, after freeing what was held."""
    try:
        return learn(recipe)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    # After the error is gone: its traceback holds the encoder and all its gradients.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def is_out_of_memory(error: Exception) -> bool:
    """Whether this error means out of memory."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error).lower() for words in OUT_OF_MEMORY_MESSAGES)

"""How long a deep run will take, from the pace at which texts are embedded."""

from app.ml.deep.recipe import PAIRED, DeepRecipe

BACKWARD = 2.0
"""Gradients cost about twice what reading a text does.

Source: Kaplan et al. 2020, Scaling Laws for Neural Language Models, section 2.1.
"""

PADDING = 1.25
"""Batches are mixed to learn well, so more goes into padding than when all texts are sorted."""


def estimate_seconds(recipe: DeepRecipe, n_learned: int, per_second: float) -> float:
    """Seconds of learning from so many records, validation included.

    per_second  texts that the same machine embeds in a second
    """
    n_validated = recipe.validation_share * n_learned
    n_read = (n_learned - n_validated) * recipe.epochs * (1 + BACKWARD) * PADDING
    n_read += n_validated * (recipe.checks + 1)
    return n_read * (2 if recipe.loss in PAIRED else 1) / per_second

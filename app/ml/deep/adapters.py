"""The encoder before and after a deep run: what may change, and how adapters become weights again.

Loads torch.
"""

import re
from pathlib import Path

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize

from app.ml.deep.recipe import DeepRecipe

LAYER = re.compile(r"(?:^|\.)(?:layer|layers|h)\.(\d+)\.")
"""How transformers name the layers of an encoder, whatever its kind."""


def prepare_model(base: Path, recipe: DeepRecipe, device: str) -> SentenceTransformer:
    """Return the encoder in the folder, with the weights that the recipe leaves to be learned."""
    model = _load_model(base, device)
    model.max_seq_length = min(model.max_seq_length or recipe.max_tokens, recipe.max_tokens)
    if recipe.frozen_layers:
        _freeze(model, recipe.frozen_layers)
    if recipe.weights == "lora":
        model.add_adapter(
            LoraConfig(
                r=recipe.lora_rank,
                lora_alpha=2 * recipe.lora_rank,
                lora_dropout=0.0,
                target_modules="all-linear",
                task_type="FEATURE_EXTRACTION",
            )
        )
    return model


def merge_into_base(base: Path, model: SentenceTransformer) -> SentenceTransformer:
    """Return a fresh copy of the base with what was learned, adapters merged into its weights.

    It reads texts as far as the base did, and answers with rows of length 1.
    """
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()
    weights = {
        name.replace(".base_layer.", "."): value
        for name, value in model.state_dict().items()
        if "lora_" not in name
    }
    whole = _load_model(base, "cpu")
    whole.load_state_dict({name: value.cpu() for name, value in weights.items()})
    if not any(isinstance(module, Normalize) for module in whole):
        whole.append(Normalize())
    return whole


def _load_model(base: Path, device: str) -> SentenceTransformer:
    return SentenceTransformer(
        str(base),
        device=device,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True, "dtype": torch.float32},
    )


def _freeze(model: SentenceTransformer, n_layers: int) -> None:
    for name, weights in model.named_parameters():
        layer = LAYER.search(name)
        is_below = "embedding" in name if layer is None else int(layer[1]) < n_layers
        if is_below:
            weights.requires_grad = False

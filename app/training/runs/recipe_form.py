"""Hyperparameters on pages: their descriptions, the form's fields, and how a run's values differ
from the defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Form
from pydantic import BeforeValidator, ValidationError

from app.errors import Invalid
from app.ml.deep.recipe import CPU_SUBSET, DeepRecipe, Loss, Weights, recipe_from_json
from app.ml.deep.recipe import RANGES as DEEP_RANGES
from app.ml.recipe import RANGES, Method, Recipe
from app.web.schemas import StrictModel

HEAD_WORDS: dict[str, str] = {
    "seed": "Random seed (the same seed gives the same split)",
    "neighbours": "Neighbours of each record in the similarity graph",
    "alpha": "Propagation strength (near 1: far)",
    "steps": "Propagation steps",
    "prior_power": "Correction for frequent labels (empty: tuned on held-out records)",
    "second_look": "Weight of a second propagation, based on the first",
    "words": "Weight of the word features (0: not used)",
    "softness": "Softness of propagated labels (1: unchanged, less: sharper)",
    "hidden": "Hidden units of the network",
    "dropout": "Dropout (share of units left out, against overfitting)",
    "passes": "Epochs (passes over all records)",
    "batch_size": "Batch size",
    "learning_rate": "Learning rate",
    "weight_decay": "Weight decay",
    "strength": "Weight of the label evidence in the tuned vector",
}
BASELINE_WORDS: dict[str, str] = {
    "seed": HEAD_WORDS["seed"],
    "margin": "Margin of the triplet loss",
    "triplet_epochs": "Maximum epochs",
    "triplet_batch_size": "Batch size",
    "triplet_learning_rate": "Learning rate",
    "patience": "Early stopping after epochs without improvement",
}
DEEP_WORDS: dict[str, str] = {
    "loss": "Loss",
    "weights": "Weights to train (full: all; lora: low-rank adapters)",
    "seed": HEAD_WORDS["seed"],
    "subset": f"Maximum training records (empty: all on a GPU, {CPU_SUBSET:,} on a CPU)",
    "epochs": "Epochs (passes over the training records)",
    "batch_size": "Batch size",
    "accumulation": "Gradient accumulation (batches per step)",
    "learning_rate": "Learning rate",
    "class_learning_rate": "Learning rate of the classifier layer",
    "warm_up": "Warm-up (share of the steps)",
    "weight_decay": "Weight decay",
    "max_gradient": "Gradient clipping (maximum norm)",
    "max_tokens": "Maximum tokens per text in training",
    "frozen_layers": "Frozen lower layers (more: faster)",
    "lora_rank": "Rank of the adapters",
    "contrast": "Weight of the contrastive loss",
    "temperature": "Temperature of the contrastive loss",
    "margin": "Margin (for losses that use one)",
    "certainty": "Minimum probability at which a record counts for its label",
    "softness": "Softness of propagated labels (1: unchanged, less: sharper)",
    "validation_share": "Validation share of the training records",
    "checks": "Number of validation checks",
    "patience": "Early stopping after checks without improvement",
    "held_out": "Held-out share of the labels",
}
WORDS = {"head": HEAD_WORDS, "skip_triplet": BASELINE_WORDS, "deep": DEEP_WORDS}

# The hyperparameters that the form offers, by method.
CHOICES: dict[str, tuple[str, ...]] = {
    "head": (
        "neighbours",
        "alpha",
        "steps",
        "softness",
        "hidden",
        "passes",
        "strength",
        "seed",
    ),
    "skip_triplet": (
        "margin",
        "triplet_epochs",
        "triplet_batch_size",
        "triplet_learning_rate",
        "patience",
    ),
    "deep": (
        "subset",
        "epochs",
        "batch_size",
        "learning_rate",
        "max_tokens",
        "frozen_layers",
        "contrast",
        "patience",
        "held_out",
        "seed",
    ),
}

DEEP = "deep_"
"""Prefix of the input names of a deep recipe: both recipes have a seed."""

AnyMethod = Method | Literal["deep"]
MaybeWhole = Annotated[int | None, BeforeValidator(lambda sent: None if sent == "" else sent)]


class RunForm(StrictModel):
    """The form that starts a run; missing values have the recipe's defaults."""

    method: AnyMethod = "head"
    is_forced: bool = False
    neighbours: int | None = None
    alpha: float | None = None
    steps: int | None = None
    softness: float | None = None
    hidden: int | None = None
    passes: int | None = None
    strength: float | None = None
    seed: int | None = None
    margin: float | None = None
    triplet_epochs: int | None = None
    triplet_batch_size: int | None = None
    triplet_learning_rate: float | None = None
    patience: int | None = None
    deep_loss: Loss | None = None
    deep_weights: Weights | None = None
    deep_subset: MaybeWhole = None
    deep_epochs: int | None = None
    deep_batch_size: int | None = None
    deep_learning_rate: float | None = None
    deep_max_tokens: int | None = None
    deep_frozen_layers: int | None = None
    deep_contrast: float | None = None
    deep_patience: int | None = None
    deep_held_out: float | None = None
    deep_seed: int | None = None

    def recipe(self) -> Recipe | DeepRecipe:
        """Return the recipe. Raises Invalid, naming the first value out of range."""
        sent = self.model_dump(exclude={"is_forced"}, exclude_none=True)
        deep = {name: value for name, value in sent.items() if name.startswith(DEEP)}
        if self.method == "deep":
            own = {name.removeprefix(DEEP): value for name, value in deep.items()}
            return parse_recipe(own | {"method": "deep"})
        return parse_recipe({name: value for name, value in sent.items() if name not in deep})


SentRun = Annotated[RunForm, Form()]


def parse_recipe(values: dict[str, Any]) -> Recipe | DeepRecipe:
    """Build the recipe. Raises Invalid for an unknown name or a value out of range."""
    try:
        return recipe_from_json(values)
    except (ValueError, ValidationError) as error:
        raise Invalid(str(error)) from error


def build_inputs(method: str) -> list[dict[str, Any]]:
    """Build the form's inputs for that method: name, words, default and range."""
    usual, words = Recipe().as_json(), WORDS[method]
    return [_build_input(name, words[name], usual[name], RANGES[name]) for name in CHOICES[method]]


def build_deep_inputs() -> list[dict[str, Any]]:
    """Build the form's inputs for a deep run."""
    usual = DeepRecipe().as_json()
    return [
        _build_input(DEEP + name, DEEP_WORDS[name], usual[name], DEEP_RANGES[name])
        for name in CHOICES["deep"]
    ]


def _build_input(name: str, words: str, value: Any, limits: tuple[float, float]) -> dict[str, Any]:
    low, high = limits
    step = "any" if isinstance(value, float) else 1
    return {"name": name, "words": words, "value": value, "min": low, "max": high, "step": step}


@dataclass(frozen=True)
class RecipeRow:
    """A hyperparameter of a run: description, value, default, and whether they differ."""

    name: str
    words: str
    value: Any
    usual: Any

    @property
    def is_usual(self) -> bool:
        """Whether the value is the default."""
        return bool(self.value == self.usual)


def build_recipe_rows(recipe: Mapping[str, Any]) -> list[RecipeRow]:
    """Build a row for every hyperparameter of the run, for a deep run also those of its head."""
    method = str(recipe.get("method", "head"))
    usual = DeepRecipe().as_json() if method == "deep" else Recipe().as_json()
    rows = _build_rows(WORDS.get(method, HEAD_WORDS), recipe, usual)
    if method == "deep":
        on_top = _build_rows(HEAD_WORDS, recipe.get("head", {}), usual["head"])
        rows += [RecipeRow(f"head.{r.name}", f"Head: {r.words}", r.value, r.usual) for r in on_top]
    return rows


def _build_rows(
    words: Mapping[str, str], recipe: Mapping[str, Any], usual: Mapping[str, Any]
) -> list[RecipeRow]:
    """Build the rows; names without a description, as in older recipes, are shown as they are."""
    named = [*words, *(name for name in recipe if name in usual and name not in words)]
    return [
        RecipeRow(name, words.get(name, name), recipe[name], usual.get(name))
        for name in named
        if name in recipe and not isinstance(recipe[name], dict)
    ]

"""What a person may set when starting a run: the numbers of a recipe that are worth turning."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Form
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from app.errors import Invalid
from app.ml.deep.recipe import CPU_SUBSET, DeepRecipe, Loss, Weights, recipe_from_json
from app.ml.deep.recipe import RANGES as DEEP_RANGES
from app.ml.recipe import RANGES, Method, Recipe

# Per method: field and what it does, in plain words.
CHOICES: dict[str, tuple[tuple[str, str], ...]] = {
    "head": (
        ("neighbours", "Neighbours that a label travels to from each record"),
        ("alpha", "How far labels travel (near 1: far)"),
        ("steps", "Steps that they travel"),
        ("softness", "How soft the labels stay (1: as they arrive, less: sharper)"),
        ("hidden", "Units of the network that learns them"),
        ("passes", "Passes over all records"),
        ("strength", "Weight of the class evidence in the tuned vector"),
        ("seed", "Seed"),
    ),
    "skip_triplet": (
        ("margin", "Margin of the triplet loss"),
        ("triplet_epochs", "Most epochs"),
        ("triplet_batch_size", "Records in a batch"),
        ("triplet_learning_rate", "Learning rate"),
        ("patience", "Epochs without gain before it stops"),
    ),
}


DEEP = "deep_"
"""What the names of a deep recipe's inputs begin with: both recipes have a seed."""

DEEP_CHOICES: tuple[tuple[str, str], ...] = (
    ("subset", f"Most records to learn from (empty: all on a GPU, {CPU_SUBSET:,} elsewhere)"),
    ("epochs", "Passes over them"),
    ("batch_size", "Records in a batch"),
    ("learning_rate", "Learning rate"),
    ("max_tokens", "Words and word parts read of each text while learning"),
    ("frozen_layers", "Lower layers that stay as they are (more: quicker)"),
    ("contrast", "Weight of drawing records of one label together"),
    ("patience", "Checks without gain before it stops"),
    ("held_out", "Share of the labels kept to measure by"),
    ("seed", "Seed"),
)

AnyMethod = Method | Literal["deep"]
MaybeWhole = Annotated[int | None, BeforeValidator(lambda sent: None if sent == "" else sent)]


class RunForm(BaseModel):
    """A run as the training page asks for it; what is left out has the recipe's default."""

    model_config = ConfigDict(extra="forbid")

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
        """The recipe. Raises Invalid, naming the first number out of its range."""
        sent = self.model_dump(exclude={"is_forced"}, exclude_none=True)
        deep = {name: value for name, value in sent.items() if name.startswith(DEEP)}
        if self.method == "deep":
            own = {name.removeprefix(DEEP): value for name, value in deep.items()}
            return parse_recipe(own | {"method": "deep"})
        return parse_recipe({name: value for name, value in sent.items() if name not in deep})


SentRun = Annotated[RunForm, Form()]


def parse_recipe(values: dict[str, Any]) -> Recipe | DeepRecipe:
    """The recipe of these values. Raises Invalid for an unknown name or a number out of range."""
    try:
        return recipe_from_json(values)
    except (ValueError, ValidationError) as error:
        raise Invalid(str(error)) from error


def build_inputs(method: str) -> list[dict[str, Any]]:
    """The form's inputs for that method: name, words, default and range."""
    usual = Recipe().as_json()
    return [_build_input(name, name, words, usual[name], RANGES) for name, words in CHOICES[method]]


def build_deep_inputs() -> list[dict[str, Any]]:
    """The same for a deep run."""
    usual = DeepRecipe().as_json()
    return [
        _build_input(DEEP + name, name, words, usual[name], DEEP_RANGES)
        for name, words in DEEP_CHOICES
    ]


def _build_input(
    sent_as: str, name: str, words: str, value: Any, ranges: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    low, high = ranges[name]
    step = "any" if isinstance(value, float) else 1
    return {"name": sent_as, "words": words, "value": value, "min": low, "max": high, "step": step}

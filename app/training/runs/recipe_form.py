"""A recipe for people: what each number does, which ones a run's form offers, and how a run's own
stand beside the usual."""

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
    "seed": "Seed: the same one draws the same parts again",
    "neighbours": "Neighbours that a label travels to from each record",
    "alpha": "How far labels travel (near 1: far)",
    "steps": "Steps that they travel",
    "prior_power": "How much frequent labels are held back (empty: hidden examples decide)",
    "second_look": "Weight of a second round, over what the first one found",
    "words": "Weight of what the words of the records say (0: they are not heard)",
    "softness": "How soft the labels stay (1: as they arrive, less: sharper)",
    "hidden": "Units of the network that learns them",
    "dropout": "Share of the units that rest at each step, against learning by heart",
    "passes": "Passes over all records",
    "batch_size": "Records in a batch",
    "learning_rate": "Learning rate",
    "weight_decay": "Pull of all weights towards zero",
    "strength": "Weight of the class evidence in the tuned vector",
}
BASELINE_WORDS: dict[str, str] = {
    "seed": HEAD_WORDS["seed"],
    "margin": "Margin of the triplet loss",
    "triplet_epochs": "Most epochs",
    "triplet_batch_size": "Records in a batch",
    "triplet_learning_rate": "Learning rate",
    "patience": "Epochs without gain before it stops",
}
DEEP_WORDS: dict[str, str] = {
    "loss": "Loss",
    "weights": "What may change (full: all weights; lora: small adapters)",
    "seed": HEAD_WORDS["seed"],
    "subset": f"Most records to learn from (empty: all on a GPU, {CPU_SUBSET:,} elsewhere)",
    "epochs": "Passes over them",
    "batch_size": "Records in a batch",
    "accumulation": "Batches whose gradients are added up before a step",
    "learning_rate": "Learning rate",
    "class_learning_rate": "Learning rate of what reads the labels off the vectors",
    "warm_up": "Share of the steps in which the learning rate rises",
    "weight_decay": "Pull of all weights towards zero",
    "max_gradient": "Longest step that one batch may ask for",
    "max_tokens": "Words and word parts read of each text while learning",
    "frozen_layers": "Lower layers that stay as they are (more: quicker)",
    "lora_rank": "Size of the adapters",
    "contrast": "Weight of drawing records of one label together",
    "temperature": "How sharply near records are told from far ones while learning",
    "margin": "Margin of losses that have one",
    "certainty": "Least share at which a record counts for its label",
    "softness": "How soft the labels stay (1: as they arrive, less: sharper)",
    "validation_share": "Share of what is learned from that only watches the loss",
    "checks": "How often that loss is measured",
    "patience": "Checks without gain before it stops",
    "held_out": "Share of the labels kept to measure by",
}
WORDS = {"head": HEAD_WORDS, "skip_triplet": BASELINE_WORDS, "deep": DEEP_WORDS}

# The numbers that the form offers, by method.
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
"""What the names of a deep recipe's inputs begin with: both recipes have a seed."""

AnyMethod = Method | Literal["deep"]
MaybeWhole = Annotated[int | None, BeforeValidator(lambda sent: None if sent == "" else sent)]


class RunForm(StrictModel):
    """A run as the training page asks for it; what is left out has the recipe's default."""

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
    """Build the form's inputs for that method: name, words, default and range."""
    usual, words = Recipe().as_json(), WORDS[method]
    return [_build_input(name, words[name], usual[name], RANGES[name]) for name in CHOICES[method]]


def build_deep_inputs() -> list[dict[str, Any]]:
    """Build the same for a deep run."""
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
    """A number of a run's recipe: its words, its value, the usual one, and whether they differ."""

    name: str
    words: str
    value: Any
    usual: Any

    @property
    def is_usual(self) -> bool:
        """Whether it was left as it is."""
        return bool(self.value == self.usual)


def build_recipe_rows(recipe: Mapping[str, Any]) -> list[RecipeRow]:
    """Every number that shaped the run; of a deep one, those of the head on top as well."""
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
    """Build the rows; names that have no words, as in older recipes, stand as they are."""
    named = [*words, *(name for name in recipe if name in usual and name not in words)]
    return [
        RecipeRow(name, words.get(name, name), recipe[name], usual.get(name))
        for name in named
        if name in recipe and not isinstance(recipe[name], dict)
    ]

"""What a person may set when starting a run: the numbers of a recipe that are worth turning."""

from typing import Annotated, Any

from fastapi import Form
from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import Invalid
from app.similarity.recipe import RANGES, Method, Recipe

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


class RunForm(BaseModel):
    """A run as the training page asks for it; what is left out has the recipe's default."""

    model_config = ConfigDict(extra="forbid")

    method: Method = "head"
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

    def recipe(self) -> Recipe:
        """The recipe. Raises Invalid, naming the first number out of its range."""
        return recipe_of(self.model_dump(exclude={"is_forced"}, exclude_none=True))


SentRun = Annotated[RunForm, Form()]


def recipe_of(values: dict[str, Any]) -> Recipe:
    """The recipe of these values. Raises Invalid for an unknown name or a number out of range."""
    try:
        return Recipe.from_json(values)
    except (ValueError, ValidationError) as error:
        raise Invalid(str(error)) from error


def offered(method: str) -> list[dict[str, Any]]:
    """The form's inputs for that method: name, words, default and range."""
    usual = Recipe().as_json()
    return [
        {
            "name": name,
            "words": words,
            "value": usual[name],
            "min": RANGES[name][0],
            "max": RANGES[name][1],
            "step": 1 if isinstance(usual[name], int) else "any",
        }
        for name, words in CHOICES[method]
    ]

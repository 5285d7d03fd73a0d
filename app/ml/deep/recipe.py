"""The recipe of a deep run: every number that shapes it, kept with the run that used it."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, get_args

from app.ml.recipe import Recipe, check_number

Loss = Literal[
    "distil",
    "supervised_contrastive",
    "multiple_negatives",
    "batch_hard",
    "batch_semi_hard",
    "batch_all",
    "contrastive",
    "online_contrastive",
    "cosine",
]
Weights = Literal["full", "lora"]

LOSSES: dict[Loss, str] = {
    "distil": "Trains on the propagated label probabilities and pulls records of one label "
    "together. The default: uses unlabeled records and gives calibrated probabilities.",
    "supervised_contrastive": "Pulls records of one label together and pushes others apart. For "
    "reliable labels with many records each.",
    "multiple_negatives": "Each record must find its partner in the batch; pairs of one label are "
    "never negatives, and shortened vectors stay usable. For many labels with few records each.",
    "batch_hard": "The farthest record of a label must be nearer than the nearest of another. "
    "Strong, but sensitive to wrong labels.",
    "batch_semi_hard": "Like batch_hard, with less extreme triplets. For labels with some errors.",
    "batch_all": "Like batch_hard, with every triplet that is still wrong. Slow and stable.",
    "contrastive": "Pairs of one label within a margin, others beyond it. Simple; for two or three "
    "labels.",
    "online_contrastive": "Like contrastive, with only the hardest pairs of the batch. Faster "
    "where most pairs are easy.",
    "cosine": "Trains the similarity of a pair to equal the share of labels they have in common. "
    "For graded labels or several labels per record.",
}
"""What each loss does and when to choose it."""

PAIRED: frozenset[Loss] = frozenset(
    {"multiple_negatives", "contrastive", "online_contrastive", "cosine"}
)
"""Losses that read two texts at a time."""

BACKWARD_COST = 2.0
"""Gradients cost about twice what reading a text does.

Source: Kaplan et al. 2020, Scaling Laws for Neural Language Models, section 2.1.
"""

PADDING_COST = 1.25
"""Batches are mixed to learn well, so more goes into padding than when all texts are sorted."""

GROUPED: frozenset[Loss] = frozenset(
    {"supervised_contrastive", "batch_hard", "batch_semi_hard", "batch_all"}
)
"""Losses that need several records of several labels in each batch."""

RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "subset": (8, 10_000_000),
    "epochs": (1, 100),
    "batch_size": (4, 4096),
    "accumulation": (1, 256),
    "learning_rate": (1e-7, 1e-1),
    "class_learning_rate": (1e-7, 1.0),
    "warm_up": (0.0, 0.9),
    "weight_decay": (0.0, 1.0),
    "max_gradient": (0.01, 100.0),
    "max_tokens": (8, 8192),
    "frozen_layers": (0, 200),
    "lora_rank": (1, 512),
    "contrast": (0.0, 100.0),
    "temperature": (0.01, 10.0),
    "margin": (0.0, 10.0),
    "certainty": (0.0, 1.0),
    "softness": (0.05, 1.0),
    "validation_share": (0.01, 0.5),
    "checks": (1, 1000),
    "patience": (1, 1000),
    "held_out": (0.0, 0.5),
}

HEAD_STRENGTH = 0.1
"""The usual part that evidence has of a vector on top of a deep encoder."""


@dataclass(frozen=True)
class DeepRecipe:
    """How the whole encoder is tuned.

    loss           one of LOSSES
    weights        full: all of the encoder's; lora: small adapters, merged into it at the end
    subset         most records to learn from; None: all where there is a GPU, CPU_SUBSET elsewhere
    accumulation   batches whose gradients are added up before a step
    warm_up        share of all steps in which the learning rate rises, before it falls to 0
    max_tokens     longer texts are cut while learning; the finished encoder reads as far as before
    frozen_layers  lower layers that stay as they are, with the word vectors: quicker, less change
    contrast       weight of the supervised contrastive term beside the soft cross-entropy
    certainty      for losses of whole labels: least share at which a record counts for its label
    softness       the usual loss learns shares sharpened to p^(1/softness): 1 as they are
    checks         how often validation loss is measured and a checkpoint written
    patience       checks without gain before it stops early
    held_out       share of the labeled records that training never sees, to measure by
    head           the recipe of the soft labels, and of the head on top; its evidence is a smaller
                   part than on raw vectors, for deep ones hold most of it
    """

    method: Literal["deep"] = "deep"
    loss: Loss = "distil"
    weights: Weights = "full"
    seed: int = 0
    subset: int | None = None
    epochs: int = 1
    batch_size: int = 32
    accumulation: int = 1
    learning_rate: float = 1e-4
    class_learning_rate: float = 5e-3
    warm_up: float = 0.1
    weight_decay: float = 0.01
    max_gradient: float = 1.0
    max_tokens: int = 128
    frozen_layers: int = 0
    lora_rank: int = 16
    contrast: float = 1.0
    temperature: float = 0.1
    margin: float = 0.5
    certainty: float = 0.8
    softness: float = 0.5
    validation_share: float = 0.1
    checks: int = 8
    patience: int = 3
    held_out: float = 0.2
    head: Recipe = field(default_factory=lambda: Recipe(strength=HEAD_STRENGTH))

    def __post_init__(self) -> None:
        if self.method != "deep":
            raise ValueError(f"The method of a deep recipe must be deep, not {self.method!r}.")
        if self.loss not in LOSSES:
            raise ValueError(f"A loss is one of {', '.join(LOSSES)}, not {self.loss!r}.")
        if self.weights not in get_args(Weights):
            raise ValueError(f"A recipe's weights are full or lora, not {self.weights!r}.")
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in RANGES and not (each.name == "subset" and value is None):
                is_whole = each.type is int or each.name == "subset"
                check_number(each.name, value, RANGES, is_whole=is_whole)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a JSON column."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the recipe that these values describe; what they leave out has its default.

        Raises ValueError, in one sentence, for an unknown field or a value out of range.
        """
        unknown = sorted(set(values) - {each.name for each in fields(cls)})
        if unknown:
            raise ValueError(f"A deep recipe has no field {unknown[0]!r}.")
        given = values.get("head", {})
        if not isinstance(given, dict):
            raise ValueError("A deep recipe's head is a recipe.")
        head = Recipe.from_json({"strength": HEAD_STRENGTH} | given)
        return cls(**(values | {"head": head}))


def recipe_from_json(values: dict[str, Any]) -> Recipe | DeepRecipe:
    """Return the recipe of either method that these values describe. Raises ValueError."""
    kind = DeepRecipe if values.get("method") == "deep" else Recipe
    return kind.from_json(values)


def head_recipe_from_json(values: dict[str, Any]) -> Recipe:
    """Return the recipe of the head that a run of this recipe learns. Raises ValueError."""
    recipe = recipe_from_json(values)
    return recipe.head if isinstance(recipe, DeepRecipe) else recipe


CPU_SUBSET = 5_000
"""Default number of training records without a GPU: about ten minutes of work."""


def n_learned(recipe: DeepRecipe, n_records: int, *, has_gpu: bool) -> int:
    """Return the number of training records, validation included."""
    usual = n_records if has_gpu else CPU_SUBSET
    return min(n_records, usual if recipe.subset is None else recipe.subset)


def estimate_seconds(recipe: DeepRecipe, n_learned: int, per_second: float) -> float:
    """Estimate the seconds of training on n records, validation included.

    per_second  texts that the same machine embeds in a second
    """
    n_validated = recipe.validation_share * n_learned
    n_read = (n_learned - n_validated) * recipe.epochs * (1 + BACKWARD_COST) * PADDING_COST
    n_read += n_validated * (recipe.checks + 1)
    return n_read * (2 if recipe.loss in PAIRED else 1) / per_second

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
    "distil": "Every record learns the shares of the labels that reached it, and draws close to "
    "records of its label. The usual choice: it uses unlabeled records and says how sure it is.",
    "supervised_contrastive": "Records of one label draw together, all others apart. For labels "
    "you trust, with many records each.",
    "multiple_negatives": "Each record finds its partner among the batch, pairs of one label never "
    "count as wrong, and shortened vectors keep their worth. For many labels, few records each.",
    "batch_hard": "The farthest record of a label must be nearer than the nearest of another. "
    "Strong, but misled by wrong labels.",
    "batch_semi_hard": "As batch_hard, with less extreme cases. For labels with some mistakes.",
    "batch_all": "As batch_hard, over every case that is still wrong. Slow and steady.",
    "contrastive": "Pairs of one label within a margin, others beyond it. Simple; for two or three "
    "labels.",
    "online_contrastive": "As contrastive, from the batch's hardest pairs alone. Quicker, where "
    "most pairs are easy.",
    "cosine": "The similarity of a pair learns to be the share of labels they agree on. For graded "
    "labels, or several labels on each record.",
}
"""What each loss does and when it serves, in plain words."""

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
            raise ValueError(f"A deep recipe's method is deep, not {self.method!r}.")
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
        """The recipe that these values describe; what they leave out has its default.

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
    """The recipe of either method that these values describe. Raises ValueError."""
    kind = DeepRecipe if values.get("method") == "deep" else Recipe
    return kind.from_json(values)


def head_recipe_from_json(values: dict[str, Any]) -> Recipe:
    """The recipe of the head that a run of this recipe learns. Raises ValueError."""
    recipe = recipe_from_json(values)
    return recipe.head if isinstance(recipe, DeepRecipe) else recipe


CPU_SUBSET = 5_000
"""Records to learn from where there is no GPU and nobody said how many: some ten minutes' work."""


def n_learned(recipe: DeepRecipe, n_records: int, *, has_gpu: bool) -> int:
    """How many of so many records the run learns from, validation included."""
    usual = n_records if has_gpu else CPU_SUBSET
    return min(n_records, usual if recipe.subset is None else recipe.subset)


def estimate_seconds(recipe: DeepRecipe, n_learned: int, per_second: float) -> float:
    """Seconds of learning from so many records, validation included.

    per_second  texts that the same machine embeds in a second
    """
    n_validated = recipe.validation_share * n_learned
    n_read = (n_learned - n_validated) * recipe.epochs * (1 + BACKWARD_COST) * PADDING_COST
    n_read += n_validated * (recipe.checks + 1)
    return n_read * (2 if recipe.loss in PAIRED else 1) / per_second

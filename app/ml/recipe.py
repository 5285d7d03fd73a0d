"""Recipe: the hyperparameters of training, stored with the run that used them."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

Method = Literal["head", "skip_triplet"]
METHODS: tuple[Method, ...] = ("head", "skip_triplet")

RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "neighbours": (1, 200),
    "alpha": (0.0, 0.9999),
    "steps": (1, 1000),
    "prior_power": (0.0, 1.0),
    "second_look": (0.0, 1.0),
    "words": (0.0, 10.0),
    "softness": (0.05, 1.0),
    "hidden": (1, 4096),
    "dropout": (0.0, 0.9),
    "passes": (1, 200),
    "batch_size": (8, 65_536),
    "learning_rate": (1e-6, 1.0),
    "weight_decay": (0.0, 1.0),
    "strength": (0.0, 1.0),
    "margin": (0.0, 2.0),
    "triplet_epochs": (1, 10_000),
    "triplet_batch_size": (8, 65_536),
    "triplet_learning_rate": (1e-6, 1.0),
    "patience": (1, 10_000),
}


@dataclass(frozen=True)
class Recipe:
    """How a head is tuned; two runs of one recipe on the same labels and vectors give the same
    head.

    head          labels are propagated through the neighbour graph (neighbours .. second_look),
                  combined with other classifiers and word features (words: their weight, 0 to
                  disable), and a small network learns the probabilities (hidden ..
                  weight_decay); strength is the weight of the evidence in the tuned vector of
                  the most certain record
    skip_triplet  the baseline: a skip connection learned from labeled records alone, by
                  batch-hard triplet loss (margin .. patience)

    prior_power None: held-out examples decide, see `app.ml.label_inference.ensemble`. softness:
    multi-label soft labels, which are not combined with other classifiers, are sharpened to
    p^(1/softness).
    """

    method: Method = "head"
    seed: int = 0
    neighbours: int = 15
    alpha: float = 0.99
    steps: int = 30
    prior_power: float | None = None
    second_look: float = 0.3
    words: float = 1.0
    softness: float = 0.25
    hidden: int = 256
    dropout: float = 0.1
    passes: int = 8
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    strength: float = 0.75
    margin: float = 0.5
    triplet_epochs: int = 100
    triplet_batch_size: int = 128
    triplet_learning_rate: float = 1e-3
    patience: int = 10

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"A recipe's method is {' or '.join(METHODS)}, not {self.method!r}.")
        for field in fields(self):
            is_open = field.name == "prior_power" and self.prior_power is None
            if field.name != "method" and not is_open:
                check_number(
                    field.name, getattr(self, field.name), RANGES, is_whole=field.type is int
                )

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a JSON column."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the recipe that these values describe; what they leave out has its default.

        Raises ValueError, in one sentence, for an unknown field or a value out of range.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"A recipe has no field {unknown[0]!r}.")
        return cls(**values)


def check_number(
    name: str, value: object, ranges: dict[str, tuple[float, float]], *, is_whole: bool
) -> None:
    """Raise ValueError, in one sentence, unless a recipe's field is a number within its range."""
    low, high = ranges[name]
    is_number = isinstance(value, int if is_whole else (int, float)) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # type: ignore[operator]
        kind = "a whole number" if is_whole else "a number"
        raise ValueError(f"A recipe's {name} is {kind} from {low:g} to {high:g}, not {value!r}.")

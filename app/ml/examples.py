"""Examples: records whose labels are known, frozen for one run."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Count:
    """How many units of work are done: "step" 30 of 250. The unit is a singular noun."""

    n_done: int
    n_total: int
    unit: str


class Report(Protocol):
    """Takes the progress in [0, 1], what goes on, and how much of it; may raise to cancel."""

    def __call__(self, progress: float, message: str, count: Count | None = None, /) -> None:
        """Report progress."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Labeled records: for training and for evaluation.

    rows       (m,) int64, row of each example in the vectors
    classes    (m,) int64, index into label_ids; for multi-label examples not read, and may be empty
    label_ids  the project's labels, in the order of the columns
    groups     (m,) int64: examples of one group (duplicates, records accepted together) are never
               split
    weights    (m,) float32, how much each counts
    targets    (m, K) bool, which labels each carries: for multi-label projects, else None
    apart      (p, 2) int64, pairs of rows, labeled or not, marked as not similar

    Raises ValueError if the lengths disagree or a class is outside the labels.
    """

    rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    label_ids: tuple[int, ...]
    groups: NDArray[np.int64]
    weights: NDArray[np.float32]
    targets: NDArray[np.bool_] | None = None
    apart: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))

    def __post_init__(self) -> None:
        m = len(self.rows)
        if len(self.groups) != m or len(self.weights) != m:
            raise ValueError("Examples have one group and one weight each.")
        if self.targets is not None:
            if self.targets.shape != (m, len(self.label_ids)):
                raise ValueError("Multi-label examples say yes or no to each label.")
        elif len(self.classes) != m:
            raise ValueError("Examples have one class each.")
        elif m and not 0 <= self.classes.min() <= self.classes.max() < len(self.label_ids):
            raise ValueError("An example's class is not among the labels.")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_multi_label(self) -> bool:
        """Whether a record may carry several labels, or none."""
        return self.targets is not None

    def label_matrix(self) -> NDArray[np.bool_]:
        """(m, K) bool: which labels each example carries, single-label or not."""
        if self.targets is not None:
            return self.targets
        return np.asarray(np.eye(len(self.label_ids), dtype=bool)[self.classes])

    def metric_labels(self) -> NDArray[np.bool_] | NDArray[np.int64]:
        """Labels as the metrics of `evaluation` read them: (m, K) bool if multi-label, else (m,)
        int64."""
        return self.classes if self.targets is None else self.targets

    def take(self, chosen: NDArray[np.int64]) -> "Examples":
        """Only the examples at these positions."""
        return Examples(
            rows=self.rows[chosen],
            classes=self.classes if self.is_multi_label else self.classes[chosen],
            label_ids=self.label_ids,
            groups=self.groups[chosen],
            weights=self.weights[chosen],
            targets=None if self.targets is None else self.targets[chosen],
            apart=self.apart,
        )


def count_label_sets(examples: Examples) -> int:
    """How many different answers the examples give: labels in use, and "none of them" as one."""
    return len(np.unique(examples.label_matrix(), axis=0))


def check_examples(examples: Examples, n_rows: int) -> None:
    """Raise ValueError for no examples, rows outside n_rows vectors, or weights that are none."""
    if len(examples) == 0:
        raise ValueError("Tuning needs at least one labeled record.")
    if examples.rows.min() < 0 or examples.rows.max() >= n_rows:
        raise ValueError("An example names a row outside the vectors.")
    if not (np.isfinite(examples.weights).all() and (examples.weights > 0).all()):
        raise ValueError("An example's weight is a number above 0.")

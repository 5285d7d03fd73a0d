"""Heads to compare with, in NumPy alone: raw vectors, and the skip connection that
app.ml.heads.triplet learns."""

from dataclasses import dataclass

import numpy as np

from app.ml.heads.head import Floats
from app.ml.heads.numpy_nn import sigmoid
from app.ml.vectors import Vectors, split_blocks, unit_rows


@dataclass(frozen=True)
class RawHead:
    """Leaves vectors as they are."""

    dimension: int
    classes: tuple[int, ...] = ()
    kind: str = "raw"

    def tune(self, raw: Vectors) -> Vectors:
        """See Head."""
        return unit_rows(raw)

    def suggest(self, raw: Vectors) -> Floats | None:
        """See Head."""
        return None


@dataclass(frozen=True)
class SkipConnectionHead:
    """fc(x) * sigmoid(gates) + x: the baseline recipe. Knows no classes, so it suggests nothing.

    weight (d, d), bias (d,), gates (d,), float32. Source: quaterion-models, SkipConnectionHead.
    """

    weight: Floats
    bias: Floats
    gates: Floats
    classes: tuple[int, ...] = ()
    kind: str = "skip_connection"

    @property
    def dimension(self) -> int:
        """See Head."""
        return len(self.bias)

    def tune(self, raw: Vectors) -> Vectors:
        """See Head."""
        tuned = np.empty((len(raw), self.dimension), np.float32)
        for part in split_blocks(len(raw)):
            rows = unit_rows(raw[part])
            moved = (rows @ self.weight + self.bias) * sigmoid(self.gates)
            tuned[part] = unit_rows(moved + rows)
        return tuned

    def suggest(self, raw: Vectors) -> Floats | None:
        """See Head."""
        return None

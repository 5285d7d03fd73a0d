"""From raw to tuned vectors, in NumPy alone, so that a process that serves pages needs no torch."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.ml.heads.numpy_nn import gelu, sigmoid, softmax
from app.ml.label_inference.confidence import limit_confidence, predict_confidence
from app.ml.vectors import Vectors, split_blocks, unit_rows

Floats = NDArray[np.float32]

INPUT_SCALE = 8.0
"""Unit rows have components near 0.05; scaled up, a small network learns from them at an ordinary
pace."""


class Head(Protocol):
    """A trained head: maps raw vectors to tuned ones, and predicts the label of each record."""

    @property
    def kind(self) -> str:
        """The kind of head in a saved file."""

    @property
    def dimension(self) -> int:
        """Length of a tuned vector."""

    @property
    def classes(self) -> tuple[int, ...]:
        """Label ids, in the order of the columns of `suggest`."""

    def tune(self, raw: Vectors) -> Vectors:
        """Tuned vectors, (n, dimension) float32, rows of length 1, of raw ones, (n, d)."""

    def suggest(self, raw: Vectors) -> Floats | None:
        """Return the probability of each class for each record, (n, K) float32; None for a head
        without classes."""


@dataclass(frozen=True)
class EvidenceHead:
    """A small network predicts the class of a record; this evidence is appended to the vector and,
    the more certain it is, the less weight the raw vector keeps.

    Evidence e is the deviation of the probabilities from their mean: e = p - centre. With
    m = |e|^2 / reach, at most 1, the tuned vector is
    (sqrt(1 - strength * m) x, sqrt(strength / reach) e), of length 1. So the cosine of two
    records grows with the probability that they are of one class; a record without evidence keeps
    its raw cosine.

    hidden_weight (d, h), hidden_bias (h,), output_weight (h, K), output_bias (K,), centre (K,),
    all float32
    reach         |e|^2 of the most certain records
    strength      in [0, 1], the weight of the evidence in the vector of the most certain record
    temperature   divides the logits, so that the probabilities are calibrated
    limits        (K,) float32, the highest probability that `suggest` gives each class; None in
                  heads of older releases
    confidence    (K, 2) float32, slope and intercept of the log-odds that a suggestion is right;
                  None in older heads, and where classes do not exclude each other
    """

    hidden_weight: Floats
    hidden_bias: Floats
    output_weight: Floats
    output_bias: Floats
    centre: Floats
    classes: tuple[int, ...]
    strength: float = 0.75
    temperature: float = 1.0
    reach: float = 1.0
    is_multi_label: bool = False
    limits: Floats | None = None
    confidence: Floats | None = None
    kind: str = "evidence"

    @property
    def dimension(self) -> int:
        """See Head."""
        return int(self.hidden_weight.shape[0]) + len(self.classes)

    def tune(self, raw: Vectors) -> Vectors:
        """See Head."""
        tuned = np.empty((len(raw), self.dimension), np.float32)
        for part in split_blocks(len(raw)):
            tuned[part] = self._tune_rows(unit_rows(raw[part]))
        return tuned

    def _tune_rows(self, rows: Vectors) -> Vectors:
        evidence = (self.probabilities(self.logits(rows)) - self.centre) / np.float32(
            self.reach**0.5
        )
        length = np.linalg.norm(evidence, axis=1, keepdims=True)
        evidence = evidence / np.maximum(length, 1)
        left = np.sqrt(np.maximum(1 - self.strength * np.minimum(length, 1) ** 2, 0))
        root = np.float32(self.strength**0.5)
        return unit_rows(np.concatenate([left * rows, root * evidence], axis=1))

    def suggest(self, raw: Vectors) -> Floats | None:
        """See Head."""
        probabilities = np.empty((len(raw), len(self.classes)), np.float32)
        for part in split_blocks(len(raw)):
            probabilities[part] = self.probabilities(self.logits(unit_rows(raw[part])))
        if self.confidence is not None:
            return predict_confidence(probabilities, self.confidence, self.limits)
        if self.limits is None:
            return probabilities
        return limit_confidence(probabilities, self.limits, is_binary=self.is_multi_label)

    def logits(self, rows: Vectors) -> Floats:
        """Return the logits of the network, (n, K); rows of length 1."""
        scaled = rows * np.float32(INPUT_SCALE)
        hidden = gelu(np.asarray(scaled @ self.hidden_weight + self.hidden_bias, dtype=np.float32))
        return np.asarray(hidden @ self.output_weight + self.output_bias, dtype=np.float32)

    def probabilities(self, logits: Floats) -> Floats:
        """As sure as they are right, (n, K); each row sums to 1, unless records may have several
        labels."""
        cooled = np.asarray(logits / np.float32(self.temperature), dtype=np.float32)
        return sigmoid(cooled) if self.is_multi_label else softmax(cooled)

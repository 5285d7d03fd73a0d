"""From raw to tuned vectors, in NumPy alone, so that a process that serves pages needs no torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from app.ml.heads.numpy_nn import gelu, sigmoid, softmax
from app.ml.label_inference.confidence import limit_confidence
from app.ml.vectors import Vectors, split_blocks, unit_rows

Floats = NDArray[np.float32]

INPUT_SCALE = 8.0
"""Unit rows have components near 0.05; scaled up, a small network learns from them at an ordinary
pace."""

LEAST_REACH = 0.25


class Head(Protocol):
    """What tuning learned: how raw vectors become tuned ones, and what each record probably is."""

    @property
    def kind(self) -> str:
        """What a saved head is read back as."""

    @property
    def dimension(self) -> int:
        """Length of a tuned vector."""

    @property
    def classes(self) -> tuple[int, ...]:
        """Label ids, in the order of the columns of `suggest`."""

    def tune(self, raw: Vectors) -> Vectors:
        """Tuned vectors, (n, dimension) float32, rows of length 1, of raw ones, (n, d)."""

    def suggest(self, raw: Vectors) -> Floats | None:
        """The chance of each class for each record, (n, K) float32; None for a head without
        classes."""


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
class EvidenceHead:
    """A small network says what class a record shows evidence of; the evidence is appended to its
    vector, and the surer it is, the less of the raw vector is left.

    Evidence e is how far the chances are from their mean: e = p - centre. With m = |e|^2 / reach,
    at most 1, the tuned vector is (sqrt(1 - strength * m) x, sqrt(strength / reach) e), of length
    1. So the cosine of two records grows with the chance that they are of one class; a record
    without evidence keeps its raw cosine, and does not pass for one that is sure.

    hidden_weight (d, h), hidden_bias (h,), output_weight (h, K), output_bias (K,), centre (K,),
    all float32
    reach         |e|^2 of the surest records
    strength      in [0, 1], the part that evidence has of the vector of the surest record
    temperature   divides the logits, so that the chances are chances of being right
    limits        (K,) float32, the highest probability that `suggest` gives each class; None in
                  heads of old
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
    kind: str = "evidence"

    @property
    def dimension(self) -> int:
        """See Head."""
        return int(self.hidden_weight.shape[0]) + len(self.classes)

    def tune(self, raw: Vectors) -> Vectors:
        """See Head."""
        tuned = np.empty((len(raw), self.dimension), np.float32)
        for part in split_blocks(len(raw)):
            tuned[part] = self._tuned(unit_rows(raw[part]))
        return tuned

    def _tuned(self, rows: Vectors) -> Vectors:
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
        if self.limits is None:
            return probabilities
        return limit_confidence(probabilities, self.limits, is_binary=self.is_multi_label)

    def logits(self, rows: Vectors) -> Floats:
        """What the network says before it is turned into chances, (n, K); rows of length 1."""
        scaled = rows * np.float32(INPUT_SCALE)
        hidden = gelu(np.asarray(scaled @ self.hidden_weight + self.hidden_bias, dtype=np.float32))
        return np.asarray(hidden @ self.output_weight + self.output_bias, dtype=np.float32)

    def probabilities(self, logits: Floats) -> Floats:
        """As sure as they are right, (n, K); each row sums to 1, unless records may have several
        labels."""
        cooled = np.asarray(logits / np.float32(self.temperature), dtype=np.float32)
        return sigmoid(cooled) if self.is_multi_label else softmax(cooled)


def compute_reach(evidence: Floats) -> float:
    """|e|^2 of the surest rows of (n, K); not less than LEAST_REACH, so that where nothing is
    sure, nothing passes for it."""
    return max(LEAST_REACH, float((evidence**2).sum(axis=1).max(initial=0)))


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


KINDS: dict[str, type[RawHead] | type[EvidenceHead] | type[SkipConnectionHead]] = {
    "raw": RawHead,
    "evidence": EvidenceHead,
    "skip_connection": SkipConnectionHead,
}


def save_head(head: Head, path: Path) -> None:
    """Write a head as one safetensors file: arrays as tensors, everything else as its JSON
    metadata."""
    if not isinstance(head, tuple(KINDS.values())):
        raise ValueError(f"A head of kind {head.kind!r} cannot be saved.")
    values = {name: getattr(head, name) for name in KINDS[head.kind].__dataclass_fields__}
    tensors = {k: np.ascontiguousarray(v) for k, v in values.items() if isinstance(v, np.ndarray)}
    plain = {k: v for k, v in values.items() if k not in tensors}
    # Written by us: safetensors' own error about a full disk is no OSError.
    path.write_bytes(save(tensors, metadata={"likewise_head": json.dumps(plain)}))


def load_head(path: Path) -> Head:
    """Read what `save_head` wrote. Raises ValueError for a file that is not a whole head.

    A flipped bit goes unnoticed here: compare the file's hash before.
    """
    try:
        with safe_open(path, framework="numpy") as opened:
            values = json.loads((opened.metadata() or {}).get("likewise_head", "{}"))
            values |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        values["classes"] = tuple(values["classes"])
        return KINDS[values["kind"]](**values)
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{Path(path).name} is not a whole head.") from error

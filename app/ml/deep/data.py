"""What a deep run learns from: which records, in what shape each loss takes them, in what batches.

Loads datasets, and with it torch.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray
from torch.utils.data import BatchSampler

from app.ml.deep.recipe import PAIRED, DeepRecipe
from app.ml.evaluation.near_copies import compute_near_copy_key

Soft = NDArray[np.float32]
Rows = NDArray[np.int64]

BALANCE = 0.5
"""Where not all records are learned from, rare classes get more than their share: the chance to be
drawn goes with the class's mass to the power of minus this."""

MOST_VALIDATED = 1_000
BATCHES_SORTED = 16
"""Texts of like length share a batch, sought among so many batches: more would leave the order of
learning to length alone."""


@dataclass(frozen=True)
class DataSplit:
    """Rows to learn from and rows to validate by; no near-copy of one is in the other."""

    learned: Rows
    validated: Rows


def split_rows(
    texts: Sequence[str],
    soft: Soft,
    pool: Rows,
    examples: Rows,
    recipe: DeepRecipe,
    n_learned: int,
) -> DataSplit:
    """Draw what to learn from and what to validate by, by the recipe's seed.

    texts     of every row; soft (n, K) likewise
    pool      rows that may be used; examples are those among them that people labeled: they are
              learned from first, and so are near-copies of them; but half of what is learned
              from was labeled by nobody, where there is so much
    """
    rng = np.random.default_rng(recipe.seed)
    others = np.setdiff1d(pool, examples)
    n_others = min(len(others), max(n_learned - len(examples), n_learned // 2))
    drawn = _draw_rows(rng, soft, others, n_others)
    examples = _draw_rows(rng, soft, examples, min(len(examples), n_learned - n_others))
    group = _group_near_copies(texts, np.concatenate([examples, drawn]))
    free = np.flatnonzero(~np.isin(group, group[: len(examples)]))
    wanted = min(MOST_VALIDATED, int(recipe.validation_share * n_learned))
    apart = np.isin(group, group[free[:wanted]])
    rows = np.concatenate([examples, drawn])
    return DataSplit(np.sort(rows[~apart]), np.sort(rows[apart]))


def _draw_rows(rng: np.random.Generator, soft: Soft, rows: Rows, n_drawn: int) -> Rows:
    if n_drawn == len(rows):
        return rows
    return rng.choice(rows, n_drawn, replace=False, p=_sampling_probabilities(soft, rows))


def _sampling_probabilities(soft: Soft, rows: Rows) -> NDArray[np.float64]:
    mass = soft[rows].sum(axis=0, dtype=np.float64)
    weights = soft[rows] @ np.where(mass > 0, np.maximum(mass, 1e-9) ** -BALANCE, 0.0)
    weights = np.maximum(weights, 1e-12)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _group_near_copies(texts: Sequence[str], rows: Rows) -> Rows:
    """Assign numbers to the groups of rows; near-copies share one."""
    numbers: dict[bytes, int] = {}
    keys = (compute_near_copy_key(texts[row]) for row in rows)
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def build_dataset(
    texts: Sequence[str], soft: Soft, rows: Rows, recipe: DeepRecipe, *, is_binary: bool
) -> Dataset:
    """Build these rows as the recipe's loss reads them: one text or two, and a label.

    Losses of whole labels get the rows that are sure enough of theirs; it may be none.
    """
    if recipe.loss == "distil":
        soft_targets = sharpen(soft[rows], recipe.softness, is_binary=is_binary)
        return Dataset.from_dict({"text": [texts[r] for r in rows], "label": soft_targets.tolist()})
    rows, classes = _select_certain(soft, rows, recipe.certainty, is_binary)
    if recipe.loss not in PAIRED:
        return Dataset.from_dict({"text": [texts[r] for r in rows], "label": classes.tolist()})
    first, second = _build_pairs(classes, recipe)
    pairs = {
        "first": [texts[r] for r in rows[first]],
        "second": [texts[r] for r in rows[second]],
    }
    if recipe.loss == "multiple_negatives":
        return Dataset.from_dict(pairs | {"label": classes[first].tolist()})
    if recipe.loss == "cosine":
        agreed = _label_agreement(soft[rows[first]], soft[rows[second]], is_binary)
        return Dataset.from_dict(pairs | {"label": agreed.tolist()})
    same = (classes[first] == classes[second]).astype(np.float32)
    return Dataset.from_dict(pairs | {"label": same.tolist()})


def sharpen(soft: Soft, softness: float, *, is_binary: bool) -> Soft:
    """p^(1/softness), summing to 1 by row again; of independent chances, yes against no. (n, K)."""
    power = np.float32(1 / softness)
    if is_binary:
        yes, no = soft**power, (1 - soft) ** power
        return np.asarray(yes / (yes + no), dtype=np.float32)
    powered = (soft / soft.max(axis=1, keepdims=True)) ** power
    return np.asarray(powered / powered.sum(axis=1, keepdims=True), dtype=np.float32)


def _select_certain(soft: Soft, rows: Rows, certainty: float, is_binary: bool) -> tuple[Rows, Rows]:
    """Select the rows that are sure of their label, and a number for it; of several, for their
    set."""
    of_rows = soft[rows]
    if is_binary:
        surest = np.maximum(of_rows, 1 - of_rows).min(axis=1)
        _, classes = np.unique(of_rows > 0.5, axis=0, return_inverse=True)
    else:
        surest, classes = of_rows.max(axis=1), of_rows.argmax(axis=1)
    sure = surest >= certainty
    return rows[sure], np.asarray(classes).reshape(-1)[sure].astype(np.int64)


def _build_pairs(classes: Rows, recipe: DeepRecipe) -> tuple[Rows, Rows]:
    """Positions of pairs, each position first once: with another of its class, or, except for
    multiple_negatives, every second time with one of another class. Without such, it is left out.
    """
    rng = np.random.default_rng(recipe.seed)
    order = np.argsort(classes, kind="stable")
    _, of_class, counts = np.unique(classes, return_inverse=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    start, count = starts[of_class], counts[of_class]
    rank = np.empty(len(classes), np.int64)
    rank[order] = np.arange(len(classes))
    same = start + (rank - start + rng.integers(1, np.maximum(count, 2))) % count
    n_others = len(classes) - count
    other = rng.integers(0, np.maximum(n_others, 1))
    other = np.where(other < start, other, np.minimum(other + count, len(classes) - 1))
    wants_other = (np.arange(len(classes)) % 2 == 1) & (recipe.loss != "multiple_negatives")
    there = np.where(wants_other, n_others > 0, count > 1)
    first = np.flatnonzero(there)
    return first, order[np.where(wants_other, other, same)[first]]


def _label_agreement(first: Soft, second: Soft, is_binary: bool) -> NDArray[np.float32]:
    """Return the share of labels that two records agree on, (n,) in [0, 1]."""
    both = (first * second).sum(axis=1)
    if is_binary:
        both = both / np.maximum((first + second - first * second).sum(axis=1), 1e-6)
    return np.asarray(both, dtype=np.float32)


class LengthBatches(BatchSampler):
    """Batches of texts of like length, in a new order each epoch, the same for a seed.

    lengths  (n,) of the texts, in any unit
    """

    def __init__(self, lengths: NDArray[np.int64], batch_size: int, seed: int) -> None:
        self.batch_size = batch_size
        self.drop_last = False
        self._lengths = lengths
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """From now on, the order of that epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng((self._seed, self._epoch))
        order = rng.permutation(len(self._lengths))
        window = self.batch_size * BATCHES_SORTED
        batches: list[list[int]] = []
        for start in range(0, len(order), window):
            some = order[start : start + window]
            some = some[np.argsort(self._lengths[some], kind="stable")]
            batches += [
                some[i : i + self.batch_size].tolist() for i in range(0, len(some), self.batch_size)
            ]
        return iter([batches[i] for i in rng.permutation(len(batches))])


class EvenBatches(BatchSampler):
    """Batches in order of length, the same each time, so that validation losses compare."""

    def __init__(self, lengths: NDArray[np.int64], batch_size: int) -> None:
        self.batch_size = batch_size
        self.drop_last = False
        self._order = np.argsort(lengths, kind="stable")

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, len(self._order), self.batch_size):
            yield self._order[start : start + self.batch_size].tolist()

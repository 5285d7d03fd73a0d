"""Label probabilities of a version for each record: one file, in the order of the index's ids."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from app.ml.query_strategies import uncertainty
from app.ml.vectors import Ids
from app.projects.label_resolver import LabelResolver

# A multi-label version suggests every label with at least this probability.
LIKELY = 0.5

Shares = NDArray[np.float32]


@dataclass(frozen=True)
class Suggestion:
    """A label and its probability in [0, 1]."""

    label_id: int
    score: float


@dataclass(frozen=True)
class Suggestions:
    """The probability of every label for every record of a revision.

    ids        (n,) int64, ascending
    label_ids  the K labels that the version knows; empty for a raw one, which suggests nothing
    chances    (n, K) float16: three digits are more than a suggestion is good for
    """

    ids: Ids
    label_ids: tuple[int, ...]
    chances: NDArray[np.float16]

    def of(self, record_ids: Iterable[int]) -> dict[int, Suggestion]:
        """Return the best suggestion for each of these records; records it does not hold are
        missing."""
        return {each: found[0] for each, found in self.ranked(record_ids, at_most=1).items()}

    def ranked(
        self, record_ids: Iterable[int], *, at_most: int = 3, at_least: float = 0.0
    ) -> dict[int, list[Suggestion]]:
        """Return the best suggestions for each of these records, best first.

        at_least  LIKELY gives what a multi-label version would say: a set of labels, maybe none
        """
        wanted = [int(record_id) for record_id in record_ids]
        known = [each for each in wanted if self.holds(each)] if self.label_ids else []
        ranked: dict[int, list[Suggestion]] = {}
        for each, chances in zip(known, self.probabilities(np.array(known, np.int64)), strict=True):
            best = np.argsort(-chances, kind="stable")[:at_most]
            found = [Suggestion(self.label_ids[i], float(chances[i])) for i in best]
            ranked[each] = [suggestion for suggestion in found if suggestion.score >= at_least]
        return {each: found for each, found in ranked.items() if found}

    def resolve(
        self,
        record_ids: Iterable[int],
        resolver: LabelResolver,
        *,
        at_most: int = 1,
        at_least: float = 0.0,
    ) -> dict[int, list[Suggestion]]:
        """Return the same in labels that can be given now, each label once."""
        resolved: dict[int, list[Suggestion]] = {}
        ranked = self.ranked(record_ids, at_most=at_most, at_least=at_least)
        for record_id, suggestions in ranked.items():
            first: dict[int, Suggestion] = {}
            for suggestion in suggestions:
                label_id = resolver.resolve(suggestion.label_id)
                if label_id is not None:
                    first.setdefault(label_id, Suggestion(label_id, suggestion.score))
            if first:
                resolved[record_id] = list(first.values())
        return resolved

    def holds(self, record_id: int) -> bool:
        """Return whether there is a row for this record."""
        at = int(np.searchsorted(self.ids, record_id))
        return at < len(self.ids) and int(self.ids[at]) == record_id

    def probabilities(self, record_ids: Ids) -> Shares:
        """Chances by label, (len, K) float32, in the order asked; zeros for an unknown record."""
        found = np.zeros((len(record_ids), len(self.label_ids)), np.float32)
        if len(self.ids) == 0 or len(record_ids) == 0:
            return found
        places = np.minimum(np.searchsorted(self.ids, record_ids), len(self.ids) - 1)
        is_known = self.ids[places] == record_ids
        found[is_known] = self.chances[places[is_known]]
        return found

    @cached_property
    def n_best(self) -> dict[int, int]:
        """Label id → the records for which it is the best suggestion."""
        if not self.label_ids or not len(self.ids):
            return {}
        counts = np.bincount(self.chances.argmax(axis=1), minlength=len(self.label_ids))
        return dict(zip(self.label_ids, counts.tolist(), strict=True))

    @cached_property
    def n_likely(self) -> dict[int, int]:
        """Label id → the records that have it more likely than not: what a multi-label version
        suggests."""
        counts = (self.chances >= LIKELY).sum(axis=0)
        return dict(zip(self.label_ids, counts.tolist(), strict=True))

    @cached_property
    def uncertainty(self) -> Shares:
        """Return the uncertainty about each of `ids`, (n,) float32 in [0, 1]."""
        return uncertainty(self.chances.astype(np.float32))


NONE = Suggestions(np.empty(0, np.int64), (), np.empty((0, 0), np.float16))


def save_suggestions(suggestions: Suggestions, path: Path) -> None:
    """Write one safetensors file."""
    tensors: dict[str, NDArray[Any]] = {"ids": suggestions.ids, "chances": suggestions.chances}
    facts = {"label_ids": json.dumps(suggestions.label_ids)}
    path.write_bytes(save(tensors, metadata=facts))


def load_suggestions(path: Path) -> Suggestions:
    """Read what save_suggestions() wrote. Raises ValueError for anything else.

    A flipped bit goes unnoticed here: compare the file's hash before.
    """
    try:
        with safe_open(path, framework="numpy") as opened:
            label_ids = json.loads((opened.metadata() or {})["label_ids"])
            return Suggestions(
                opened.get_tensor("ids"), tuple(label_ids), opened.get_tensor("chances")
            )
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path.name} contains no suggestions.") from error

"""The queries that a run improved and worsened most: old and new neighbours side by side.

Neighbours are those of the evaluation: labeled records held out with the query, so that it is known
whether each shares the label of the query.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import id_chunks
from app.ml.vectors import Ids
from app.models import Record
from app.training.pipeline.query_results import ROLES, StoredResults
from app.training.plots.canvas import truncate

MAX_CHANGES = 10
MAX_CHARACTERS = 160


@dataclass(frozen=True)
class Neighbour:
    """A neighbour before or after: whether it shares the query's label, and whether it is in the
    old list only (left), in the new list only (entered) or in both (stays)."""

    record_id: int
    text: str
    label: str
    is_like: bool
    move: str


@dataclass(frozen=True)
class Change:
    """One query with its R-precision and 10 nearest before and after; record_ids holds all of
    them, to open as a session."""

    record_id: int
    text: str
    label: str
    raw: float
    tuned: float
    before: tuple[Neighbour, ...]
    after: tuple[Neighbour, ...]

    @property
    def record_ids(self) -> tuple[int, ...]:
        """The query first, then the new neighbours, then the old ones."""
        near = (each.record_id for each in (*self.after, *self.before))
        return tuple(dict.fromkeys((self.record_id, *near)))


def find_changes(
    db: Session, measured: StoredResults, names: Mapping[int, str]
) -> tuple[list[Change], list[Change]]:
    """Find the 10 queries that improved most and the 10 that worsened most, or fewer."""
    gain = measured.values["tuned/r_precision"] - measured.values["raw/r_precision"]
    has_near = (measured.neighbours["raw"] >= 0).any(axis=1)
    known = np.flatnonzero(~np.isnan(gain) & has_near)
    order = known[np.argsort(-gain[known], kind="stable")]
    best = [int(i) for i in order[:MAX_CHANGES] if gain[i] > 0]
    worst = [int(i) for i in order[::-1][:MAX_CHANGES] if gain[i] < 0]
    builder = _ChangeBuilder(measured, names, _texts(db, measured, best + worst))
    return [builder.build(i) for i in best], [builder.build(i) for i in worst]


class _ChangeBuilder:
    """Combines the positions, names and texts of a query."""

    def __init__(
        self, measured: StoredResults, names: Mapping[int, str], texts: Mapping[int, str]
    ) -> None:
        self._measured, self._texts = measured, texts
        self._places = {int(i): place for place, i in enumerate(measured.record_ids)}
        self._names = [names.get(i, "–") for i in measured.label_ids]

    def build(self, at: int) -> Change:
        near = {role: self._near(role, at) for role in ROLES}
        record_id = int(self._measured.record_ids[at])
        raw, tuned = (float(self._measured.values[f"{role}/r_precision"][at]) for role in ROLES)
        return Change(
            record_id,
            self._texts.get(record_id, ""),
            self._label(at),
            raw,
            tuned,
            before=tuple(self._neighbour(at, i, near["tuned"], "left") for i in near["raw"]),
            after=tuple(self._neighbour(at, i, near["raw"], "entered") for i in near["tuned"]),
        )

    def _near(self, role: str, at: int) -> list[int]:
        return [int(i) for i in self._measured.neighbours[role][at] if i >= 0]

    def _neighbour(self, at: int, record_id: int, others: list[int], alone: str) -> Neighbour:
        place = self._places[record_id]
        move = "stays" if record_id in others else alone
        is_like = _share_label(self._measured.targets[at], self._measured.targets[place])
        return Neighbour(
            record_id, self._texts.get(record_id, ""), self._label(place), is_like, move
        )

    def _label(self, place: int) -> str:
        columns = np.flatnonzero(self._measured.targets[place])
        return ", ".join(self._names[i] for i in columns) or "none"


def _share_label(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> bool:
    return bool((first & second).any() or not (first.any() or second.any()))


def _texts(db: Session, measured: StoredResults, places: list[int]) -> dict[int, str]:
    wanted: set[int] = {int(measured.record_ids[i]) for i in places}
    for role in ROLES:
        near: Ids = measured.neighbours[role][places].ravel() if places else np.empty(0, np.int64)
        wanted |= {int(i) for i in near if i >= 0}
    found: dict[int, str] = {}
    for some in id_chunks(wanted):
        rows = db.execute(
            select(Record.id, func.substr(Record.text, 1, MAX_CHARACTERS + 1)).where(
                Record.id.in_(some)
            )
        )
        found |= {record_id: truncate(text, MAX_CHARACTERS) for record_id, text in rows}
    return found

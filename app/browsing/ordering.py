"""What was found, in order, and a page of it by key.

Decision: all ids that match are read at once (see app.records.matching), since they are counted
anyway, and ordered here; a page begins after a key and never at a number, so that records which
arrive or leave meanwhile neither repeat a row nor hide one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.browsing.asked import Sort
from app.browsing.finding import Found
from app.errors import Invalid
from app.models import Consensus, Project, Record
from app.records.filters import Ids
from app.records.matching import columns_of
from app.records.records import Opening
from app.search.narrowing import best_suggestions

Keys = NDArray[np.float64]
UNKNOWN = 2.0


@dataclass(frozen=True)
class Ordered:
    """Ids and their keys, both (n,): by key, then by id, ascending."""

    ids: Ids
    keys: Keys

    def place(self, key: float, record_id: int, *, is_after: bool) -> int:
        """Where the first record at or (is_after) behind this key stands, from 0."""
        low = int(np.searchsorted(self.keys, key, "left"))
        high = int(np.searchsorted(self.keys, key, "right"))
        side = "right" if is_after else "left"
        return low + int(np.searchsorted(self.ids[low:high], record_id, side))  # type: ignore[call-overload]


@dataclass(frozen=True)
class Stretch:
    """Consecutive places of an order: ids, from the place `start`, of n_total."""

    ids: list[int]
    keys: list[float]
    start: int
    n_total: int

    @property
    def end(self) -> int:
        """The place behind the last."""
        return self.start + len(self.ids)


def ordered(db: Session, project: Project, found: Found, sort: Sort) -> Ordered:
    """What was found in the order that is asked for."""
    keys = keys_of(db, project, found, sort)
    order = np.lexsort((found.ids, keys))
    return Ordered(found.ids[order], keys[order])


def keys_of(db: Session, project: Project, found: Found, sort: Sort) -> Keys:
    """What each of found.ids is ordered by, ascending."""
    if sort == "score":
        return _by_score(found)
    if sort in ("confident", "unsure"):
        scores = best_suggestions(db, project.id).scores_of(found.ids).astype(np.float64)
        return np.nan_to_num(-scores if sort == "confident" else scores, nan=UNKNOWN)
    if sort == "labeled":
        return _by_labeling(db, project, found.ids)
    if sort == "id":
        return _by_external_id(db, project, found.ids)
    ids = found.ids.astype(np.float64)
    return ids if sort == "oldest" else -ids


def _by_score(found: Found) -> Keys:
    keys = np.zeros(len(found.ids))
    scored = np.array(sorted(found.scores), np.int64)
    keys[np.searchsorted(found.ids, scored)] = [-found.scores[int(each)] for each in scored]
    return keys


def _by_labeling(db: Session, project: Project, ids: Ids) -> Keys:
    """Minus the act of the newest consensus; the unlabeled behind."""
    keys = np.full(len(ids), UNKNOWN)
    agreed = select(Consensus.record_id, Consensus.act_id)
    record_ids, act_ids = columns_of(db, agreed.where(Consensus.project_id == project.id))
    if len(ids):
        places = np.minimum(np.searchsorted(ids, record_ids), len(ids) - 1)
        here = ids[places] == record_ids
        np.minimum.at(keys, places[here], -act_ids[here].astype(np.float64))
    return keys


def _by_external_id(db: Session, project: Project, ids: Ids) -> Keys:
    """The place among all records of the project."""
    ours = select(Record.id).where(Record.project_id == project.id)
    [every] = columns_of(db, ours.order_by(Record.external_id))
    sorter = np.argsort(every)
    return sorter[np.searchsorted(every, ids, sorter=sorter)].astype(np.float64)


def cursor_of(key: float, record: Opening, sort: Sort) -> str:
    """A place in the order that an address can hold, still true after records come and go."""
    return f"{record.id}~{record.external_id if sort == 'id' else repr(key)}"


def stretch_of(
    db: Session, project: Project, order: Ordered, sort: Sort, limit: int,
    *, after: str = "", before: str = "",
) -> Stretch:  # fmt: skip
    """The `limit` records behind `after`, or before `before`, or the first. Raises Invalid."""
    start = 0
    if after:
        start = _place(db, project, order, sort, after, is_after=True)
    elif before:
        start = max(0, _place(db, project, order, sort, before, is_after=False) - limit)
    part = slice(start, start + limit)
    return Stretch(order.ids[part].tolist(), order.keys[part].tolist(), start, len(order.ids))


def _place(
    db: Session, project: Project, order: Ordered, sort: Sort, cursor: str, *, is_after: bool
) -> int:
    written, _, key = cursor.partition("~")
    if not (written.isascii() and written.isdigit() and len(written) < 10):
        raise Invalid("This address names no place in the list.")
    if sort == "id":
        return order.place(_n_before(db, project, key), int(written), is_after=is_after)
    try:
        return order.place(float(key), int(written), is_after=is_after)
    except ValueError:
        raise Invalid("This address names no place in the list.") from None


def _n_before(db: Session, project: Project, external_id: str) -> int:
    earlier = (Record.project_id == project.id, Record.external_id < external_id.replace("\0", ""))
    return db.scalar(select(func.count()).select_from(Record).where(*earlier)) or 0

"""Sort search results and cut pages by keyset pagination.

Decision: read all matching ids at once (see app.records.record_ids), since they are counted
anyway, and sort them here; a page starts after a key and not at an offset, so that records which
are added or removed meanwhile neither repeat a row nor hide one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.ml.vectors import Ids
from app.models import Consensus, Project, Record
from app.records.record_ids import load_id_columns
from app.records.records import RecordExcerpt
from app.search.matches import Matches
from app.search.request import Sort
from app.search.suggestion_filters import load_best_suggestions
from app.web.form_values import is_whole_number

Keys = NDArray[np.float64]
UNKNOWN = 2.0


@dataclass(frozen=True)
class SortedIds:
    """Ids and their keys, both (n,): by key, then by id, ascending."""

    ids: Ids
    keys: Keys

    def place(self, key: float, record_id: int, *, is_after: bool) -> int:
        """Return the position, from 0, of the first record at or (is_after) behind this key."""
        low = int(np.searchsorted(self.keys, key, "left"))
        high = int(np.searchsorted(self.keys, key, "right"))
        side = "right" if is_after else "left"
        return low + int(np.searchsorted(self.ids[low:high], record_id, side))  # type: ignore[call-overload]


@dataclass(frozen=True)
class Window:
    """A window of the sorted ids: from position `start`, of n_total."""

    ids: list[int]
    keys: list[float]
    start: int
    n_total: int

    @property
    def end(self) -> int:
        """The position behind the last record."""
        return self.start + len(self.ids)


def sort_matches(db: Session, project: Project, found: Matches, sort: Sort) -> SortedIds:
    """Sort the matches."""
    keys = compute_sort_keys(db, project, found, sort)
    order = np.lexsort((found.ids, keys))
    return SortedIds(found.ids[order], keys[order])


def compute_sort_keys(db: Session, project: Project, found: Matches, sort: Sort) -> Keys:
    """Compute the sort key of each of found.ids, ascending."""
    if sort == "score":
        return _by_score(found)
    if sort in ("confident", "unsure"):
        scores = load_best_suggestions(found.versions).scores_of(found.ids).astype(np.float64)
        return np.nan_to_num(-scores if sort == "confident" else scores, nan=UNKNOWN)
    if sort == "labeled":
        return _by_labeling(db, project, found.ids)
    if sort == "id":
        return _by_external_id(db, project, found.ids)
    ids = found.ids.astype(np.float64)
    return ids if sort == "oldest" else -ids


def _by_score(found: Matches) -> Keys:
    keys = np.zeros(len(found.ids))
    scored = np.array(sorted(found.scores), np.int64)
    keys[np.searchsorted(found.ids, scored)] = [-found.scores[int(each)] for each in scored]
    return keys


def _by_labeling(db: Session, project: Project, ids: Ids) -> Keys:
    """Return minus the id of the newest consensus action; unlabeled records come last."""
    keys = np.full(len(ids), UNKNOWN)
    agreed = select(Consensus.record_id, Consensus.action_id)
    record_ids, action_ids = load_id_columns(db, agreed.where(Consensus.project_id == project.id))
    if len(ids):
        places = np.minimum(np.searchsorted(ids, record_ids), len(ids) - 1)
        is_present = ids[places] == record_ids
        np.minimum.at(keys, places[is_present], -action_ids[is_present].astype(np.float64))
    return keys


def _by_external_id(db: Session, project: Project, ids: Ids) -> Keys:
    """Return the rank by external id among all records of the project."""
    ours = select(Record.id).where(Record.project_id == project.id)
    [every] = load_id_columns(db, ours.order_by(Record.external_id))
    sorter = np.argsort(every)
    return sorter[np.searchsorted(every, ids, sorter=sorter)].astype(np.float64)


def format_cursor(key: float, record: RecordExcerpt, sort: Sort) -> str:
    """Format a position as a URL parameter that stays valid when records are added or removed."""
    return f"{record.id}~{record.external_id if sort == 'id' else repr(key)}"


def cut_window(
    db: Session,
    project: Project,
    order: SortedIds,
    sort: Sort,
    limit: int,
    *,
    after: str = "",
    before: str = "",
) -> Window:
    """Return the `limit` records behind `after`, before `before`, or the first. Raises Invalid."""
    start = 0
    if after:
        start = _place(db, project, order, sort, after, is_after=True)
    elif before:
        start = max(0, _place(db, project, order, sort, before, is_after=False) - limit)
    part = slice(start, start + limit)
    return Window(order.ids[part].tolist(), order.keys[part].tolist(), start, len(order.ids))


def _place(
    db: Session, project: Project, order: SortedIds, sort: Sort, cursor: str, *, is_after: bool
) -> int:
    written, _, key = cursor.partition("~")
    if not is_whole_number(written):
        raise Invalid("Invalid page position. Start again from the first page.")
    if sort == "id":
        return order.place(_count_before(db, project, key), int(written), is_after=is_after)
    try:
        return order.place(float(key), int(written), is_after=is_after)
    except ValueError:
        raise Invalid("Invalid page position. Start again from the first page.") from None


def _count_before(db: Session, project: Project, external_id: str) -> int:
    earlier = (Record.project_id == project.id, Record.external_id < external_id.replace("\0", ""))
    return db.scalar(select(func.count()).select_from(Record).where(*earlier)) or 0

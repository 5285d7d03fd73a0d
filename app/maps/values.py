"""What is known of each record on a map, as arrays: few bytes per record, made by two queries.

Decision: no ORM objects and no texts. 200,000 records are some megabytes that a browser reads as
typed arrays; texts are asked for one by one, when somebody points at them.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Integer, Select, cast, extract, func, select
from sqlalchemy.orm import Session

from app.labeling.sessions.version_access import load_session_suggestions
from app.ml.vectors import Ids
from app.models import Artifact, Consensus, Label, UserAction, Version
from app.settings import settings

UInt32s = NDArray[np.uint32]
NONE_OF_THESE = 2**32 - 1
MOST_KEPT = 4


@dataclass(frozen=True)
class Values:
    """For the n records of a map, in its order.

    labeled_at   (n,) uint32, Unix seconds; 0 for an unlabeled record
    labels       (n,) uint32, consensus: a label's id, 0 for unlabeled, 2^32 - 1 for "none of
                 these"; of several labels the one that comes first in the label set
    annotators   (n,) uint32, who brought that consensus about: a user's id; 0 where nobody did by
                 hand, or the user is gone
    suggestions  (n,) uint32, the version's best suggestion: a label's id, 0 for none
    confidences  (n,) uint8, the chance that it is right in percent
    """

    labeled_at: UInt32s
    labels: UInt32s
    annotators: UInt32s
    suggestions: UInt32s
    confidences: NDArray[np.uint8]

    def as_bytes(self) -> bytes:
        """Return the arrays one after the other, little-endian: n × 17 bytes."""
        whole = (self.labeled_at, self.labels, self.annotators, self.suggestions)
        return b"".join([*(each.astype("<u4").tobytes() for each in whole), self._percent()])

    def _percent(self) -> bytes:
        return self.confidences.tobytes()


_cache: OrderedDict[str, Values] = OrderedDict()


def compute_values_tag(db: Session, version: Version, of_map: str) -> str:
    """Compute a tag that changes whenever the values of this map may change."""
    state = db.execute(
        select(
            func.max(UserAction.id),
            func.count(UserAction.undone_at),
            func.max(UserAction.undone_at),
        ).where(UserAction.project_id == version.project_id)
    ).one()
    suggested = db.scalar(
        select(func.max(Artifact.id)).where(
            Artifact.version_id == version.id, Artifact.kind == "suggestions"
        )
    )
    state_key = (
        f"{settings().database_url} {of_map} {suggested} {_describe_labels(db, version)} {state}"
    )
    return hashlib.sha256(state_key.encode()).hexdigest()[:32]


def _describe_labels(db: Session, version: Version) -> str:
    """Describe the labels: merging and retiring move records between labels without an action."""
    counted = select(func.count(Consensus.id), func.max(Consensus.id)).where(
        Consensus.project_id == version.project_id
    )
    order = select(Label.id).where(Label.project_id == version.project_id)
    return f"{db.execute(counted).one()} {db.scalars(order.order_by(Label.position)).all()}"


def load_values(db: Session, version: Version, ids: Ids, tag: str) -> Values:
    """Load what is known of the records `ids`, (n,) int64, ascending; kept for who asks next.

    tag  values_tag()
    """
    if tag not in _cache:
        _cache[tag] = _query_values(db, version, ids)
        while len(_cache) > MOST_KEPT:
            _cache.popitem(last=False)
    return _cache[tag]


def _query_values(db: Session, version: Version, ids: Ids) -> Values:
    agreed = _load_consensus(db, version.project_id)
    rows, known = _find_rows(ids, agreed[:, 0])
    actions = _load_actions(db, version.project_id)
    found = np.zeros((3, len(ids)), np.uint32)
    at, has_act = _find_rows(actions[:, 0], agreed[known, 2])
    found[1][rows] = agreed[known, 1] % 2**32  # "None of these" is -1 there.
    found[2][rows[has_act]] = actions[at, 1]
    found[0][rows[has_act]] = actions[at, 2]
    return Values(found[0], found[1], found[2], *_load_best_suggestions(db, version, ids))


def _load_consensus(db: Session, project_id: int) -> NDArray[np.int64]:
    """One row (record, label, act) per labeled record, by record, (m, 3)."""
    label_id = func.coalesce(Consensus.label_id, -1)
    ours = select(Consensus.record_id, label_id, Consensus.action_id)
    table = _fetch_table(db, ours.where(Consensus.project_id == project_id))
    order = select(Label.id).where(Label.project_id == project_id).order_by(Label.position)
    position = {each: at for at, each in enumerate(db.scalars(order))}
    labels, place_of = np.unique(table[:, 1], return_inverse=True)
    places = np.array([position.get(int(label), -1) for label in labels], np.int64)
    table = table[np.lexsort((places[place_of], table[:, 0]))]
    _, first = np.unique(table[:, 0], return_index=True)
    return np.asarray(table[first])


def _load_actions(db: Session, project_id: int) -> NDArray[np.int64]:
    """(act, user or 0, Unix seconds) of every act of the project, by id, (m, 3)."""
    seconds = func.coalesce(cast(extract("epoch", UserAction.performed_at), Integer), 0)
    ours = select(UserAction.id, func.coalesce(UserAction.user_id, 0), seconds).where(
        UserAction.project_id == project_id
    )
    return _fetch_table(db, ours.order_by(UserAction.id))


def _fetch_table(db: Session, statement: Select[Any, Any, Any]) -> NDArray[np.int64]:
    """Return the rows of three whole numbers that it selects, (m, 3)."""
    cursor = db.connection().execute(statement).cursor
    assert cursor is not None  # It selects.
    # The driver's own tuples: as SQLAlchemy's rows they would take four times as long.
    rows = cursor.fetchall()
    return np.fromiter(chain.from_iterable(rows), np.int64, count=3 * len(rows)).reshape(-1, 3)


def _find_rows(ids: Ids, wanted: Ids) -> tuple[Ids, NDArray[np.bool_]]:
    """Rows of `ids` (ascending) that hold the wanted ones, and which of these are there at all."""
    if len(ids) == 0:
        return np.empty(0, np.int64), np.zeros(len(wanted), np.bool_)
    rows = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    is_there = ids[rows] == wanted
    return rows[is_there], is_there


def _load_best_suggestions(
    db: Session, version: Version, ids: Ids
) -> tuple[UInt32s, NDArray[np.uint8]]:
    suggestions = load_session_suggestions(db, version.id)
    labels, percent = np.zeros(len(ids), np.uint32), np.zeros(len(ids), np.uint8)
    if suggestions.label_ids:
        probabilities = suggestions.probabilities(ids)
        best = probabilities.argmax(axis=1)
        highest = probabilities[np.arange(len(ids)), best]
        is_known = highest > 0
        labels[is_known] = np.array(suggestions.label_ids, np.uint32)[best[is_known]]
        percent[is_known] = np.rint(100 * np.minimum(highest[is_known], 1)).astype(np.uint8)
    return labels, percent

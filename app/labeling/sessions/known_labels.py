"""What is known of a session's rows: what they were said to be, as one user may know it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.annotations.votes import is_decided
from app.labeling.sessions.suggestion_scores import Floats
from app.labeling.team.multi_annotation import is_independent
from app.ml.vectors import Ids
from app.models import Annotation, Consensus, LabelingSession, SessionItem
from app.models.enums import MANUAL_SOURCES, Verdict
from app.projects.label_resolver import load_merge_targets


@dataclass(frozen=True)
class KnownLabels:
    """rows (m,) int64, places in the session's order of those that are known, the newest last

    labels  (m, K) float32: 1 for each label that the row carries; zeros: none of the labels
    """

    rows: Ids
    labels: Floats


def load_open_ranks(db: Session, session: LabelingSession, user_id: int) -> Ids:
    """Ranks of the rows that this user said nothing about yet, ascending, (r,) int64."""
    still_open = select(SessionItem.rank).where(
        SessionItem.session_id == session.id, ~is_decided(user_id)
    )
    return np.array(db.scalars(still_open.order_by(SessionItem.rank)).all(), np.int64)


def load_known_labels(
    db: Session, session: LabelingSession, user_id: int, record_ids: Ids, label_ids: Ids
) -> KnownLabels:
    """Load the labels of a session's rows: by consensus, else by the user alone.

    record_ids  (n,) the session's, in its order; label_ids (K,) those that can be given now

    A skipped row is not known. "Not similar" speaks against every label of the session, unless the
    row carries one.
    """
    own = _load_own(db, session, user_id)
    # Suggestions that others' labels taught would give these labels away.
    agreed = {} if is_independent(db, session.id) else _load_consensus(db, session)
    labels = {**own, **agreed}
    rows = {int(record_id): row for row, record_id in enumerate(record_ids)}
    known = sorted((label for label in labels if label in rows), key=lambda each: labels[each][0])
    targets = load_merge_targets(db, session.project_id)
    columns = {int(label_id): column for column, label_id in enumerate(label_ids)}
    carried = np.zeros((len(known), len(label_ids)), np.float32)
    for place, record_id in enumerate(known):
        carried[place, _find_columns(labels[record_id][1], targets, columns)] = 1
    return KnownLabels(np.array([rows[each] for each in known], np.int64), carried)


Labels = dict[int, tuple[int, list[int | None]]]
"""Record id → the act since which it is so, and its labels (None: none of these)."""


def _find_columns(
    labels: list[int | None], targets: Mapping[int, int], columns: Mapping[int, int]
) -> list[int]:
    now = [targets.get(label, label) for label in labels if label is not None]
    return [columns[each] for each in now if each in columns]


def _load_consensus(db: Session, session: LabelingSession) -> Labels:
    found: Labels = {}
    rows = db.execute(
        select(Consensus.record_id, Consensus.action_id, Consensus.label_id)
        .join(SessionItem, SessionItem.record_id == Consensus.record_id)
        .where(SessionItem.session_id == session.id)
    )
    for record_id, action_id, label_id in rows:
        found.setdefault(record_id, (action_id, []))[1].append(label_id)
    return found


def _load_own(db: Session, session: LabelingSession, user_id: int) -> Labels:
    """Load this user's votes; a skip is none."""
    found: Labels = {}
    rows = db.execute(
        select(Annotation.record_id, Annotation.action_id, Annotation.label_id, Annotation.verdict)
        .join(SessionItem, SessionItem.record_id == Annotation.record_id)
        .where(
            SessionItem.session_id == session.id,
            Annotation.user_id == user_id,
            Annotation.source.in_(MANUAL_SOURCES),
            Annotation.withdrawn_at.is_(None),
            (Annotation.verdict != Verdict.NOT_SIMILAR) | (Annotation.session_id == session.id),
        )
        .order_by(Annotation.action_id)
    )
    for record_id, action_id, label_id, verdict in rows:
        if verdict == Verdict.SKIP:
            found.pop(record_id, None)
        elif record_id in found and found[record_id][0] == action_id:
            found[record_id][1].append(label_id)
        else:
            found[record_id] = (action_id, [label_id])
    return found

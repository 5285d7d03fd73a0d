"""Near-duplicates folded: a session shows one of each group, and its label goes to all of them.

Decision: a group is what is nearly equal to the record that stands for it, not whatever is linked
through others: a chain of small steps would end in texts that have little in common.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app.database import id_chunks
from app.labeling.annotations import Say
from app.labeling.certainty import Ids
from app.models import Annotation, LabelingSession
from app.search.indexes import Version

# Two texts this alike say the same, apart from a name or a number: measured on flight queries,
# 999 of 1,000 such pairs carry one label; of news, where 4 records in 1,000 have one, 85 of 100 do.
NEARLY_EQUAL = 0.99
MOST_FOLDED = 50
# In larger projects a page would wait too long: there near-duplicates are sought in the session.
MOST_SEARCHED = 50_000


def fold(version: Version, ids: Sequence[int], among: Ids) -> dict[int, list[int]]:
    """Of these records, in their order, those that stay, each with its near-duplicates.

    version  the raw one
    among    the records that may be folded into one that stays: open ones, also outside `ids`
    """
    known = np.array(ids, np.int64)
    known = known[np.isin(known, version.index.ids)]
    near = _near(version, known, among)
    can_fold = set(among.tolist())
    folded: set[int] = set()
    groups: dict[int, list[int]] = {}
    for record_id in ids:
        if record_id in folded:
            continue
        near_it = near.get(record_id, [])
        members = [i for i in near_it if i in can_fold and i not in folded and i not in groups]
        groups[record_id] = members
        folded.update(members)
    return groups


def _near(version: Version, ids: Ids, among: Ids) -> dict[int, list[int]]:
    if len(ids) == 0 or len(among) == 0:
        return {}
    rows = version.index.vectors(ids)
    if version.index.n_records > MOST_SEARCHED:
        cosines = rows @ rows.T
        near = [ids[row >= NEARLY_EQUAL] for row in cosines]
    else:
        found, similarities = version.index.search(rows, MOST_FOLDED + 1)
        near = [row[alike >= NEARLY_EQUAL] for row, alike in zip(found, similarities, strict=True)]
    return {
        int(record_id): [int(i) for i in row if i != record_id]
        for record_id, row in zip(ids, near, strict=True)
    }


def followers(
    db: Session, session: LabelingSession, user_id: int, record_ids: Sequence[int]
) -> dict[int, list[int]]:
    """The near-duplicates that these rows of a session stand for, as far as they follow.

    One that somebody judged by itself does not follow any more.
    """
    folded = session.seed.get("folded", {})
    groups = {i: folded[str(i)] for i in record_ids if str(i) in folded}
    members = [member for group in groups.values() for member in group]
    judged: set[int] = set()
    for chunk in id_chunks(members):
        own_way = select(Annotation.record_id).where(
            Annotation.record_id.in_(chunk),
            Annotation.withdrawn_at.is_(None),
            ~and_(
                Annotation.session_id == session.id,
                Annotation.user_id == user_id,
                Annotation.rank.is_(None),
            ),
        )
        judged |= set(db.scalars(own_way))
    return {i: [each for each in group if each not in judged] for i, group in groups.items()}


def with_followers(
    db: Session, session: LabelingSession, user_id: int, says: Sequence[Say]
) -> list[Say]:
    """These says, and the same about the near-duplicates that their rows stand for."""
    heard = [say for say in says if say.verdict in ("label", "none")]
    following = followers(db, session, user_id, [say.record_id for say in heard])
    named = {say.record_id for say in says}
    more = [
        replace(say, record_id=each, rank=None, similarity=None, milliseconds=None, is_folded=True)
        for say in heard
        for each in following.get(say.record_id, [])
        if each not in named
    ]
    return [*says, *more]

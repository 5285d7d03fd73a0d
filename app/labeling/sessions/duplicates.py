"""Copies folded: a session shows one of several equal texts, and its label goes to all of them.

Decision: only what differs in capitals and white space at most is a copy. However near two vectors
are, the texts may differ in what the base model does not read: an emoji, a script, a late word.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app.db.session import id_chunks
from app.labeling.annotations.annotate import MAX_PER_ACT, MAX_PER_REQUEST, AnnotationInput
from app.ml.vectors import Ids
from app.models import Annotation, LabelingSession, Record
from app.models.enums import LABELING_VERDICTS

MOST_FOLDED = 1_000
"""Copies that one row stands for; all rows of a session together still make one act."""
HASHES_AT_ONCE = 500


def fold_duplicates(
    db: Session, project_id: int, ids: Sequence[int], among: Ids
) -> dict[int, list[int]]:
    """Return those of these records, in their order, that stay, each with the copies it stands for.

    among  the records that may be folded into one that stays: open ones, also outside `ids`
    """
    hashes = _hashes_of(db, ids)
    equal = {key: iter(found) for key, found in _ids_by_hash(db, project_id, hashes).items()}
    can_fold = set(among.tolist())
    folded: set[int] = set()
    groups: dict[int, list[int]] = {}
    n_left = MAX_PER_ACT - MAX_PER_REQUEST
    for record_id in ids:
        if record_id in folded:
            continue
        groups[record_id] = []
        same = equal.get(hashes.get(record_id, ""), iter(()))
        rest = (i for i in same if i in can_fold and i not in groups)
        groups[record_id] = list(islice(rest, min(MOST_FOLDED, n_left)))
        n_left -= len(groups[record_id])
        folded.update(groups[record_id])
    return groups


def _hashes_of(db: Session, ids: Iterable[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for chunk in id_chunks(ids):
        hashes = select(Record.id, Record.normalized_hash).where(Record.id.in_(chunk))
        found |= dict(db.execute(hashes).all())
    return found


def _ids_by_hash(db: Session, project_id: int, hashes: dict[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    wanted = sorted(set(hashes.values()))
    for start in range(0, len(wanted), HASHES_AT_ONCE):
        equal = select(Record.normalized_hash, Record.id).where(
            Record.project_id == project_id,
            Record.normalized_hash.in_(wanted[start : start + HASHES_AT_ONCE]),
        )
        for key, record_id in db.execute(equal.order_by(Record.id)):
            found.setdefault(key, []).append(record_id)
    return found


def find_followers(
    db: Session, session: LabelingSession, user_id: int, record_ids: Sequence[int]
) -> dict[int, list[int]]:
    """Return the copies that these rows of a session stand for, as far as they follow.

    One that somebody judged by itself does not follow any more, nor one whose text is another by
    now.
    """
    folded = session.seed.get("folded", {})
    groups = {i: folded[str(i)] for i in record_ids if str(i) in folded}
    members = [member for group in groups.values() for member in group]
    if not members:
        return {}
    judged = _list_judged(db, session, user_id, members)
    hashes = _hashes_of(db, [*groups, *members])
    return {
        i: [each for each in group if hashes.get(each) == hashes.get(i) and each not in judged]
        for i, group in groups.items()
    }


def _list_judged(
    db: Session, session: LabelingSession, user_id: int, record_ids: Sequence[int]
) -> set[int]:
    """Those of these records that somebody judged by themselves."""
    judged: set[int] = set()
    for chunk in id_chunks(record_ids):
        judged_query = select(Annotation.record_id).where(
            Annotation.record_id.in_(chunk),
            Annotation.withdrawn_at.is_(None),
            ~and_(
                Annotation.session_id == session.id,
                Annotation.user_id == user_id,
                Annotation.rank.is_(None),
            ),
        )
        judged |= set(db.scalars(judged_query))
    return judged


def add_followers(
    db: Session, session: LabelingSession, user_id: int, annotations: Sequence[AnnotationInput]
) -> list[AnnotationInput]:
    """Return these votes, and the same for the copies that their rows stand for."""
    labeled = [annotation for annotation in annotations if annotation.verdict in LABELING_VERDICTS]
    following = find_followers(
        db, session, user_id, [annotation.record_id for annotation in labeled]
    )
    named = {annotation.record_id for annotation in annotations}
    more = [
        replace(
            annotation,
            record_id=each,
            rank=None,
            similarity=None,
            milliseconds=None,
            is_folded=True,
        )
        for annotation in labeled
        for each in following.get(annotation.record_id, [])
        if each not in named
    ]
    return [*annotations, *more]

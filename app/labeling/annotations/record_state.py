"""How a record stands: what this user says about it, what others say, what they agree on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, select
from sqlalchemy.orm import Session

from app.db.session import execute_core, id_chunks
from app.labeling.annotations.votes import CurrentVote, load_current_votes
from app.labeling.team.multi_annotation import find_hidden_records
from app.models import Annotation, Comment, User
from app.models.enums import Verdict
from app.records.records import load_consensus

_RECORDS: BindParameter[Any] = bindparam("ids", expanding=True)
_NAMES = select(User.id, User.name).where(User.id.in_(_RECORDS))
_NOT_SIMILAR = (
    select(Annotation.record_id, func.max(Annotation.action_id))
    .where(
        Annotation.record_id.in_(_RECORDS),
        Annotation.session_id == bindparam("session_id"),
        Annotation.user_id == bindparam("user_id"),
        Annotation.verdict == Verdict.NOT_SIMILAR,
        Annotation.withdrawn_at.is_(None),
    )
    .group_by(Annotation.record_id)
)
_COMMENTS = (
    select(Comment.record_id, Comment.kind, Comment.body, User.name)
    .outerjoin(User, User.id == Comment.user_id)
    .where(Comment.record_id.in_(_RECORDS), Comment.withdrawn_at.is_(None))
    .order_by(Comment.id)
)


@dataclass(frozen=True)
class OtherVote:
    """What somebody else, or a file (name ""), says about the record."""

    name: str
    verdict: str
    label_ids: tuple[int, ...]


@dataclass(frozen=True)
class CommentView:
    """A remark in words."""

    name: str
    body: str


@dataclass(frozen=True)
class RecordState:
    """own_verdict is empty while the user has said nothing; consensus is empty when unlabeled.

    consensus  label ids; (None,) is "none of these"
    """

    own_verdict: str = ""
    own_label_ids: tuple[int, ...] = ()
    own_action_id: int = 0
    others: tuple[OtherVote, ...] = ()
    consensus: tuple[int | None, ...] = ()
    is_flagged: bool = False
    comments: tuple[CommentView, ...] = ()


def load_record_states(
    db: Session, record_ids: Sequence[int], user_id: int, session_id: int | None = None
) -> dict[int, RecordState]:
    """How each of these records stands for this user, in this session.

    What others said is left out where this user is to judge without having read it.
    """
    votes = load_current_votes(db, record_ids)
    hidden = find_hidden_records(db, user_id, votes, session_id)
    names = _load_names(
        db, {vote.user_id for record_votes in votes.values() for vote in record_votes} - {user_id}
    )
    agreed = load_consensus(db, record_ids)
    found = {
        i: _build_state(votes.get(i, []), agreed.get(i, []), user_id, names) for i in record_ids
    }
    found |= {i: replace(found[i], others=(), consensus=()) for i in hidden}
    for record_id, action_id in _load_not_similar(db, record_ids, user_id, session_id).items():
        if action_id > found[record_id].own_action_id:
            found[record_id] = replace(
                found[record_id],
                own_verdict=Verdict.NOT_SIMILAR,
                own_label_ids=(),
                own_action_id=action_id,
            )
    return _add_comments(db, found)


def _build_state(
    votes: Sequence[CurrentVote],
    agreed: Sequence[int | None],
    user_id: int,
    names: Mapping[int | None, str],
) -> RecordState:
    own = next((vote for vote in votes if vote.user_id == user_id and vote.is_person), None)
    others = tuple(
        OtherVote(
            names.get(vote.user_id, "") if vote.is_person else "", vote.verdict, vote.label_ids
        )
        for vote in votes
        if vote is not own and vote.verdict != Verdict.SKIP
    )
    if own is None:
        return RecordState(others=others, consensus=tuple(agreed))
    return RecordState(own.verdict, own.label_ids, own.action_id, others, tuple(agreed))


def _load_names(db: Session, user_ids: set[int | None]) -> dict[int | None, str]:
    known = [user_id for user_id in user_ids if user_id is not None]
    return dict(execute_core(db, _NAMES, ids=known).all()) if known else {}


def _load_not_similar(
    db: Session, record_ids: Sequence[int], user_id: int, session_id: int | None
) -> dict[int, int]:
    """Record id → the act with which the user found it unlike this session's seed."""
    if session_id is None:
        return {}
    actions: dict[int, int] = {}
    for chunk in id_chunks(record_ids):
        found = execute_core(db, _NOT_SIMILAR, ids=chunk, session_id=session_id, user_id=user_id)
        actions |= dict(found.all())
    return actions


def _add_comments(db: Session, found: dict[int, RecordState]) -> dict[int, RecordState]:
    for chunk in id_chunks(found):
        for record_id, kind, body, name in execute_core(db, _COMMENTS, ids=chunk):
            now = found[record_id]
            if kind == "flag":
                found[record_id] = replace(now, is_flagged=True)
            else:
                comments = (*now.comments, CommentView(name or "", body))
                found[record_id] = replace(now, comments=comments)
    return found

"""How a record stands: what this user says about it, what others say, what they agree on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, select
from sqlalchemy.orm import Session

from app.database import answered, id_chunks
from app.labeling.overlap import hidden_from
from app.labeling.says import CurrentSay, current_says
from app.models import Annotation, Remark, User
from app.records.records import consensus_of

_RECORDS: BindParameter[Any] = bindparam("ids", expanding=True)
_NAMES = select(User.id, User.name).where(User.id.in_(_RECORDS))
_NOT_SIMILAR = (
    select(Annotation.record_id, func.max(Annotation.act_id))
    .where(
        Annotation.record_id.in_(_RECORDS),
        Annotation.session_id == bindparam("session_id"),
        Annotation.user_id == bindparam("user_id"),
        Annotation.verdict == "not_similar",
        Annotation.withdrawn_at.is_(None),
    )
    .group_by(Annotation.record_id)
)
_REMARKS = (
    select(Remark.record_id, Remark.kind, Remark.body, User.name)
    .outerjoin(User, User.id == Remark.user_id)
    .where(Remark.record_id.in_(_RECORDS), Remark.withdrawn_at.is_(None))
    .order_by(Remark.id)
)


@dataclass(frozen=True)
class OtherSay:
    """What somebody else, or a file (name ""), says about the record."""

    name: str
    verdict: str
    label_ids: tuple[int, ...]


@dataclass(frozen=True)
class Comment:
    """A remark in words."""

    name: str
    body: str


@dataclass(frozen=True)
class Standing:
    """own_verdict is empty while the user has said nothing; consensus is empty when unlabeled.

    consensus  label ids; (None,) is "none of these"
    """

    own_verdict: str = ""
    own_label_ids: tuple[int, ...] = ()
    own_act_id: int = 0
    others: tuple[OtherSay, ...] = ()
    consensus: tuple[int | None, ...] = ()
    is_flagged: bool = False
    comments: tuple[Comment, ...] = ()


def standings(
    db: Session, record_ids: Sequence[int], user_id: int, session_id: int | None = None
) -> dict[int, Standing]:
    """How each of these records stands for this user, in this session.

    What others said is left out where this user is to judge without having read it.
    """
    says = current_says(db, record_ids)
    hidden = hidden_from(db, user_id, says, session_id)
    names = _names(db, {say.user_id for of in says.values() for say in of} - {user_id})
    agreed = consensus_of(db, record_ids)
    found = {i: _standing(says.get(i, []), agreed.get(i, []), user_id, names) for i in record_ids}
    found |= {i: replace(found[i], others=(), consensus=()) for i in hidden}
    for record_id, act_id in _not_similar(db, record_ids, user_id, session_id).items():
        if act_id > found[record_id].own_act_id:
            found[record_id] = replace(
                found[record_id], own_verdict="not_similar", own_label_ids=(), own_act_id=act_id
            )
    return _with_remarks(db, found)


def _standing(
    says: Sequence[CurrentSay],
    agreed: Sequence[int | None],
    user_id: int,
    names: Mapping[int | None, str],
) -> Standing:
    own = next((say for say in says if say.user_id == user_id and say.is_person), None)
    others = tuple(
        OtherSay(names.get(say.user_id, "") if say.is_person else "", say.verdict, say.label_ids)
        for say in says
        if say is not own and say.verdict != "skip"
    )
    if own is None:
        return Standing(others=others, consensus=tuple(agreed))
    return Standing(own.verdict, own.label_ids, own.act_id, others, tuple(agreed))


def _names(db: Session, user_ids: set[int | None]) -> dict[int | None, str]:
    known = [user_id for user_id in user_ids if user_id is not None]
    return dict(answered(db, _NAMES, ids=known).all()) if known else {}


def _not_similar(
    db: Session, record_ids: Sequence[int], user_id: int, session_id: int | None
) -> dict[int, int]:
    """Record id → the act with which the user found it unlike this session's seed."""
    if session_id is None:
        return {}
    acts: dict[int, int] = {}
    for chunk in id_chunks(record_ids):
        found = answered(db, _NOT_SIMILAR, ids=chunk, session_id=session_id, user_id=user_id)
        acts |= dict(found.all())
    return acts


def _with_remarks(db: Session, found: dict[int, Standing]) -> dict[int, Standing]:
    for chunk in id_chunks(found):
        for record_id, kind, body, name in answered(db, _REMARKS, ids=chunk):
            now = found[record_id]
            if kind == "flag":
                found[record_id] = replace(now, is_flagged=True)
            else:
                comments = (*now.comments, Comment(name or "", body))
                found[record_id] = replace(now, comments=comments)
    return found

"""What each user currently says about a record, read off the append-only annotations."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import BindParameter, ColumnElement, bindparam, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.session import execute_core, id_chunks
from app.models import Annotation, SessionItem
from app.models.enums import LABELING_VERDICTS, MANUAL_SOURCES, Verdict

_VOTES = select(
    Annotation.record_id,
    Annotation.user_id,
    Annotation.action_id,
    Annotation.verdict,
    Annotation.label_id,
    Annotation.source,
).where(
    Annotation.record_id.in_(bindparam("ids", expanding=True)),
    Annotation.withdrawn_at.is_(None),
    Annotation.verdict != Verdict.NOT_SIMILAR,
)


UserId = int | BindParameter[int] | InstrumentedAttribute[int]


def human_vote_conditions(project_id: int) -> tuple[ColumnElement[bool], ...]:
    """Conditions on Annotation: a person gave a label or "none of these", and it stands."""
    return (
        Annotation.project_id == project_id,
        Annotation.source.in_(MANUAL_SOURCES),
        Annotation.withdrawn_at.is_(None),
        Annotation.verdict.in_(LABELING_VERDICTS),
    )


def is_decided(user_id: UserId) -> ColumnElement[bool]:
    """Return a condition on SessionItem: this user voted on its record."""
    return exists().where(
        Annotation.record_id == SessionItem.record_id,
        Annotation.user_id == user_id,
        Annotation.source.in_(MANUAL_SOURCES),
        Annotation.withdrawn_at.is_(None),
        (Annotation.verdict != Verdict.NOT_SIMILAR)
        | (Annotation.session_id == SessionItem.session_id),
    )


@dataclass(frozen=True)
class CurrentVote:
    """The newest thing that one voter says about a record.

    label_ids  the labels as they were given, sorted; empty for none and skip
    is_person  False for what came with a file or from a rule: it yields to people

    A user's file and a user's hand are two voters, so that importing a file again never replaces
    what the user decided by hand.
    """

    user_id: int | None
    action_id: int
    verdict: str
    label_ids: tuple[int, ...]
    is_person: bool


def load_current_votes(db: Session, record_ids: Iterable[int]) -> dict[int, list[CurrentVote]]:
    """Each record's current says, oldest act first; records that nobody spoke about are missing.

    Withdrawn says and "not similar" (it is about the seed, not the record) are no says.
    """
    votes: dict[int, list[CurrentVote]] = {}
    for chunk in id_chunks(record_ids):
        votes |= _load_votes(db, chunk)
    return votes


def _load_votes(db: Session, record_ids: Sequence[int]) -> dict[int, list[CurrentVote]]:
    rows = execute_core(db, _VOTES, ids=record_ids)
    newest: dict[tuple[int, int | None, bool], tuple[int, str, list[int]]] = {}
    for record_id, user_id, action_id, verdict, label_id, source in rows:
        voter = (record_id, user_id, source in MANUAL_SOURCES)
        if voter not in newest or newest[voter][0] < action_id:
            newest[voter] = (action_id, verdict, [])
        if newest[voter][0] == action_id and label_id is not None:
            newest[voter][2].append(label_id)
    votes: dict[int, list[CurrentVote]] = defaultdict(list)
    for (record_id, user_id, is_person), (action_id, verdict, label_ids) in newest.items():
        labels = tuple(sorted(label_ids))
        votes[record_id].append(CurrentVote(user_id, action_id, verdict, labels, is_person))
    for record_votes in votes.values():
        record_votes.sort(key=lambda vote: vote.action_id)
    return dict(votes)

"""Sessions as they are listed: who began them and when, how far they are, and for whom they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import NotAllowed
from app.labeling.team.assignments import (
    Assignee,
    list_assigned_sessions,
    load_assignees,
    n_decided,
)
from app.models import Consensus, LabelingSession, Project, SessionItem, User, utc_now
from app.models.enums import Role

N_CONTINUED = 3
N_RECENT = 20


@dataclass(frozen=True)
class SessionLine:
    """A session in a list.

    by         who began it ("" somebody who is gone)
    n_labeled  records with consensus; n_decided  those that the user who looks has decided
    """

    session: LabelingSession
    by: str
    is_own: bool
    n_labeled: int
    n_decided: int
    assignees: list[Assignee]


@dataclass(frozen=True)
class SessionLists:
    """What the sessions page lists; no session stands in two lists.

    assigned   to this user, and not through with, the oldest first
    continued  begun by this user, and not through with, the newest first
    recent     the other ones, the newest first
    """

    assigned: list[SessionLine]
    continued: list[SessionLine]
    recent: list[SessionLine]
    n_hidden: int


def load_session_lists(db: Session, project: Project, user: User) -> SessionLists:
    """Load the project's sessions as they concern this user."""
    assigned = [session for session, _ in list_assigned_sessions(db, project.id, user.id)]
    newest = list_recent_sessions(db, project.id)
    known = {each.id for each in assigned}
    lines = _build_lines(db, [*assigned, *(each for each in newest if each.id not in known)], user)
    others = [line for line in lines if line.session.id not in known]
    continued = [line for line in others if line.is_own and _is_open(line)][:N_CONTINUED]
    return SessionLists(
        [line for line in lines if line.session.id in known],
        continued,
        [line for line in others if line not in continued],
        _count_hidden(db, project.id, user.id),
    )


def load_hidden_lines(db: Session, project: Project, user: User) -> list[SessionLine]:
    """Load the sessions that this user hid, the newest first."""
    query = select(LabelingSession).where(
        LabelingSession.project_id == project.id,
        LabelingSession.user_id == user.id,
        LabelingSession.hidden_at.is_not(None),
    )
    return _build_lines(db, db.scalars(query.order_by(LabelingSession.id.desc())).all(), user)


def list_recent_sessions(
    db: Session, project_id: int, limit: int = N_RECENT
) -> list[LabelingSession]:
    """List the project's newest sessions, newest first, without those that were hidden."""
    ours = select(LabelingSession).where(
        LabelingSession.project_id == project_id, LabelingSession.hidden_at.is_(None)
    )
    return list(db.scalars(ours.order_by(LabelingSession.id.desc()).limit(limit)))


def set_hidden(db: Session, session: LabelingSession, by: User, *, is_hidden: bool = True) -> None:
    """Take a session off the lists, or put it back; it can still be opened, and keeps its labels.

    Raises NotAllowed for a session that somebody else began, unless an admin asks.
    """
    if session.user_id != by.id and by.role != Role.ADMIN:
        raise NotAllowed("Only the person who started this session, or an admin, can hide it.")
    ours = db.get_one(LabelingSession, session.id)
    ours.hidden_at = utc_now() if is_hidden else None


def count_labeled_in(db: Session, session_ids: Sequence[int]) -> dict[int, int]:
    """How many records of each of these sessions have consensus; sessions without are missing."""
    rows = db.execute(
        select(SessionItem.session_id, func.count(Consensus.record_id.distinct()))
        .join(Consensus, Consensus.record_id == SessionItem.record_id)
        .where(SessionItem.session_id.in_(session_ids))
        .group_by(SessionItem.session_id)
    )
    return dict(rows.all())


def _build_lines(db: Session, sessions: Sequence[LabelingSession], user: User) -> list[SessionLine]:
    ids = [session.id for session in sessions]
    labeled, decided, shared = (
        count_labeled_in(db, ids),
        n_decided(db, ids, user.id),
        load_assignees(db, ids),
    )
    by = select(User.id, User.name).where(User.id.in_({session.user_id for session in sessions}))
    names = dict(db.execute(by).all())
    return [
        SessionLine(
            session,
            names.get(session.user_id or 0, ""),
            session.user_id == user.id,
            labeled.get(session.id, 0),
            decided.get(session.id, 0),
            shared.get(session.id, []),
        )
        for session in sessions
    ]


def _is_open(line: SessionLine) -> bool:
    return line.n_decided < line.session.n_records


def _count_hidden(db: Session, project_id: int, user_id: int) -> int:
    query = select(func.count()).where(
        LabelingSession.project_id == project_id,
        LabelingSession.user_id == user_id,
        LabelingSession.hidden_at.is_not(None),
    )
    return db.scalar(query) or 0

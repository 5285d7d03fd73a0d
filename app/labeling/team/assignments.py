"""Who shall label which session, and how far they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from app.errors import Invalid, NotAllowed, NotFound
from app.labeling.annotations.votes import is_decided
from app.models import Assignment, LabelingSession, Membership, Project, SessionItem, User
from app.models.enums import Role

MOST_ASSIGNED = 50


@dataclass(frozen=True)
class Assignee:
    """Somebody who shall label a session, and how many of its n_records they decided."""

    user_id: int
    name: str
    n_decided: int
    n_records: int

    @property
    def is_done(self) -> bool:
        """Whether nothing is left for them."""
        return self.n_decided >= self.n_records


def can_assign(user: User) -> bool:
    """Whether this user says who labels what."""
    return user.role in (Role.ADMIN, Role.REVIEWER)


def assign(
    db: Session, project: Project, session: LabelingSession, user_ids: Iterable[int], by: User
) -> None:
    """From now on the session is assigned to exactly these users; none takes it from everybody.

    Raises NotAllowed for annotators, NotFound for a user who is unknown, gone or not in the
    project, Invalid for too many.
    """
    if not can_assign(by):
        raise NotAllowed("Only an admin or a reviewer can assign sessions.")
    wanted = set(user_ids)
    if len(wanted) > MOST_ASSIGNED:
        raise Invalid(f"A session can be assigned to at most {MOST_ASSIGNED} people.")
    if wanted - {user.id for user in list_assignable_users(db, project)}:
        raise NotFound("user")
    ours = Assignment.session_id == session.id
    held = set(db.scalars(select(Assignment.user_id).where(ours)))
    db.execute(delete(Assignment).where(ours, Assignment.user_id.in_(held - wanted)))
    for user_id in sorted(wanted - held):
        db.add(Assignment(session_id=session.id, user_id=user_id, by_id=by.id))
    db.flush()


def list_assignable_users(db: Session, project: Project) -> Sequence[User]:
    """Those who can work in the project, by name."""
    ours = exists().where(Membership.project_id == project.id, Membership.user_id == User.id)
    may = User.is_active if project.is_open else User.is_active & ((User.role == Role.ADMIN) | ours)
    return db.scalars(select(User).where(may).order_by(User.name)).all()


def load_assignees(db: Session, session_ids: Sequence[int]) -> dict[int, list[Assignee]]:
    """Those to whom each of these sessions is assigned, by name; unassigned ones are missing."""
    rows = db.execute(
        select(
            Assignment.session_id,
            User.id,
            User.name,
            LabelingSession.n_records,
            func.count(SessionItem.rank),
        )
        .join(User, User.id == Assignment.user_id)
        .join(LabelingSession, LabelingSession.id == Assignment.session_id)
        .outerjoin(
            SessionItem,
            (SessionItem.session_id == Assignment.session_id) & is_decided(Assignment.user_id),
        )
        .where(Assignment.session_id.in_(session_ids))
        .group_by(Assignment.session_id, User.id, User.name, LabelingSession.n_records)
        .order_by(User.name)
    )
    found: dict[int, list[Assignee]] = {}
    for session_id, user_id, name, n_records, n_decided in rows:
        found.setdefault(session_id, []).append(Assignee(user_id, name, n_decided, n_records))
    return found


def n_decided(db: Session, session_ids: Sequence[int], user_id: int) -> dict[int, int]:
    """How many rows of each of these sessions the user decided; sessions without are missing."""
    rows = db.execute(
        select(SessionItem.session_id, func.count())
        .where(SessionItem.session_id.in_(session_ids), is_decided(user_id))
        .group_by(SessionItem.session_id)
    )
    return dict(rows.all())


def list_assigned_sessions(
    db: Session, project_id: int, user_id: int
) -> list[tuple[LabelingSession, Assignee]]:
    """List the unfinished sessions assigned to this user, the oldest first."""
    query = (
        select(LabelingSession)
        .join(Assignment, Assignment.session_id == LabelingSession.id)
        .where(LabelingSession.project_id == project_id, Assignment.user_id == user_id)
        .order_by(Assignment.assigned_at, LabelingSession.id)
    )
    sessions = db.scalars(query).all()
    decided = n_decided(db, [each.id for each in sessions], user_id)
    found = [
        (each, Assignee(user_id, "", decided.get(each.id, 0), each.n_records)) for each in sessions
    ]
    return [(session, state) for session, state in found if not state.is_done]

"""Acts: what a person does at once and takes back at once, each known by its key.

Decision: an act that was done with the same key before is answered with what it did then, so that
a browser may send it again whenever it is unsure.
"""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.database import answered
from app.errors import Conflict, Invalid
from app.models import Act, utc_now

KEY_LENGTH = 80
# Whoever does nothing for longer than this is taken to be elsewhere.
LONGEST_PAUSE_SECONDS = 120
_DONE = select(Act.id).where(Act.user_id == bindparam("user_id"), Act.key == bindparam("key"))
_THEIRS = (Act.project_id == bindparam("project_id"), Act.user_id == bindparam("user_id"))
_NEWEST = (
    select(Act.id, Act.acted_at)
    .where(*_THEIRS, Act.undone_at.is_(None))
    .order_by(Act.id.desc())
    .limit(1)
)
_UNDONE = select(func.max(Act.undone_at)).where(*_THEIRS, Act.id > bindparam("act_id"))
# The key decides who was first, without an error that would end the transaction.
_KEY = ("user_id", "key")
_BEGIN = {
    "sqlite": sqlite.insert(Act).on_conflict_do_nothing(index_elements=_KEY).returning(Act.id),
    "postgresql": postgresql.insert(Act)
    .on_conflict_do_nothing(index_elements=_KEY)
    .returning(Act.id),
}


def find_act(db: Session, user_id: int, key: str) -> Act | None:
    """What this user did with this key, if it was done."""
    found = answered(db, _DONE, user_id=user_id, key=key).scalar()
    return db.get_one(Act, found) if found else None


def begin_act(
    db: Session, project_id: int, user_id: int, *, kind: str, key: str, session_id: int | None
) -> Act | None:
    """A new act of this user, or None where another request with the same key came first."""
    if not 0 < len(key) <= KEY_LENGTH:
        raise Invalid(f"The key is 1 to {KEY_LENGTH} characters long.")
    acted_at, active_seconds = _moment(db, project_id, user_id)
    dialect = db.get_bind().dialect.name
    begun = answered(
        db, _BEGIN[dialect], project_id=project_id, user_id=user_id, session_id=session_id,
        kind=kind, key=key, acted_at=acted_at, active_seconds=active_seconds,
    ).scalar()  # fmt: skip
    return db.get_one(Act, begun) if begun else None


def _moment(db: Session, project_id: int, user_id: int) -> tuple[datetime, float]:
    """Now, or just after the user's latest undo should a clock have gone back: it clears redo.
    Beside it the seconds since the user's act or undo before, 0 after a pause.

    Only what was undone since the newest standing act could still be redone.
    """
    theirs = {"project_id": project_id, "user_id": user_id}
    newest = answered(db, _NEWEST, **theirs).first()
    latest = answered(db, _UNDONE, **theirs, act_id=newest.id if newest else 0).scalar()
    now = utc_now()
    now = now if latest is None else max(now, latest + timedelta(microseconds=1))
    ends = (newest.acted_at if newest else None, latest)
    before = [moment for moment in ends if moment is not None]
    seconds = (now - max(before)).total_seconds() if before else 0.0
    return now, seconds if 0 < seconds <= LONGEST_PAUSE_SECONDS else 0.0


def first_act(db: Session, user_id: int, key: str) -> Act:
    """What came first with this key, where begin_act() found so. Raises Conflict."""
    act = find_act(db, user_id, key)
    if act is None:
        raise Conflict("Another request with the same key is still under way. Try again.")
    return act

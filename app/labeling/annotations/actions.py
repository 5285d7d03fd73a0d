"""Acts: what a person does at once and takes back at once, each known by its key.

Decision: an act that was done with the same key before is answered with what it did then, so that
a browser may send it again whenever it is unsure. A key belongs to one user in one project; sent
with another request than before it is refused, because nothing would be stored.
"""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db.session import execute_core
from app.errors import Conflict, Invalid
from app.models import UserAction, utc_now

KEY_LENGTH = 80
# Whoever does nothing for longer than this is taken to be elsewhere.
LONGEST_PAUSE_SECONDS = 120
UNFLAG = "unflag"
"""The kind of an act that takes a flag off: it keeps the key, and undo passes over it."""
_BY_USER = (
    UserAction.project_id == bindparam("project_id"),
    UserAction.user_id == bindparam("user_id"),
)
_BY_KEY = select(UserAction.id).where(*_BY_USER, UserAction.key == bindparam("key"))
_NEWEST = (
    select(UserAction.id, UserAction.performed_at)
    .where(*_BY_USER, UserAction.undone_at.is_(None), UserAction.kind != UNFLAG)
    .order_by(UserAction.id.desc())
    .limit(1)
)
_UNDONE = select(func.max(UserAction.undone_at)).where(
    *_BY_USER, UserAction.id > bindparam("action_id")
)
# The key decides who was first, without an error that would end the transaction.
_KEY = ("project_id", "user_id", "key")
_BEGIN = {
    "sqlite": sqlite.insert(UserAction)
    .on_conflict_do_nothing(index_elements=_KEY)
    .returning(UserAction.id),
    "postgresql": postgresql.insert(UserAction)
    .on_conflict_do_nothing(index_elements=_KEY)
    .returning(UserAction.id),
}


class KeyReused(Conflict):
    """The key came with another request before; nothing was stored for this one."""

    def __init__(self) -> None:
        super().__init__(
            "This idempotency key was already used for another request. Use a new key."
        )


def hash_request(operation: str, **body: Any) -> str:
    """Hash what is asked for, so that the same request is recognized when it is sent again."""
    canonical = json.dumps([operation, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def find_action(db: Session, project_id: int, user_id: int, key: str) -> UserAction | None:
    """Find what this user did with this key in this project. Raises Invalid for an unusable key."""
    _check_key(key)
    found = execute_core(db, _BY_KEY, project_id=project_id, user_id=user_id, key=key).scalar()
    return db.get_one(UserAction, found) if found else None


def find_replay(
    db: Session, project_id: int, user_id: int, key: str, request_hash: str | None
) -> UserAction | None:
    """Find the act of this very request, if it was sent before. Raises KeyReused.

    An act without a hash is from before hashes were kept: there the key alone decides.
    """
    action = find_action(db, project_id, user_id, key)
    if action is None:
        return None
    is_other = (
        None not in (action.request_hash, request_hash) and action.request_hash != request_hash
    )
    if is_other or action.kind == "import":
        raise KeyReused
    return action


def begin_action(
    db: Session,
    project_id: int,
    user_id: int,
    *,
    kind: str,
    key: str,
    session_id: int | None,
    request_hash: str | None = None,
) -> UserAction | None:
    """Store a new action of this user; None where another request with the same key came first."""
    _check_key(key)
    performed_at, active_seconds = _compute_timing(db, project_id, user_id)
    dialect = db.get_bind().dialect.name
    action_id = execute_core(
        db,
        _BEGIN[dialect],
        project_id=project_id,
        user_id=user_id,
        session_id=session_id,
        kind=kind,
        key=key,
        request_hash=request_hash,
        performed_at=performed_at,
        active_seconds=active_seconds,
    ).scalar()
    return db.get_one(UserAction, action_id) if action_id else None


def _check_key(key: str) -> None:
    if not 0 < len(key) <= KEY_LENGTH or not key.isprintable():
        raise Invalid(f"An idempotency key must have 1 to {KEY_LENGTH} printable characters.")


def _compute_timing(db: Session, project_id: int, user_id: int) -> tuple[datetime, float]:
    """Now, or just after the user's latest undo should a clock have gone back: it clears redo.
    Beside it the seconds since the user's act or undo before, 0 after a pause.

    Only what was undone since the newest standing act could still be redone.
    """
    params = {"project_id": project_id, "user_id": user_id}
    newest = execute_core(db, _NEWEST, **params).first()
    latest = execute_core(db, _UNDONE, **params, action_id=newest.id if newest else 0).scalar()
    now = utc_now()
    now = now if latest is None else max(now, latest + timedelta(microseconds=1))
    ends = (newest.performed_at if newest else None, latest)
    before = [moment for moment in ends if moment is not None]
    seconds = (now - max(before)).total_seconds() if before else 0.0
    return now, seconds if 0 < seconds <= LONGEST_PAUSE_SECONDS else 0.0


def require_action(
    db: Session, project_id: int, user_id: int, key: str, request_hash: str | None
) -> UserAction:
    """Return the action that came first with this key. Raises Conflict, KeyReused."""
    action = find_replay(db, project_id, user_id, key, request_hash)
    if action is None:
        raise Conflict("Another request with the same key is still in progress. Try again.")
    return action

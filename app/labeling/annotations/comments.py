"""Flags and comments on records: acts like any other, so undo takes them back."""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.labeling.annotations.actions import UNFLAG, begin_action, find_replay, require_action
from app.labeling.annotations.annotate import check_records
from app.labeling.annotations.undo import undo
from app.models import Comment, Project, UserAction

LONGEST_COMMENT = 5_000


def store_comment(
    db: Session,
    project: Project,
    user_id: int,
    record_id: int,
    kind: Literal["flag", "comment"],
    *,
    key: str,
    body: str = "",
    session_id: int | None = None,
    request_hash: str | None = None,
) -> UserAction | None:
    """Flag a record or write about it; flagging what the user flagged takes the flag off again.

    Idempotent by key like annotate(). Raises NotFound, Invalid, KeyReused.
    """
    if (done := find_replay(db, project.id, user_id, key, request_hash)) is not None:
        return done if done.kind != UNFLAG else _last_flag(db, user_id, record_id)
    check_records(db, project.id, [record_id])
    words = body.strip().replace("\0", "")
    if kind == "comment" and not 0 < len(words) <= LONGEST_COMMENT:
        raise Invalid(f"A comment must have 1 to {LONGEST_COMMENT:,} characters.")
    flagged = _find_own_flag(db, user_id, record_id) if kind == "flag" else None
    action = begin_action(
        db,
        project.id,
        user_id,
        kind=UNFLAG if flagged else "comment",
        key=key,
        session_id=session_id,
        request_hash=request_hash,
    )
    if action is None:
        done = require_action(db, project.id, user_id, key, request_hash)
        return done if done.kind != UNFLAG else _last_flag(db, user_id, record_id)
    if flagged is not None:
        return undo(db, project, user_id, action_id=flagged)
    db.add(
        Comment(
            action_id=action.id,
            project_id=project.id,
            record_id=record_id,
            user_id=user_id,
            kind=kind,
            body=words,
        )
    )
    return action


def _find_own_flag(db: Session, user_id: int, record_id: int) -> int | None:
    """Find the action with which this user flagged the record, if the flag is set."""
    return db.scalar(
        select(Comment.action_id).where(
            Comment.record_id == record_id,
            Comment.user_id == user_id,
            Comment.kind == "flag",
            Comment.withdrawn_at.is_(None),
        )
    )


def _last_flag(db: Session, user_id: int, record_id: int) -> UserAction | None:
    """Find the newest action with which this user flagged the record, set or withdrawn."""
    return db.scalar(
        select(UserAction)
        .join(Comment, Comment.action_id == UserAction.id)
        .where(Comment.record_id == record_id, Comment.user_id == user_id, Comment.kind == "flag")
        .order_by(UserAction.id.desc())
        .limit(1)
    )

"""Undo and redo: a user's acts in a project, taken back newest first and restored in order.

Decision: both are derived from the acts alone. An undone act can be restored as long as its user
did nothing new since it was undone. Imports are not undone here: they are nobody's key press.
"""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, exists, select, union, update
from sqlalchemy.orm import Session, aliased

from app.db.session import execute_core
from app.errors import NotFound
from app.labeling.annotations.consensus import update_consensus
from app.models import Annotation, Comment, Project, UserAction, utc_now

UNDOABLE = ("single", "page", "comment")


def _is_overtaken() -> ColumnElement[bool]:
    later = aliased(UserAction)
    return exists().where(
        later.project_id == UserAction.project_id,
        later.user_id == UserAction.user_id,
        later.kind.in_(UNDOABLE),
        later.id > UserAction.id,
        later.performed_at >= UserAction.undone_at,
    )


_ACT_ID: BindParameter[Any] = bindparam("action_id")
_BY_USER = (
    UserAction.project_id == bindparam("project_id"),
    UserAction.user_id == bindparam("user_id"),
    UserAction.kind.in_(UNDOABLE),
)
_NEXT_UNDO = (
    select(UserAction.id)
    .where(*_BY_USER, UserAction.undone_at.is_(None))
    .order_by(UserAction.id.desc())
    .limit(1)
)
_NEXT_REDO = (
    select(UserAction.id)
    .where(*_BY_USER, UserAction.undone_at.is_not(None), UserAction.id > _ACT_ID, ~_is_overtaken())
    .order_by(UserAction.id)
    .limit(1)
)
_OWN_ACT = select(UserAction.id).where(*_BY_USER, UserAction.id == _ACT_ID)
_RECORDS = union(
    select(Annotation.record_id).where(Annotation.action_id == _ACT_ID),
    select(Comment.record_id).where(Comment.action_id == _ACT_ID),
)
_ANNOTATED = select(Annotation.record_id).where(Annotation.action_id == _ACT_ID).distinct()


def undo(
    db: Session, project: Project, user_id: int, *, action_id: int | None = None
) -> UserAction | None:
    """Withdraw the user's newest act in this project; None when there is nothing left to undo.

    action_id  this very act instead; when it is undone already nothing happens, so that a browser
            may ask again when it is unsure. Raises NotFound when it is not one of theirs.
    """
    action = (
        _find_own_action(db, project, user_id, action_id)
        if action_id
        else find_next_undo(db, project.id, user_id)
    )
    if action is not None and action.undone_at is None:
        _set_withdrawn(db, action, is_withdrawn=True)
    return action


def redo(
    db: Session, project: Project, user_id: int, *, action_id: int | None = None
) -> UserAction | None:
    """Restore the act that was undone last; None when there is none, or something new was done.

    action_id  as for undo()
    """
    action = (
        _find_own_action(db, project, user_id, action_id)
        if action_id
        else find_next_redo(db, project.id, user_id)
    )
    if action is not None and action.undone_at is not None:
        _set_withdrawn(db, action, is_withdrawn=False)
    return action


def find_next_undo(db: Session, project_id: int, user_id: int) -> UserAction | None:
    """Find the action that undo would withdraw."""
    undo_id, _ = find_undo_and_redo_ids(db, project_id, user_id)
    return db.get(UserAction, undo_id) if undo_id else None


def find_next_redo(db: Session, project_id: int, user_id: int) -> UserAction | None:
    """Find the action that redo would restore."""
    _, redo_id = find_undo_and_redo_ids(db, project_id, user_id)
    return db.get(UserAction, redo_id) if redo_id else None


def find_undo_and_redo_ids(
    db: Session, project_id: int, user_id: int
) -> tuple[int | None, int | None]:
    """Find the ids of the actions that undo would withdraw and redo restore."""
    params = {"project_id": project_id, "user_id": user_id}
    undo_id = execute_core(db, _NEXT_UNDO, **params).scalar()
    return undo_id, execute_core(db, _NEXT_REDO, **params, action_id=undo_id or 0).scalar()


def list_record_ids(db: Session, action: UserAction) -> list[int]:
    """List the records that an action is about."""
    return sorted(execute_core(db, _RECORDS, action_id=action.id).scalars())


def _find_own_action(db: Session, project: Project, user_id: int, action_id: int) -> UserAction:
    params = {"project_id": project.id, "user_id": user_id, "action_id": action_id}
    if execute_core(db, _OWN_ACT, **params).first() is None:
        raise NotFound("act")
    return db.get_one(UserAction, action_id)


def _set_withdrawn(db: Session, action: UserAction, *, is_withdrawn: bool) -> None:
    # Never before the act itself: `performed_at` of a later act is compared with it.
    moment = max(utc_now(), action.performed_at) if is_withdrawn else None
    action.undone_at = moment
    db.flush()
    for table in (Annotation, Comment):
        db.execute(update(table).where(table.action_id == action.id).values(withdrawn_at=moment))
    update_consensus(
        db, action.project_id, execute_core(db, _ANNOTATED, action_id=action.id).scalars().all()
    )

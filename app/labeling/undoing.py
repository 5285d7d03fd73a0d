"""Undo and redo: a user's acts in a project, taken back newest first and restored in order.

Decision: both are derived from the acts alone. An undone act can be restored as long as its user
did nothing new since it was undone. Imports are not undone here: they are nobody's key press.
"""

from sqlalchemy import ColumnElement, Select, exists, select, update
from sqlalchemy.orm import Session, aliased

from app.errors import NotFound
from app.labeling.consensus import settle
from app.models import Act, Annotation, Project, Remark, utc_now

UNDOABLE = ("single", "page", "remark")


def undo(db: Session, project: Project, user_id: int, *, act_id: int | None = None) -> Act | None:
    """Withdraw the user's newest act in this project; None when there is nothing left to undo.

    act_id  this very act instead; when it is undone already nothing happens, so that a browser
            may ask again when it is unsure. Raises NotFound when it is not one of theirs.
    """
    act = _named(db, project, user_id, act_id) if act_id else next_undo(db, project.id, user_id)
    if act is not None and act.undone_at is None:
        _set_withdrawn(db, act, is_withdrawn=True)
    return act


def redo(db: Session, project: Project, user_id: int, *, act_id: int | None = None) -> Act | None:
    """Restore the act that was undone last; None when there is none, or something new was done.

    act_id  as for undo()
    """
    act = _named(db, project, user_id, act_id) if act_id else next_redo(db, project.id, user_id)
    if act is not None and act.undone_at is not None:
        _set_withdrawn(db, act, is_withdrawn=False)
    return act


def next_undo(db: Session, project_id: int, user_id: int) -> Act | None:
    """The act that undo would withdraw."""
    standing = _acts(project_id, user_id).where(Act.undone_at.is_(None))
    return db.scalar(standing.order_by(Act.id.desc()).limit(1))


def next_redo(db: Session, project_id: int, user_id: int) -> Act | None:
    """The act that redo would restore."""
    newest = next_undo(db, project_id, user_id)
    undone = _acts(project_id, user_id).where(
        Act.undone_at.is_not(None), Act.id > (newest.id if newest else 0), ~_is_overtaken()
    )
    return db.scalar(undone.order_by(Act.id).limit(1))


def record_ids_of(db: Session, act: Act) -> list[int]:
    """The records that an act is about."""
    annotated = select(Annotation.record_id).where(Annotation.act_id == act.id)
    remarked = select(Remark.record_id).where(Remark.act_id == act.id)
    return sorted(db.scalars(annotated.union(remarked)))


def _acts(project_id: int, user_id: int) -> Select[Act]:
    return select(Act).where(
        Act.project_id == project_id, Act.user_id == user_id, Act.kind.in_(UNDOABLE)
    )


def _is_overtaken() -> ColumnElement[bool]:
    later = aliased(Act)
    return exists().where(
        later.project_id == Act.project_id,
        later.user_id == Act.user_id,
        later.kind.in_(UNDOABLE),
        later.id > Act.id,
        later.acted_at >= Act.undone_at,
    )


def _named(db: Session, project: Project, user_id: int, act_id: int) -> Act:
    act = db.scalar(_acts(project.id, user_id).where(Act.id == act_id))
    if act is None:
        raise NotFound("act")
    return act


def _set_withdrawn(db: Session, act: Act, *, is_withdrawn: bool) -> None:
    # Never before the act itself: `acted_at` of a later act is compared with it.
    moment = max(utc_now(), act.acted_at) if is_withdrawn else None
    act.undone_at = moment
    db.flush()
    for table in (Annotation, Remark):
        db.execute(update(table).where(table.act_id == act.id).values(withdrawn_at=moment))
    about = db.scalars(select(Annotation.record_id).where(Annotation.act_id == act.id).distinct())
    settle(db, act.project_id, about.all())

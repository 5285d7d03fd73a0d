"""Editing the label set while people label: every change is logged and can be undone.

Decision: annotations keep the label they were given. A merge only says what that label counts for
now, and consensus follows in the same transaction; so undoing gives everything back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.labeling.labels.merge import transfer_consensus
from app.models import Label, LabelChange, User, utc_now
from app.models.enums import Role
from app.projects.label_names import clean_name, name_key
from app.projects.label_resolver import load_merge_targets, lock_merge_targets
from app.projects.labels import N_COLOURS, label_set

EDITORS = (Role.ADMIN, Role.REVIEWER)


def may_edit(user: User) -> bool:
    """Whether this user may change labels that others use already."""
    return user.role in EDITORS


def require_editor(user: User) -> None:
    """Raise NotAllowed for those who may only add labels."""
    if not may_edit(user):
        raise NotAllowed("Only an admin or a reviewer can change labels in use.")


def find_label(db: Session, project_id: int, label_id: int) -> Label:
    """Find the label. Raises NotFound when it is unknown or another project's."""
    found = select(Label).where(Label.project_id == project_id, Label.id == label_id)
    label = db.scalar(found)
    if label is None:
        raise NotFound("label")
    return label


def rename(db: Session, project_id: int, label_id: int, name: str, by: User | None) -> Label:
    """Give the label another name. Raises Conflict when another label has it, however written."""
    label = find_label(db, project_id, label_id)
    clean = clean_name(name)
    _check_name(db, label, clean)
    _change(db, label, by, "rename", {"name": clean, "name_key": name_key(clean)})
    return label


def _check_name(db: Session, label: Label, name: str) -> None:
    same = select(Label.id).where(
        Label.project_id == label.project_id,
        Label.name_key == name_key(name),
        Label.id != label.id,
    )
    if db.scalar(same) is not None:
        raise Conflict(f"A label “{name}” already exists. Merge the two instead.")


def recolour(db: Session, project_id: int, label_id: int, colour: int, by: User | None) -> Label:
    """Give the label another of the 20 colours."""
    if not 0 <= colour < N_COLOURS:
        raise Invalid(f"The colour must be a number from 0 to {N_COLOURS - 1}.")
    label = find_label(db, project_id, label_id)
    _change(db, label, by, "recolour", {"colour": colour})
    return label


def move(db: Session, project_id: int, label_id: int, steps: int, by: User | None) -> Label:
    """Move the label up (negative) or down in the set; its key moves with it."""
    label = find_label(db, project_id, label_id)
    order = label_set(db, project_id)
    at = order.index(label) if label in order else len(order)
    to = min(max(at + steps, 0), len(order) - 1)
    _log(db, label, by, "move", {"position": to}, before={"position": at})
    _place(db, label, to)
    return label


def _place(db: Session, label: Label, to: int) -> None:
    order = [each for each in label_set(db, label.project_id) if each.id != label.id]
    order.insert(to, label)
    for position, each in enumerate(order):
        each.position = position
    db.flush()


def retire(db: Session, project_id: int, label_id: int, by: User | None) -> Label:
    """Offer the label no longer; what was labeled with it stays as it is."""
    label = find_label(db, project_id, label_id)
    if label.retired_at is None:
        _change(db, label, by, "retire", {"retired_at": utc_now()})
    return label


def merge(db: Session, project_id: int, label_id: int, into_id: int, by: User | None) -> Label:
    """From now on everything labeled with the one counts for the other."""
    label, target = find_label(db, project_id, label_id), find_label(db, project_id, into_id)
    if label.id == target.id:
        raise Invalid("A label cannot be merged into itself.")
    if target.merged_into_id is not None or target.retired_at is not None:
        raise Conflict(f"The label “{target.name}” is not in use. Choose another to merge into.")
    if label.merged_into_id is not None:
        raise Conflict(f"The label “{label.name}” is already merged.")
    _change(db, label, by, "merge", {"merged_into_id": target.id})
    return label


def restore(db: Session, project_id: int, label_id: int, by: User | None) -> Label:
    """Offer a retired or merged label again, with everything that was labeled with it."""
    label = find_label(db, project_id, label_id)
    _change(db, label, by, "restore", {"retired_at": None, "merged_into_id": None})
    return label


def undo_change(db: Session, project_id: int, change_id: int) -> Label:
    """Put back what one change changed. Raises Conflict when it was changed again since."""
    known = select(LabelChange).where(LabelChange.project_id == project_id)
    change = db.scalar(known.where(LabelChange.id == change_id))
    if change is None:
        raise NotFound("change")
    label = find_label(db, project_id, change.label_id)
    if change.undone_at is None:
        _revert(db, label, change)
        change.undone_at = utc_now()
    return label


def list_changes(db: Session, project_id: int, limit: int = 20) -> list[LabelChange]:
    """List the newest changes of the label set, newest first."""
    ours = select(LabelChange).where(LabelChange.project_id == project_id)
    return list(db.scalars(ours.order_by(LabelChange.id.desc()).limit(limit)))


def _revert(db: Session, label: Label, change: LabelChange) -> None:
    if change.kind == "add":
        label.retired_at = utc_now()
    elif change.kind == "move":
        _place(db, label, change.before["position"])
    elif change.kind == "rename":
        _check_name(db, label, change.before["name"])
    if change.kind in ("add", "move"):
        return
    if any(_as_json(getattr(label, name)) != value for name, value in change.after.items()):
        raise Conflict(f"The label “{label.name}” was changed again later. Undo that change first.")
    _set(db, label, change.before)


def _change(db: Session, label: Label, by: User | None, kind: str, after: dict[str, Any]) -> None:
    before = {name: getattr(label, name) for name in after}
    _log(db, label, by, kind, after, before=before)
    _set(db, label, after)


def _log(
    db: Session,
    label: Label,
    by: User | None,
    kind: str,
    after: Mapping[str, Any],
    before: Mapping[str, Any],
) -> None:
    db.add(
        LabelChange(
            project_id=label.project_id,
            label_id=label.id,
            user_id=by.id if by else None,
            kind=kind,
            before={name: _as_json(value) for name, value in before.items()},
            after={name: _as_json(value) for name, value in after.items()},
        )
    )


def _set(db: Session, label: Label, values: Mapping[str, Any]) -> None:
    if "merged_into_id" in values:
        lock_merge_targets(db, label.project_id)
    counted_for = _counts_for(db, label)
    for name, value in values.items():
        is_moment = name == "retired_at" and isinstance(value, str)
        setattr(label, name, datetime.fromisoformat(value) if is_moment else value)
    db.flush()
    if _counts_for(db, label) != counted_for:
        transfer_consensus(db, label, counted_for, _counts_for(db, label))


def _counts_for(db: Session, label: Label) -> int:
    return load_merge_targets(db, label.project_id).get(label.id, label.id)


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value

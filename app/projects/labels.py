"""The label set of a project: list and add labels."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.models import Label, LabelChange, User
from app.projects.label_names import clean_name, name_key

N_COLOURS = 20


def label_set(db: Session, project_id: int) -> list[Label]:
    """Return the labels in use, by position: neither retired nor merged."""
    return [label for label in list_all_labels(db, project_id) if is_offered(label)]


def list_all_labels(db: Session, project_id: int) -> list[Label]:
    """Return all labels the project ever had, by position."""
    return list(
        db.scalars(
            select(Label).where(Label.project_id == project_id).order_by(Label.position, Label.id)
        )
    )


def is_offered(label: Label) -> bool:
    """Check whether the label is in use."""
    return label.retired_at is None and label.merged_into_id is None


def add_label(db: Session, project_id: int, name: str, by: User | None) -> Label:
    """Add a label at the end of the set, in the next colour; the change is logged.

    Raises Conflict when the project has a label of that name, however it is written.
    """
    clean = clean_name(name)
    present = db.scalar(
        select(Label).where(Label.project_id == project_id, Label.name_key == name_key(clean))
    )
    if present is not None:
        raise Conflict(_taken_message(present))
    position = _next_position(db, project_id)
    label = Label(
        project_id=project_id,
        name=clean,
        name_key=name_key(clean),
        colour=position % N_COLOURS,
        position=position,
    )
    db.add(label)
    db.flush()
    after = {"name": clean, "colour": label.colour}
    user_id = by.id if by else None
    db.add(
        LabelChange(
            project_id=project_id, label_id=label.id, user_id=user_id, kind="add", after=after
        )
    )
    return label


def _next_position(db: Session, project_id: int) -> int:
    newest = select(func.max(Label.position)).where(Label.project_id == project_id)
    position = db.scalar(newest)
    return 0 if position is None else position + 1


def _taken_message(label: Label) -> str:
    if label.merged_into_id is not None:
        return f"The label “{label.name}” was merged into another; restore it to use it again."
    if label.retired_at is not None:
        return f"The label “{label.name}” is retired; restore it to use it again."
    return f"The label “{label.name}” already exists."


def shortcut_for_position(position: int) -> str:
    """Return the shortcut for the label at this position: 1 to 9, then 0, then none."""
    return str((position + 1) % 10) if 0 <= position < 10 else ""

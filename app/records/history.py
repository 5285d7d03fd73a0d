"""History of a record: its annotations, flags and comments."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.models import Annotation, Comment, Label, LabelingSession, User, Version


@dataclass(frozen=True)
class AnnotationDetail:
    """An annotation with its user, label and version; withdrawn ones are included."""

    annotation: Annotation
    user: User | None
    label: Label | None
    suggestion: Label | None
    session: LabelingSession | None
    version: int | None


def load_history(db: Session, record_id: int) -> list[AnnotationDetail]:
    """Return all annotations of the record, newest first."""
    suggestion = aliased(Label)
    rows = db.execute(
        select(Annotation, User, Label, suggestion, LabelingSession, Version.number)
        .outerjoin(User, User.id == Annotation.user_id)
        .outerjoin(Label, Label.id == Annotation.label_id)
        .outerjoin(suggestion, suggestion.id == Annotation.suggestion_id)
        .outerjoin(LabelingSession, LabelingSession.id == Annotation.session_id)
        .outerjoin(Version, Version.id == Annotation.version_id)
        .where(Annotation.record_id == record_id)
        .order_by(Annotation.id.desc())
    )
    return [AnnotationDetail(*row) for row in rows]


def load_comments(db: Session, record_id: int) -> list[tuple[Comment, User | None]]:
    """Return flags and comments that were not withdrawn, newest first."""
    rows = db.execute(
        select(Comment, User)
        .outerjoin(User, User.id == Comment.user_id)
        .where(Comment.record_id == record_id, Comment.withdrawn_at.is_(None))
        .order_by(Comment.id.desc())
    )
    return list(rows)

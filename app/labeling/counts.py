"""How much is labeled, and by whom."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.labeling.says import PEOPLE
from app.models import Annotation, Consensus


def n_labeled(db: Session, project_id: int) -> int:
    """Records with consensus, "none of these" included."""
    distinct = func.count(Consensus.record_id.distinct())
    return db.scalar(select(distinct).where(Consensus.project_id == project_id)) or 0


def label_counts(db: Session, project_id: int) -> dict[int, int]:
    """Label id → records whose consensus carries it; labels without a record are missing."""
    rows = db.execute(
        select(Consensus.label_id, func.count())
        .where(Consensus.project_id == project_id, Consensus.label_id.is_not(None))
        .group_by(Consensus.label_id)
    )
    return {label_id: n for label_id, n in rows if label_id is not None}


def labeled_by_user(db: Session, project_id: int) -> dict[int, int]:
    """User id → records that the user labeled by hand and did not take back."""
    rows = db.execute(
        select(Annotation.user_id, func.count(Annotation.record_id.distinct()))
        .where(
            Annotation.project_id == project_id,
            Annotation.withdrawn_at.is_(None),
            Annotation.source.in_(PEOPLE),
            Annotation.verdict.in_(("label", "none")),
        )
        .group_by(Annotation.user_id)
    )
    return {user_id: n for user_id, n in rows if user_id is not None}

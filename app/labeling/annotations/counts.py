"""How much is labeled."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Consensus


def count_labeled(db: Session, project_id: int) -> int:
    """Count records with consensus, "none of these" included."""
    distinct = func.count(Consensus.record_id.distinct())
    return db.scalar(select(distinct).where(Consensus.project_id == project_id)) or 0


def count_by_label(db: Session, project_id: int) -> dict[int, int]:
    """Label id → records whose consensus carries it; labels without a record are missing."""
    rows = db.execute(
        select(Consensus.label_id, func.count())
        .where(Consensus.project_id == project_id, Consensus.label_id.is_not(None))
        .group_by(Consensus.label_id)
    )
    return {label_id: n for label_id, n in rows if label_id is not None}

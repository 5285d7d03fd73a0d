"""How far suggestions keep what they promise: what people said of the newest ones."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.annotations.votes import human_vote_conditions
from app.models import Annotation, Project

NEWEST = 500
# As if two mistakes had been expected and made before: a few rows prove nothing.
BEFOREHAND = 2.0
LEAST, MOST = 0.25, 4.0


def compute_mistake_ratio(db: Session, project: Project) -> float:
    """How many suggestions were wrong for each that was expected to be, from 0.25 to 4; 1 before
    anybody judged one.

    Counted over the newest rows that people judged one by one or on a page. Suggestions are
    calibrated on records that were labeled already, which are the easier ones; this mends it.
    """
    if project.is_multi_label:
        return 1.0
    judged = (
        select(Annotation.label_id, Annotation.suggestion_id, Annotation.suggestion_score)
        .where(
            *human_vote_conditions(project.id),
            Annotation.suggestion_score.is_not(None),
            Annotation.rank.is_not(None),
        )
        .order_by(Annotation.id.desc())
        .limit(NEWEST)
    )
    rows = db.execute(judged).all()
    expected = sum(1 - (score or 0.0) for _, _, score in rows)
    wrong = sum(label_id != suggestion_id for label_id, suggestion_id, _ in rows)
    return min(MOST, max(LEAST, (wrong + BEFOREHAND) / (expected + BEFOREHAND)))

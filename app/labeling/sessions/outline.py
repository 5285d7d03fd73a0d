"""A session in outline: enough of every row to draw a threshold through all of them at once."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.annotations.votes import is_decided
from app.labeling.sessions.kinds import describe_kind
from app.labeling.sessions.rows import find_suggestions
from app.models import LabelingSession, Project, SessionItem


@dataclass(frozen=True)
class Outline:
    """Rows that the user has not decided, by rank; the lists belong together.

    ranks       places in the frozen order, ascending
    similarity  cosine to the seed, None where there is none
    score       the chance of the first suggestion, None where nothing is suggested
    """

    ranks: list[int]
    similarity: list[float | None]
    score: list[float | None]


def build_outline(db: Session, project: Project, session: LabelingSession, user_id: int) -> Outline:
    """The undecided rows of the session as the user sees them."""
    open_rows = db.execute(
        select(SessionItem.rank, SessionItem.record_id, SessionItem.similarity)
        .where(SessionItem.session_id == session.id, ~is_decided(user_id))
        .order_by(SessionItem.rank)
    ).all()
    ids = [row.record_id for row in open_rows]
    suggested = {}
    if describe_kind(session).has_suggestions:
        suggested = find_suggestions(db, project, session.encoder_id, ids)
    return Outline(
        [row.rank for row in open_rows],
        [None if row.similarity is None else round(row.similarity, 4) for row in open_rows],
        [round(suggested[i][0].score, 4) if i in suggested else None for i in ids],
    )

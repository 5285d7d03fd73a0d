"""The audit stream: records drawn by chance alone, never trained on, so that their labels tell
without bias how often suggestions are right.

Decision: the order in which records join is that of their content_hash. A sha256 falls as a die
does, whatever the text says, and records with equal text join together: none of them can teach
what is asked of the other. `projects.holdout_until` is the last hash that belongs to the stream; it
only ever grows, and whoever arrives later joins by the same rule.
Decision: it does not matter in which session a record of the stream was labeled. Training leaves
it out from then on (app.training.pipeline.snapshot), and what a version has seen before is not held
to be an audit of that version (app.training.pipeline.holdout).
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from app.models import Consensus, Project, Record

N_PER_SESSION = 50
"""Records that one audit session adds: with 50, a share is known to within about 14 points."""


@dataclass(frozen=True)
class HoldoutCounts:
    """How many records the stream holds, and how many of them are labeled."""

    n_records: int
    n_labeled: int


def is_in_holdout(project_id: int) -> ColumnElement[bool]:
    """For a query that reads `records`: whether a record belongs to the project's stream."""
    until = select(Project.holdout_until).where(Project.id == project_id).scalar_subquery()
    return Record.content_hash <= until


def draw_holdout(db: Session, project: Project, n_more: int = N_PER_SESSION) -> list[int]:
    """Draw the first n_more records of the stream that are not labeled yet, in its order.

    Writes: the stream grows by as many records as are lacking, so call it within `transaction()`.
    Fewer come back only when the whole project belongs to the stream.
    """
    ours = db.get_one(Project, project.id, with_for_update={"key_share": True})
    db.refresh(ours, ["holdout_until"])
    labeled = exists().where(Consensus.record_id == Record.id)
    found = db.execute(
        select(Record.id, Record.content_hash)
        .where(Record.project_id == project.id, ~labeled)
        .order_by(Record.content_hash, Record.id)
        .limit(n_more)
    ).all()
    if found:
        ours.holdout_until = max(ours.holdout_until, found[-1].content_hash)
        db.flush()
    return [record_id for record_id, _ in found]


def count_holdout(db: Session, project_id: int) -> HoldoutCounts:
    """How large the project's audit stream is, and how much of it is labeled."""
    ours = (Record.project_id == project_id, is_in_holdout(project_id))
    labeled = exists().where(Consensus.record_id == Record.id)
    n_records = db.scalar(select(func.count(Record.id)).where(*ours)) or 0
    n_labeled = db.scalar(select(func.count(Record.id)).where(*ours, labeled)) or 0
    return HoldoutCounts(n_records, n_labeled)

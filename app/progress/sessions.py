"""The latest sessions: processed records, purity and effort."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.labeling.sessions.session_list import count_labeled_in
from app.models import Consensus, LabelingSession, SessionItem, User
from app.progress.aggregates import WorkTotals, group_totals, sum_totals

SHOWN = 12


@dataclass(frozen=True)
class SessionRow:
    """One session.

    n_decided  of its records, how many have consensus
    purity     the share of its commonest label among those with a label; None below two of them
    done       what was done in it
    """

    session: LabelingSession
    starter: str
    n_decided: int
    purity: float | None
    done: WorkTotals


def build_session_rows(
    db: Session, project_id: int, totals: Sequence[WorkTotals]
) -> list[SessionRow]:
    """Build the newest sessions in which any of these tallies was done, the newest first."""
    done = group_totals(totals, lambda each: each.session_id)
    newest = sorted((each for each in done if each is not None), reverse=True)[:SHOWN]
    found = db.execute(
        select(LabelingSession, User.name)
        .outerjoin(User, User.id == LabelingSession.user_id)
        .where(LabelingSession.project_id == project_id, LabelingSession.id.in_(newest))
        .order_by(LabelingSession.id.desc())
    ).all()
    n_labeled = count_labeled_in(db, newest)
    purities = _compute_purities(db, newest)
    return [
        SessionRow(
            session,
            name or "",
            n_labeled.get(session.id, 0),
            purities.get(session.id),
            sum_totals(done[session.id]),
        )
        for session, name in found
    ]


def _compute_purities(db: Session, session_ids: Sequence[int]) -> dict[int, float]:
    rows = db.execute(
        select(SessionItem.session_id, Consensus.label_id, func.count())
        .join(Consensus, Consensus.record_id == SessionItem.record_id)
        .where(SessionItem.session_id.in_(session_ids), Consensus.label_id.is_not(None))
        .group_by(SessionItem.session_id, Consensus.label_id)
    )
    counts: dict[int, list[int]] = defaultdict(list)
    for session_id, _, n in rows:
        counts[session_id].append(n)
    return {each: max(ns) / sum(ns) for each, ns in counts.items() if sum(ns) > 1}

"""Compare labeling methods: labels per minute and actions per label, by session kind and method."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.sessions.kinds import SESSION_KINDS
from app.models import LabelingSession
from app.models.enums import AnnotationSource
from app.progress.aggregates import WorkTotals, group_totals, sum_totals

OUTSIDE_SESSIONS = "Outside sessions"
HANDS: dict[str, str] = {AnnotationSource.SINGLE: "one by one", AnnotationSource.PAGE: "by page"}


@dataclass(frozen=True)
class MethodRow:
    """A labeling method: the kind of seed ("" outside of sessions), and single or page."""

    seed_kind: str
    hand: str
    done: WorkTotals

    @property
    def seed_words(self) -> str:
        """Return the display name of the seed."""
        if not self.seed_kind:
            return OUTSIDE_SESSIONS
        kind = SESSION_KINDS.get(self.seed_kind)
        return kind.name if kind else self.seed_kind

    @property
    def hand_words(self) -> str:
        """Return the display name of the method."""
        return HANDS[self.hand]


def build_method_rows(
    db: Session, project_id: int, totals: Sequence[WorkTotals]
) -> list[MethodRow]:
    """List the methods that produced labels, in the order of SESSION_KINDS."""
    kinds = load_seed_kinds(db, project_id)
    by_hand = [total for total in totals if total.way in HANDS]
    ways = group_totals(by_hand, lambda each: (kinds.get(each.session_id or 0, ""), each.way))
    rows = [MethodRow(kind, hand, sum_totals(done)) for (kind, hand), done in ways.items()]
    order = {kind: place for place, kind in enumerate((*SESSION_KINDS, ""))}
    kept = [row for row in rows if row.done.n_labels]
    return sorted(
        kept,
        key=lambda row: (order.get(row.seed_kind, len(order)), row.hand != AnnotationSource.SINGLE),
    )


def load_seed_kinds(db: Session, project_id: int) -> dict[int, str]:
    """Map session ids to the kind of seed."""
    rows = db.execute(
        select(LabelingSession.id, LabelingSession.seed_kind).where(
            LabelingSession.project_id == project_id
        )
    )
    return {row[0]: row[1] for row in rows}

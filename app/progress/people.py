"""Progress by annotator: labels by method, speed, and match with consensus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session, aliased

from app.models import Annotation, Consensus, User, UserAction
from app.models.enums import AUTOMATIC_SOURCES, LABELING_VERDICTS, MANUAL_SOURCES, AnnotationSource
from app.progress.aggregates import WorkTotals, group_totals, sum_totals

SOURCES: tuple[str, ...] = tuple(AnnotationSource)
# How many of a person's latest single decisions speak for all: enough for a median and a share.
MAX_DECISIONS = 500
LONGEST_MILLISECONDS = 120_000


@dataclass(frozen=True)
class RecentDecisions:
    """An annotator's latest single decisions.

    seconds   the median time before the eyes; None while no browser measured any
    n_shared  of these records, how many somebody else judged, too
    n_agreed  of those, how many labels are what the record's consensus says
    """

    seconds: float | None = None
    n_shared: int = 0
    n_agreed: int = 0

    @property
    def agreement(self) -> float | None:
        """Return the share that matches consensus; None if no other annotator labeled any."""
        return self.n_agreed / self.n_shared if self.n_shared else None


@dataclass(frozen=True)
class PersonRow:
    """One person. `by_way` counts labels that stand; done sums what was done by hand."""

    user_id: int | None
    name: str
    by_way: Mapping[str, int]
    done: WorkTotals
    hand: RecentDecisions

    @property
    def n_labels(self) -> int:
        """Labels that stand, however they were given."""
        return sum(self.by_way.values())


def build_person_rows(
    db: Session, project_id: int, totals: Sequence[WorkTotals]
) -> list[PersonRow]:
    """List all active annotators by name, not as a ranking."""
    of_user = group_totals(totals, lambda each: each.user_id)
    known = [user_id for user_id in of_user if user_id is not None]
    found = db.execute(select(User.id, User.name).where(User.id.in_(known)))
    names = {row[0]: row[1] for row in found}
    rows = [
        _build_row(
            user_id,
            names.get(user_id or 0, "(no user)"),
            done,
            load_recent_decisions(db, project_id, user_id) if user_id else RecentDecisions(),
        )
        for user_id, done in of_user.items()
    ]
    return sorted(rows, key=lambda row: (row.user_id is None, row.name.casefold()))


def _build_row(
    user_id: int | None, name: str, done: Sequence[WorkTotals], hand: RecentDecisions
) -> PersonRow:
    by_way = {way: sum(each.n_labels for each in done if each.way == way) for way in SOURCES}
    by_hand = sum_totals(each for each in done if each.way not in AUTOMATIC_SOURCES)
    return PersonRow(user_id, name, by_way, by_hand, hand)


def load_recent_decisions(db: Session, project_id: int, user_id: int) -> RecentDecisions:
    """Load the annotator's latest single decisions without undone ones."""
    rows = db.execute(
        select(Annotation.milliseconds, _is_judged_by_others(), _matches_consensus())
        .join(UserAction, UserAction.id == Annotation.action_id)
        .where(
            UserAction.project_id == project_id,
            UserAction.user_id == user_id,
            UserAction.kind == "single",
            UserAction.undone_at.is_(None),
            Annotation.verdict.in_(LABELING_VERDICTS),
        )
        .order_by(UserAction.id.desc())
        .limit(MAX_DECISIONS)
    ).all()
    times = [row[0] for row in rows if row[0] is not None and 0 < row[0] <= LONGEST_MILLISECONDS]
    shared = [bool(row[2]) for row in rows if row[1]]
    return RecentDecisions(median(times) / 1000 if times else None, len(shared), sum(shared))


def _is_judged_by_others() -> ColumnElement[bool]:
    other = aliased(Annotation)
    return exists().where(
        other.record_id == Annotation.record_id,
        other.user_id != Annotation.user_id,
        other.withdrawn_at.is_(None),
        other.source.in_(MANUAL_SOURCES),
        other.verdict.in_(LABELING_VERDICTS),
    )


def _matches_consensus() -> ColumnElement[bool]:
    return exists().where(
        Consensus.record_id == Annotation.record_id,
        Consensus.label_id.is_not_distinct_from(Annotation.label_id),
    )

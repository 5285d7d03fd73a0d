"""Aggregates of actions, labels and time by annotator, session and method, in two SQL queries.

Decision: active time is the sum of the pauses of at most two minutes between a person's acts. It
stands on the acts themselves, so that no page has to sort all of them.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.labeling.annotations.actions import UNFLAG
from app.models import Annotation, UserAction
from app.models.enums import LABELING_VERDICTS, AnnotationSource

# Shorter than this, what was done in it says nothing about pace.
LEAST_SECONDS = 30.0
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class WorkTotals:
    """Totals of one annotator, session and method, or the sum of several.

    user_id     None: nobody in particular (a file brought in on the command line)
    session_id  None: outside of sessions
    way         single, page, import, rule; comment for flags and comments
    n_labels    labels and "none of these" that were given and not taken back
    n_effective  key presses, page accepts, imports; skips too
    n_undone    undone actions, each one key press more
    seconds     active time
    """

    user_id: int | None = None
    session_id: int | None = None
    way: str = ""
    n_labels: int = 0
    n_effective: int = 0
    n_undone: int = 0
    seconds: float = 0.0

    @property
    def n_actions(self) -> int:
        """Count keystrokes and clicks: actions and undos."""
        return self.n_effective + self.n_undone

    @property
    def per_minute(self) -> float | None:
        """Return labels per minute of active time; None where too little time was measured."""
        return 60 * self.n_labels / self.seconds if self.seconds >= LEAST_SECONDS else None

    @property
    def per_label(self) -> float | None:
        """Return actions per label; None without a label."""
        return self.n_actions / self.n_labels if self.n_labels else None


def load_totals(db: Session, project_id: int) -> list[WorkTotals]:
    """Load the project's totals by annotator, session and method."""
    actions = _count_actions(db, project_id)
    labels: dict[tuple[int | None, int | None, str], int] = defaultdict(int)
    for (user_id, session_id, way), n in _count_labels(db, project_id).items():
        # A near-duplicate that followed a single label is kept as a page's: nobody looked at it.
        is_folded = way == AnnotationSource.PAGE and (user_id, session_id, way) not in actions
        labels[user_id, session_id, AnnotationSource.SINGLE if is_folded else way] += n
    return [
        WorkTotals(*key, labels.get(key, 0), *actions.get(key, (0, 0, 0.0)))
        for key in actions | labels
    ]


def sum_totals(totals: Iterable[WorkTotals]) -> WorkTotals:
    """Sum tallies into one, without annotator and session."""
    listed = list(totals)
    return WorkTotals(
        n_labels=sum(each.n_labels for each in listed),
        n_effective=sum(each.n_effective for each in listed),
        n_undone=sum(each.n_undone for each in listed),
        seconds=sum(each.seconds for each in listed),
    )


def group_totals(
    totals: Iterable[WorkTotals], key: Callable[[WorkTotals], Key]
) -> dict[Key, list[WorkTotals]]:
    """Group and sum the tallies by `key`."""
    groups: dict[Key, list[WorkTotals]] = defaultdict(list)
    for total in totals:
        groups[key(total)].append(total)
    return groups


def _count_actions(
    db: Session, project_id: int
) -> dict[tuple[int | None, int | None, str], tuple[int, int, float]]:
    by = (UserAction.user_id, UserAction.session_id, UserAction.kind)
    rows = db.execute(
        select(
            *by, func.count(), func.count(UserAction.undone_at), func.sum(UserAction.active_seconds)
        )
        # Taking a flag off is counted where the flag was set.
        .where(UserAction.project_id == project_id, UserAction.kind != UNFLAG)
        .group_by(*by)
    )
    return {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in rows}


def _count_labels(db: Session, project_id: int) -> dict[tuple[int | None, int | None, str], int]:
    by = (Annotation.user_id, Annotation.session_id, Annotation.source)
    rows = db.execute(
        select(*by, func.count())
        .where(
            Annotation.project_id == project_id,
            Annotation.withdrawn_at.is_(None),
            Annotation.verdict.in_(LABELING_VERDICTS),
        )
        .group_by(*by)
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}

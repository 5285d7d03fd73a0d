"""The progress report, read in one transaction and limited to what this user may see.

Decision: reviewers and admins see everybody by name; others see themselves and the project, so
that nobody is held up against a colleague.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.labeling.annotations.counts import count_labeled
from app.labeling.labels.label_set import EDITORS
from app.models import Project, Record, User, utc_now
from app.models.enums import AUTOMATIC_SOURCES
from app.progress.aggregates import WorkTotals, load_totals, sum_totals
from app.progress.goals import Goal, build_goal
from app.progress.labels import LabelRow, build_label_rows
from app.progress.methods import MethodRow, build_method_rows
from app.progress.people import PersonRow, build_person_rows
from app.progress.sessions import SessionRow, build_session_rows
from app.progress.timeline import (
    WEEK,
    Timeline,
    build_timeline,
    count_labeled_by,
    find_last_actions,
)


@dataclass(frozen=True)
class Report:
    """A project's progress.

    n_labeled     records with consensus, "none of these" included
    n_lately      of them, those that came in the last seven days
    done          what was done by hand, by everybody together
    is_everybody  whether people and sessions are everybody's, or only the user's own
    """

    n_records: int
    n_labeled: int
    n_last_week: int
    goal: Goal | None
    done: WorkTotals
    timeline: Timeline | None
    labels: Sequence[LabelRow]
    people: Sequence[PersonRow]
    sessions: Sequence[SessionRow]
    ways: Sequence[MethodRow]
    is_everybody: bool

    @property
    def share(self) -> float:
        """Return the share of labeled records."""
        return self.n_labeled / self.n_records if self.n_records else 0.0

    @property
    def n_remaining(self) -> int | None:
        """Return the number of records left to the goal; None without a goal."""
        return None if self.goal is None else max(0, self.goal.n - self.n_labeled)

    @property
    def n_per_day(self) -> float | None:
        """Return the records per day that meet the deadline; None without a future one."""
        if self.goal is None or self.goal.until is None or not self.n_remaining:
            return None
        n_days = (self.goal.until - utc_now().date()) / timedelta(days=1) + 1
        return self.n_remaining / n_days if n_days > 0 else None


def build_report(db: Session, project: Project, user: User) -> Report:
    """Build the report for this user."""
    totals = load_totals(db, project.id)
    is_everybody = user.role in EDITORS
    visible_totals = (
        totals if is_everybody else [total for total in totals if total.user_id == user.id]
    )
    now = utc_now()
    last_acts = find_last_actions(db, project.id, [now - WEEK, now])
    labels = build_label_rows(db, project, last_acts[0])
    before, after = count_labeled_by(db, project, last_acts)
    n_records = _count_records(db, project.id)
    return Report(
        n_records=n_records,
        n_labeled=_count_labeled(db, project, labels),
        n_last_week=after - before,
        goal=build_goal(project, n_records),
        done=sum_totals(total for total in totals if total.way not in AUTOMATIC_SOURCES),
        timeline=build_timeline(db, project, now),
        labels=labels,
        people=build_person_rows(db, project.id, visible_totals),
        sessions=build_session_rows(db, project.id, visible_totals),
        ways=build_method_rows(db, project.id, totals),
        is_everybody=is_everybody,
    )


def _count_records(db: Session, project_id: int) -> int:
    return db.scalar(select(func.count()).where(Record.project_id == project_id)) or 0


def _count_labeled(db: Session, project: Project, rows: Sequence[LabelRow]) -> int:
    # With one label a record, what was counted label by label is the sum already.
    if project.is_multi_label:
        return count_labeled(db, project.id)
    return sum(row.n for row in rows)

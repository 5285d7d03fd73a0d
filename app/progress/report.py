"""Everything that the progress page says, read at one moment, as far as this user may see it.

Decision: reviewers and admins see everybody by name; others see themselves and the project, so
that nobody is held up against a colleague.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.labeling.counts import n_labeled
from app.labeling.label_set import EDITORS
from app.models import Project, Record, User, utc_now
from app.progress.course import WEEK, Course, acts_before, course_of, labeled_by
from app.progress.goals import Goal, goal_of
from app.progress.labels import LabelRow, label_rows
from app.progress.people import PersonRow, person_rows
from app.progress.sessions import SessionRow, session_rows
from app.progress.tallies import Tally, summed, tallies
from app.progress.ways import WayRow, way_rows


@dataclass(frozen=True)
class Report:
    """How far a project is.

    n_labeled     records with consensus, "none of these" included
    n_lately      of them, those that came in the last seven days
    done          what was done by hand, by everybody together
    is_everybody  whether people and sessions are everybody's, or only the user's own
    """

    n_records: int
    n_labeled: int
    n_lately: int
    goal: Goal | None
    done: Tally
    course: Course | None
    labels: Sequence[LabelRow]
    people: Sequence[PersonRow]
    sessions: Sequence[SessionRow]
    ways: Sequence[WayRow]
    is_everybody: bool

    @property
    def share(self) -> float:
        """The share of all records that is labeled."""
        return self.n_labeled / self.n_records if self.n_records else 0.0

    @property
    def n_to_go(self) -> int | None:
        """Records from here to the goal; None without a goal."""
        return None if self.goal is None else max(0, self.goal.n - self.n_labeled)

    @property
    def a_day(self) -> float | None:
        """Records a day that reach the goal on its day; None without a day, or once it is there."""
        if self.goal is None or self.goal.until is None or not self.n_to_go:
            return None
        n_days = (self.goal.until - utc_now().date()) / timedelta(days=1) + 1
        return self.n_to_go / n_days if n_days > 0 else None


def report(db: Session, project: Project, user: User) -> Report:
    """How far the project is, for this user's eyes."""
    every = tallies(db, project.id)
    is_everybody = user.role in EDITORS
    theirs = every if is_everybody else [each for each in every if each.user_id == user.id]
    now = utc_now()
    last_acts = acts_before(db, project.id, [now - WEEK, now])
    labels = label_rows(db, project, last_acts[0])
    before, after = labeled_by(db, project, last_acts)
    n_records = _n_records(db, project.id)
    return Report(
        n_records=n_records,
        n_labeled=_n_labeled(db, project, labels),
        n_lately=after - before,
        goal=goal_of(project, n_records),
        done=summed(each for each in every if each.way not in ("import", "rule")),
        course=course_of(db, project, now),
        labels=labels,
        people=person_rows(db, project.id, theirs),
        sessions=session_rows(db, project.id, theirs),
        ways=way_rows(db, project.id, every),
        is_everybody=is_everybody,
    )


def _n_records(db: Session, project_id: int) -> int:
    return db.scalar(select(func.count()).where(Record.project_id == project_id)) or 0


def _n_labeled(db: Session, project: Project, rows: Sequence[LabelRow]) -> int:
    # With one label a record, what was counted label by label is the sum already.
    if project.is_multi_label:
        return n_labeled(db, project.id)
    return sum(row.n for row in rows)

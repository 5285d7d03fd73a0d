"""Labeled records over time: how many there were at the end of each hour, day or week.

What is counted are the labels that stand today, each since the act that brought it about: a label
that was taken back later never shows. Acts are numbered in the order of their times, so a moment
becomes the number of the last act before it, and counting walks an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Consensus, Project, UserAction

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
STEPS = (("hour", HOUR), ("day", DAY), ("week", WEEK), ("four weeks", 4 * WEEK))
MOST_POINTS = 60


@dataclass(frozen=True)
class Timeline:
    """moments  ends of the steps, UTC, the last one being now; n_labeled  records at each

    step  hour, day, week or four weeks
    """

    step: str
    started_at: datetime
    moments: tuple[datetime, ...]
    n_labeled: tuple[int, ...]


def build_timeline(db: Session, project: Project, now: datetime) -> Timeline | None:
    """Build the timeline from the first action until now; None without actions."""
    first = db.scalar(
        select(func.min(UserAction.performed_at)).where(UserAction.project_id == project.id)
    )
    if first is None:
        return None
    step, length = _choose_step(now - first)
    start = _floor(first, length)
    ends = [start + n * length for n in range(1, int((now - start) / length) + 1)]
    moments = (*(end for end in ends if end < now), now)
    last_acts = find_last_actions(db, project.id, moments)
    return Timeline(step, start, moments, count_labeled_by(db, project, last_acts))


def find_last_actions(db: Session, project_id: int, moments: Sequence[datetime]) -> list[int]:
    """Return the id of the last action before each moment; 0 if there is none."""
    before = [
        select(UserAction.id)
        .where(UserAction.project_id == project_id, UserAction.performed_at < moment)
        .order_by(UserAction.performed_at.desc())
        .limit(1)
        .scalar_subquery()
        for moment in moments
    ]
    return [found or 0 for found in db.execute(select(*before)).one()]


def _choose_step(span: timedelta) -> tuple[str, timedelta]:
    fitting = (each for each in STEPS if span / each[1] <= MOST_POINTS)
    return next(fitting, STEPS[-1])


def _floor(moment: datetime, length: timedelta) -> datetime:
    if length == HOUR:
        return moment.replace(minute=0, second=0, microsecond=0)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def count_labeled_by(db: Session, project: Project, last_acts: Sequence[int]) -> tuple[int, ...]:
    """Count records labeled by an action up to each of these ids."""
    if project.is_multi_label:
        return _count_by_first_action(db, project.id, last_acts)
    ups = np.maximum.accumulate(last_acts).tolist()
    counts = [
        select(func.count())
        .where(
            Consensus.project_id == project.id, Consensus.action_id > low, Consensus.action_id <= up
        )
        .scalar_subquery()
        for low, up in zip([0, *ups], ups, strict=False)
    ]
    return tuple(np.cumsum(db.execute(select(*counts)).one()).tolist())


def _count_by_first_action(
    db: Session, project_id: int, last_acts: Sequence[int]
) -> tuple[int, ...]:
    """Count likewise for multi-label projects: from a record's first label."""
    firsts = db.scalars(
        select(func.min(Consensus.action_id))
        .where(Consensus.project_id == project_id)
        .group_by(Consensus.record_id)
    )
    ordered = np.sort(np.fromiter(firsts, np.int64))
    return tuple(np.searchsorted(ordered, last_acts, side="right").tolist())

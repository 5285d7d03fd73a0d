"""Labeled records over time, and the picture of it."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from app.db.session import read_session, write_session
from app.models import UserAction
from app.progress.chart import BOTTOM, TOP, build_chart
from app.progress.goals import Goal
from app.progress.timeline import Timeline, build_timeline
from tests.labeling.conftest import Desk

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def done_days_ago(*days: float) -> None:
    """The acts, oldest first, as if done so long before NOW."""
    with write_session() as db:
        ids = db.scalars(select(UserAction.id).order_by(UserAction.id)).all()
        for action_id, ago in zip(ids, days, strict=True):
            moment = NOW - timedelta(days=ago)
            db.execute(
                update(UserAction).where(UserAction.id == action_id).values(performed_at=moment)
            )


def build_course(desk: Desk) -> Timeline:
    with read_session() as db:
        found = build_timeline(db, desk.project, NOW)
    assert found is not None
    return found


def test_records_add_up_hour_by_hour_then_day_by_day(desk: Desk) -> None:
    desk.label(desk.ada, (0, 0), (1, 1), key="a")
    desk.label(desk.ada, (1, 0), key="b")
    desk.label(desk.ben, (2, 2), key="c")

    done_days_ago(0.1, 0.05, 0.01)
    hours = build_course(desk)
    done_days_ago(3, 2, 1)
    days = build_course(desk)

    assert (hours.step, hours.n_labeled[-1], len(hours.moments)) == ("hour", 3, 3)
    # Record 1 counts since it was labeled anew: that is the act which brought its label about.
    assert (days.step, days.n_labeled) == ("day", (1, 2, 3, 3))
    assert days.moments[0] == datetime(2026, 11, 18, tzinfo=UTC)
    assert days.moments[-1] == NOW


def test_a_record_with_several_labels_counts_once_since_the_first(multi_desk: Desk) -> None:
    multi_desk.label(multi_desk.ada, (0, 0), key="a")
    multi_desk.label(multi_desk.ada, (1, 0), key="b")
    multi_desk.label(multi_desk.ben, (1, 0), key="c")

    done_days_ago(3, 2, 1)

    assert build_course(multi_desk).n_labeled == (1, 2, 2, 2)


def test_the_line_goes_from_nothing_to_now_below_the_goal() -> None:
    start = datetime(2026, 11, 10, tzinfo=UTC)
    moments = (start + timedelta(days=5), start + timedelta(days=10))
    tenth = Timeline("day", start, moments, (25, 50))

    alone = build_chart(tenth, None)
    aimed = build_chart(tenth, Goal(100, "100 records", (start + timedelta(days=19)).date()))

    middle = (TOP + BOTTOM) / 2
    assert alone.line == f"0.0,{BOTTOM} 50.0,{middle} 100.0,{TOP}"
    assert (alone.goal, alone.path) == (None, None)
    assert [words for _, words in alone.x_ticks] == ["10 Nov", "now"]
    assert (aimed.goal, aimed.end) == (TOP, (50.0, middle))
    assert aimed.path == (50.0, middle, 100.0, TOP)
    assert [words for _, words in aimed.x_ticks] == ["10 Nov", "now", "29 Nov"]
    assert [words for _, words in aimed.y_ticks] == ["0", "50"]

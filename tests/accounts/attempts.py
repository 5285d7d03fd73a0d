"""Wrong passwords that were tried, moved in time: a busy machine must not let a wait pass by."""

from datetime import timedelta

from sqlalchemy import select

from app.db.session import write_session
from app.models import LoginAttempt, utc_now


def let_pass(seconds: float) -> None:
    """As if the tries had been made so much earlier."""
    with write_session() as db:
        for attempt in db.scalars(select(LoginAttempt)):
            attempt.attempted_at -= timedelta(seconds=seconds)


def end_now() -> None:
    """As if the newest try had been made this moment."""
    with write_session() as db:
        newest = db.scalars(select(LoginAttempt).order_by(LoginAttempt.id.desc())).first()
        assert newest is not None
        newest.attempted_at = utc_now()

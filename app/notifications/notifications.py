"""A user's notifications: count, list and mark as read."""

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.models import Notification, Project, utc_now

MOST_SHOWN = 50


def count_unseen(db: Session, user_id: int) -> int:
    """Count unread notifications."""
    unseen = select(func.count()).where(
        Notification.user_id == user_id, Notification.seen_at.is_(None)
    )
    return db.scalar(unseen) or 0


def list_latest_notifications(db: Session, user_id: int) -> list[tuple[Notification, str]]:
    """Return (notification, project name), newest first."""
    query = (
        select(Notification, Project.name)
        .join(Project, Project.id == Notification.project_id)
        .where(Notification.user_id == user_id)
        .order_by(Notification.id.desc())
        .limit(MOST_SHOWN)
    )
    return [(notification, name) for notification, name in db.execute(query)]


def mark_seen(db: Session, user_id: int, up_to_id: int) -> None:
    """Mark all up to that id as read; later ones, which the page did not show, stay new."""
    seen = (
        Notification.user_id == user_id,
        Notification.id <= up_to_id,
        Notification.seen_at.is_(None),
    )
    db.execute(update(Notification).where(*seen).values(seen_at=utc_now()))

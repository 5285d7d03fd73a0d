"""Subscriptions of users to a project's notifications."""

import re

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.models import Membership, Project, Subscription, User
from app.models.enums import Role

_ADDRESS = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,185}\.[^@\s,;<>\"]{1,63}")


def subscribe(db: Session, project_id: int, user_id: int, *, by_email: bool = False) -> None:
    """Subscribe the user, optionally by e-mail as well."""
    found = db.get(Subscription, (project_id, user_id))
    if found is None:
        db.add(Subscription(project_id=project_id, user_id=user_id, by_email=by_email))
    else:
        found.by_email = by_email
    db.flush()


def unsubscribe(db: Session, project_id: int, user_id: int) -> None:
    """Unsubscribe the user."""
    found = db.get(Subscription, (project_id, user_id))
    if found is not None:
        db.delete(found)
        db.flush()


def find_subscription(db: Session, project_id: int, user_id: int) -> Subscription | None:
    """Return the user's subscription, or None."""
    return db.get(Subscription, (project_id, user_id))


def list_subscribers(db: Session, project: Project) -> list[tuple[User, bool]]:
    """Return (user, by email) of all subscribers who may still see the project."""
    member = select(Membership.user_id).where(Membership.project_id == project.id)
    may_see = or_(User.role == Role.ADMIN, User.id.in_(member))
    query = (
        select(User, Subscription.by_email)
        .join(Subscription, Subscription.user_id == User.id)
        .where(Subscription.project_id == project.id, User.is_active)
    )
    rows = db.execute(query if project.is_open else query.where(may_see)).all()
    return [(user, by_email) for user, by_email in rows]


def set_email(db: Session, user_id: int, address: str) -> None:
    """Set the user's e-mail address; empty removes it. Raises Invalid for an invalid address."""
    address = address.strip()
    if address and not (address.isascii() and _ADDRESS.fullmatch(address)):
        raise Invalid(f"“{address[:80]}” is not an e-mail address. Example: ada@example.org.")
    db.get_one(User, user_id).email = address or None
    db.flush()

"""Known devices: a long-lived cookie marks browsers in which a user has logged in before.

Decision: the cookie opens nothing. It only tells the browsers of the user from those of strangers,
so that wrong passwords that a stranger tries do not shut the user out.
"""

import secrets
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.accounts.access import hash_token
from app.models import KnownDevice, User, utc_now
from app.settings import settings

LASTS = timedelta(days=365)
# A program that logs in without keeping cookies is a new device each time.
MOST_OF_USER = 50


def device_cookie_name() -> str:
    """Name the cookie; over https it is bound to this host like the login's."""
    return "__Host-likewise-device" if settings().is_https else "likewise-device"


def find_device(db: Session, user: User | None, token: str) -> int | None:
    """Find the id of the user's device with this cookie, if it is one."""
    if user is None or not token:
        return None
    return db.scalar(
        select(KnownDevice.id).where(
            KnownDevice.user_id == user.id,
            KnownDevice.token_hash == hash_token(token),
            KnownDevice.seen_at > utc_now() - LASTS,
        )
    )


def remember_device(db: Session, user: User, token: str) -> str:
    """Register this browser as one of the user's; return its cookie's value.

    A cookie that we gave out stays, so that several users of one browser keep theirs.
    """
    now, token_hash = utc_now(), hash_token(token)
    known = db.scalars(select(KnownDevice).where(KnownDevice.token_hash == token_hash)).all()
    if not known:
        token = secrets.token_urlsafe(32)
        token_hash = hash_token(token)
    own = next((each for each in known if each.user_id == user.id), None)
    if own is not None:
        own.seen_at = now
    else:
        db.add(KnownDevice(user_id=user.id, token_hash=token_hash, seen_at=now))
    db.flush()
    _forget_oldest(db, user)
    return token


def forget_devices(db: Session, user: User) -> None:
    """Forget all devices of the user."""
    db.execute(delete(KnownDevice).where(KnownDevice.user_id == user.id))


def _forget_oldest(db: Session, user: User) -> None:
    theirs = KnownDevice.user_id == user.id
    newest = (
        select(KnownDevice.id)
        .where(theirs, KnownDevice.seen_at > utc_now() - LASTS)
        .order_by(KnownDevice.seen_at.desc(), KnownDevice.id.desc())
        .limit(MOST_OF_USER)
    )
    kept = db.scalars(newest).all()
    db.execute(delete(KnownDevice).where(theirs, KnownDevice.id.not_in(kept)))

"""Who asks: the dependencies that turn a cookie or a bearer token into a user, or end the request.

Decision: they read in a transaction of their own that is over before the route's begins, so that
no lock is held while a route thinks.
"""

import hashlib
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database import reading, transaction
from app.errors import LoginNeeded, NotAllowed
from app.models import ApiToken, Login, User, utc_now
from app.settings import settings

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
# The login's last use is written at most this often, so that looking at pages hardly ever writes.
TOUCH_EVERY = timedelta(minutes=10)


def cookie_name() -> str:
    """`__Host-` binds the cookie to this host over https; plain http cannot carry that prefix."""
    return "__Host-likewise" if settings().is_https else "likewise"


def hashed(token: str) -> str:
    """What the database keeps of a secret: enough to recognise it, too little to use it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _by_cookie(db: Session, token: str) -> tuple[User | None, bool]:
    row = db.execute(
        select(Login, User).join(User, User.id == Login.user_id).where(
            Login.token_hash == hashed(token),
            Login.seen_at > utc_now() - IDLE,
            Login.created_at > utc_now() - LONGEST,
            User.is_active,
        )
    ).first()  # fmt: skip
    if row is None:
        return None, False
    return row.User, row.Login.seen_at < utc_now() - TOUCH_EVERY


def _by_token(db: Session, token: str) -> tuple[User | None, bool]:
    row = db.execute(
        select(ApiToken, User).join(User, User.id == ApiToken.user_id).where(
            ApiToken.token_hash == hashed(token),
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > utc_now(),
            User.is_active,
        )
    ).first()  # fmt: skip
    if row is None:
        return None, False
    used_at = row.ApiToken.used_at
    return row.User, used_at is None or used_at < utc_now() - TOUCH_EVERY


def _touch(token: str) -> None:
    now, it = utc_now(), hashed(token)
    with transaction() as db:
        db.execute(update(Login).where(Login.token_hash == it).values(seen_at=now))
        db.execute(update(ApiToken).where(ApiToken.token_hash == it).values(used_at=now))


def maybe_user(request: Request) -> User | None:
    """The user who asks, or None."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    is_program = scheme.lower() == "bearer"
    token = bearer.strip() if is_program else request.cookies.get(cookie_name(), "")
    with reading() as db:
        user, is_stale = (_by_token if is_program else _by_cookie)(db, token)
    if is_stale:
        _touch(token)
    request.state.user = user
    return user


def require_user(user: Annotated[User | None, Depends(maybe_user)]) -> User:
    """The user who asks. Raises LoginNeeded."""
    if user is None:
        raise LoginNeeded
    return user


def require_admin(user: Annotated[User, Depends(require_user)]) -> User:
    """The admin who asks. Raises NotAllowed for anyone else."""
    if user.role != "admin":
        raise NotAllowed("Only an admin may do this.")
    return user


CurrentUser = Annotated[User, Depends(require_user)]
Admin = Annotated[User, Depends(require_admin)]

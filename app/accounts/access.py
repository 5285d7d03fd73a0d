"""Dependencies that turn a cookie or a bearer token into a user, or end the request.

Decision: they read in a transaction of their own that is over before the route's begins, so that
no lock is held while a route thinks.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import LoginRequired, NotAllowed
from app.models import ApiToken, Login, User, utc_now
from app.models.enums import Role
from app.settings import settings

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
# The login's last use is written at most this often, so that looking at pages hardly ever writes.
TOUCH_EVERY = timedelta(minutes=10)
# Every request asks one of these: they are built once.
_USER_OF_LOGIN = (
    select(User, Login.seen_at)
    .join(Login, Login.user_id == User.id)
    .where(
        Login.token_hash == bindparam("hash"),
        Login.seen_at > bindparam("seen_since"),
        Login.created_at > bindparam("begun_since"),
        User.is_active,
    )
)
_USER_OF_TOKEN = (
    select(User, ApiToken.used_at, ApiToken.expires_at)
    .join(ApiToken, ApiToken.user_id == User.id)
    .where(
        ApiToken.token_hash == bindparam("hash"),
        ApiToken.revoked_at.is_(None),
        ApiToken.expires_at > bindparam("now"),
        User.is_active,
    )
)


def cookie_name() -> str:
    """`__Host-` binds the cookie to this host over https; plain http cannot carry that prefix."""
    return "__Host-likewise" if settings().is_https else "likewise"


def hash_token(token: str) -> str:
    """Hash a secret for the database: enough to recognize it, too little to use it."""
    return hashlib.sha256(token.encode()).hexdigest()


class _Found(NamedTuple):
    user: User | None = None
    is_stale: bool = False
    token_ends_at: datetime | None = None


def _find_by_cookie(db: Session, token: str) -> _Found:
    now = utc_now()
    since = {"seen_since": now - IDLE, "begun_since": now - LONGEST}
    row = db.execute(_USER_OF_LOGIN, {"hash": hash_token(token), **since}).first()
    if row is None:
        return _Found()
    return _Found(row.User, row.seen_at < now - TOUCH_EVERY)


def _find_by_token(db: Session, token: str) -> _Found:
    now = utc_now()
    row = db.execute(_USER_OF_TOKEN, {"hash": hash_token(token), "now": now}).first()
    if row is None:
        return _Found()
    is_stale = row.used_at is None or row.used_at < now - TOUCH_EVERY
    return _Found(row.User, is_stale, row.expires_at)


def _touch(token: str) -> None:
    now, token_hash = utc_now(), hash_token(token)
    with write_session() as db:
        db.execute(update(Login).where(Login.token_hash == token_hash).values(seen_at=now))
        db.execute(update(ApiToken).where(ApiToken.token_hash == token_hash).values(used_at=now))


def find_current_user(request: Request) -> User | None:
    """Return the requesting user, or None."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    is_program = scheme.lower() == "bearer"
    token = bearer.strip() if is_program else request.cookies.get(cookie_name(), "")
    with read_session() as db:
        found = (_find_by_token if is_program else _find_by_cookie)(db, token)
    if found.is_stale:
        _touch(token)
    request.state.user = found.user
    request.state.token_ends_at = found.token_ends_at
    return found.user


def require_user(request: Request) -> User:
    """Return the requesting user. Raises LoginRequired."""
    user = find_current_user(request)
    if user is None:
        raise LoginRequired
    return user


def require_admin(user: Annotated[User, Depends(require_user)]) -> User:
    """Return the requesting admin. Raises NotAllowed for other users."""
    if user.role != Role.ADMIN:
        raise NotAllowed("Only admins can do this.")
    return user


def token_end(request: Request, user: Annotated[User, Depends(require_user)]) -> datetime | None:
    """Return when the request's token expires; None for a logged-in browser."""
    ends_at: datetime | None = request.state.token_ends_at
    return ends_at


CurrentUser = Annotated[User, Depends(require_user)]
TokenEnd = Annotated[datetime | None, Depends(token_end)]
Admin = Annotated[User, Depends(require_admin)]

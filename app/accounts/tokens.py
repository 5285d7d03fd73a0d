"""API tokens: programs act as a user, until the token expires or is revoked."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.access import hash_token
from app.accounts.audit_log import log_event
from app.errors import Invalid, NotFound
from app.models import ApiToken, User, utc_now

MARK = "lw_"  # So that people, and scanners for leaked secrets, recognise one.
LONGEST_DAYS = 366


def create_token(
    db: Session, user: User, name: str, days: int = 90, ends_by: datetime | None = None
) -> str:
    """Create a token for this user; it is returned once and only its hash is stored.

    ends_by  when the token expires that creates this one: the new token cannot outlive it
    """
    clean = " ".join(name.split())
    if not clean or len(clean) > 120:
        raise Invalid("The token's name must have 1 to 120 characters; use it to note the purpose.")
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(f"A token can be valid for 1 to {LONGEST_DAYS} days.")
    expires_at = utc_now() + timedelta(days=days)
    if ends_by is not None and expires_at > ends_by:
        raise Invalid(
            f"Your token expires on {ends_by:%Y-%m-%d}; a token made with it cannot expire later. "
            "Choose fewer days, or log in and create the token there."
        )
    token = MARK + secrets.token_urlsafe(32)
    db.add(
        ApiToken(
            user_id=user.id,
            name=clean,
            prefix=token[:10],
            token_hash=hash_token(token),
            expires_at=expires_at,
        )
    )
    log_event(db, "token created", user_id=user.id, name=clean)
    return token


def load_tokens(db: Session, user: User) -> Sequence[ApiToken]:
    """Return the user's tokens, newest first, without revoked but with expired ones."""
    return db.scalars(
        select(ApiToken)
        .where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id.desc())
    ).all()


def every_token(db: Session) -> Sequence[tuple[ApiToken, User]]:
    """Return all tokens that were not revoked, by user name, newest first."""
    found = db.execute(
        select(ApiToken, User)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.revoked_at.is_(None))
        .order_by(User.name_key, ApiToken.id.desc())
    )
    return [(row[0], row[1]) for row in found]


def revoke_token(db: Session, user: User, token_id: int) -> None:
    """Revoke the user's token. Raises NotFound for another user's token."""
    _revoke(db, db.get(ApiToken, token_id), user.id, by=user)


def revoke_of_anyone(db: Session, token_id: int, by: User | None) -> None:
    """Revoke any user's token. by=None: the operator. Raises NotFound."""
    token = db.get(ApiToken, token_id)
    _revoke(db, token, token.user_id if token else 0, by)


def revoke_all(db: Session, user: User, by: User | None) -> None:
    """Revoke all tokens of this user."""
    standing = (ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
    n = db.scalar(select(func.count()).where(*standing)) or 0
    if n:
        db.execute(update(ApiToken).where(*standing).values(revoked_at=utc_now()))
        log_event(db, "tokens revoked", user_id=by.id if by else None, of=user.id, n=n)


def _revoke(db: Session, token: ApiToken | None, owner_id: int, by: User | None) -> None:
    if token is None or token.user_id != owner_id:
        raise NotFound("token")
    token.revoked_at = token.revoked_at or utc_now()
    log_event(db, "token revoked", user_id=by.id if by else None, of=token.user_id, name=token.name)

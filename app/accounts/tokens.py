"""API tokens: programs act as a user, until the token expires or is revoked."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.access import hashed
from app.accounts.audit import note
from app.errors import Invalid, NotFound
from app.models import ApiToken, User, utc_now

MARK = "lw_"  # So that people, and scanners for leaked secrets, recognise one.
LONGEST_DAYS = 366


def create_token(db: Session, user: User, name: str, days: int = 90) -> str:
    """A new token of this user, good for that many days; shown once, only its hash is kept."""
    clean = " ".join(name.split())
    if not clean or len(clean) > 120:
        raise Invalid("A token's name has 1 to 120 characters; it tells what the token is for.")
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(f"A token lasts 1 to {LONGEST_DAYS} days.")
    token = MARK + secrets.token_urlsafe(32)
    db.add(
        ApiToken(
            user_id=user.id,
            name=clean,
            prefix=token[:10],
            token_hash=hashed(token),
            expires_at=utc_now() + timedelta(days=days),
        )
    )
    note(db, "token created", user_id=user.id, name=clean)
    return token


def tokens_of(db: Session, user: User) -> Sequence[ApiToken]:
    """The user's tokens that were not revoked, the newest first; expired ones are among them."""
    return db.scalars(
        select(ApiToken)
        .where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id.desc())
    ).all()


def revoke(db: Session, user: User, token_id: int) -> None:
    """The token is worth nothing from now on. Raises NotFound for anybody else's."""
    token = db.scalar(select(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == user.id))
    if token is None:
        raise NotFound("token")
    token.revoked_at = token.revoked_at or utc_now()
    note(db, "token revoked", user_id=user.id, name=token.name)

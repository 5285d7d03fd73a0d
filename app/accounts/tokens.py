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
    """A new token of this user, good for that many days; shown once, only its hash is kept.

    ends_by  when the token ends that it is made with: it cannot outlive that one
    """
    clean = " ".join(name.split())
    if not clean or len(clean) > 120:
        raise Invalid("A token's name has 1 to 120 characters; it tells what the token is for.")
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(f"A token lasts 1 to {LONGEST_DAYS} days.")
    expires_at = utc_now() + timedelta(days=days)
    if ends_by is not None and expires_at > ends_by:
        raise Invalid(
            f"The token that you use ends on {ends_by:%Y-%m-%d}, and one made with it cannot end "
            "later. Ask for fewer days, or log in and create it there."
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
    """The user's tokens that were not revoked, the newest first; expired ones are among them."""
    return db.scalars(
        select(ApiToken)
        .where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id.desc())
    ).all()


def every_token(db: Session) -> Sequence[tuple[ApiToken, User]]:
    """All tokens that were not revoked, by their users' names, the newest first."""
    found = db.execute(
        select(ApiToken, User)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.revoked_at.is_(None))
        .order_by(User.name_key, ApiToken.id.desc())
    )
    return [(row[0], row[1]) for row in found]


def revoke_token(db: Session, user: User, token_id: int) -> None:
    """The token is worth nothing from now on. Raises NotFound for anybody else's."""
    _revoke(db, db.get(ApiToken, token_id), user.id, by=user)


def revoke_of_anyone(db: Session, token_id: int, by: User | None) -> None:
    """Revoke a token, whoever it belongs to. by=None: the operator. Raises NotFound."""
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

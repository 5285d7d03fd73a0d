"""One-time links: the first to open one chooses a password and is logged in."""

import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from app.accounts.access import hash_token
from app.accounts.audit_log import log_event
from app.accounts.passwords import hash_password, hold_place, validate_password
from app.accounts.users import add_user, end_access, get_user, validate_name, validate_role
from app.db.session import read_session
from app.errors import Conflict, NotFound
from app.models import Invitation, User, utc_now
from app.models.enums import Role

LIFETIME = timedelta(days=7)
# A fresh one is printed whenever the server starts, so it need not live long.
FIRST_ADMIN_LIFETIME = timedelta(hours=1)


class InvitationUsed(Conflict):
    """The link was used or replaced, or has expired."""

    def __init__(self) -> None:
        super().__init__(
            "This link has already been used or has expired. Ask an admin for a new one."
        )


class AccountDisabled(Conflict):
    """The link is for a disabled user."""

    def __init__(self) -> None:
        super().__init__(
            "This account is disabled. Ask an admin to enable it, then open the link again."
        )


def invite(db: Session, role: str, by: User | None = None, user: User | None = None) -> str:
    """Create a link's token (the link is /welcome/{token}): for a new or for this user.

    Only its hash is kept, so it is shown once.
    """
    token = secrets.token_urlsafe(32)
    lifetime = LIFETIME if by or user else FIRST_ADMIN_LIFETIME
    db.add(
        Invitation(
            token_hash=hash_token(token),
            role=validate_role(role),
            user_id=user.id if user else None,
            invited_by_id=by.id if by else None,
            expires_at=utc_now() + lifetime,
        )
    )
    log_event(db, "invited", user_id=by.id if by else None, role=role, of=user.id if user else None)
    return token


def create_first_admin_token(db: Session) -> str | None:
    """Create a token for the first admin, or return None if a user can log in already.

    Older ones that nobody used stop working, so that at most one is out.
    """
    if has_users(db):
        return None
    db.execute(
        update(Invitation)
        .where(_is_first_admin_invitation(), Invitation.used_at.is_(None))
        .values(used_at=utc_now())
    )
    return invite(db, Role.ADMIN)


def has_users(db: Session) -> bool:
    """Check whether any user can log in."""
    return bool(db.scalar(select(func.count()).where(User.password_hash.is_not(None))))


def require_open_invitation(db: Session, token: str) -> Invitation:
    """Find the invitation of this token. Raises NotFound, UsedUp or AccountDisabled."""
    invitation = db.scalar(select(Invitation).where(Invitation.token_hash == hash_token(token)))
    if invitation is None:
        raise NotFound("link")
    is_over = invitation.used_at is not None or invitation.expires_at <= utc_now()
    if is_over or (_is_for_first_admin(invitation) and has_users(db)):
        raise InvitationUsed
    if invitation.user_id is not None:
        _check_active(get_user(db, invitation.user_id))
    return invitation


def _check_active(user: User) -> None:
    if not user.is_active:
        raise AccountDisabled


def accept_invitation(db: Session, token: str, name: str, password: str) -> User:
    """Use the link up: a new user of its role, or a new password for the user it was made for.

    `name` is ignored in the latter case. Of two browsers that race, one gets UsedUp.
    Raises Invalid for an unusable name or password (the link stays good), NotFound, UsedUp,
    AccountDisabled, LoginsBusy.
    """
    # Before anything is hashed: that takes long, and anybody can send a link that is none.
    with read_session() as look:
        require_open_invitation(look, token)
    # Hashed before the first statement, which takes the database's write lock.
    with hold_place(is_known=False):
        password_hash = hash_password(validate_password(password, name))
    now = utc_now()
    claimed = db.execute(
        update(Invitation)
        .where(
            Invitation.token_hash == hash_token(token),
            Invitation.used_at.is_(None),
            Invitation.expires_at > now,
        )
        .values(used_at=now)
    )
    if claimed.rowcount != 1:  # type: ignore[attr-defined]
        require_open_invitation(db, token)
        raise InvitationUsed
    invitation = db.scalars(
        select(Invitation).where(Invitation.token_hash == hash_token(token))
    ).one()
    return _apply_invitation(db, invitation, name, password_hash)


def _apply_invitation(db: Session, invitation: Invitation, name: str, password_hash: str) -> User:
    if invitation.user_id is not None:
        user = get_user(db, invitation.user_id)
        _check_active(user)
        user.password_hash = password_hash
        end_access(db, user, user)
        log_event(db, "password set", user_id=user.id, of=user.id)
        return user
    if _is_for_first_admin(invitation) and has_users(db):
        raise InvitationUsed
    by = db.get(User, invitation.invited_by_id) if invitation.invited_by_id else None
    return add_user(db, validate_name(name), invitation.role, password_hash, by)


def _is_for_first_admin(invitation: Invitation) -> bool:
    return invitation.invited_by_id is None and invitation.user_id is None


def _is_first_admin_invitation() -> ColumnElement[bool]:
    return Invitation.invited_by_id.is_(None) & Invitation.user_id.is_(None)

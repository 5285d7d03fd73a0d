"""Users: create, find, change roles and passwords, disable."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.accounts.audit_log import log_event
from app.accounts.devices import forget_devices
from app.accounts.passwords import hash_password, validate_password
from app.accounts.tokens import revoke_all
from app.errors import Conflict, Invalid, NotFound
from app.models import Login, User
from app.models.enums import Role

ROLES = tuple(Role)
LONGEST_NAME = 60


def name_key(name: str) -> str:
    """Return what makes two names one user: letters without case or width."""
    # Postgres takes no NUL in a text, not even in one that it only compares.
    return unicodedata.normalize("NFKC", name.replace("\0", "")).casefold().strip()


def validate_name(name: str) -> str:
    """Normalize the name. Raises Invalid if it cannot be displayed or typed."""
    clean = unicodedata.normalize("NFC", name).strip()
    if not clean or len(clean) > LONGEST_NAME or not clean.isprintable():
        raise Invalid(f"The name must have 1 to {LONGEST_NAME} visible characters.")
    return clean


def validate_role(role: str) -> str:
    """Parse a role. Raises Invalid."""
    if role not in ROLES:
        raise Invalid(f"The role must be one of {', '.join(ROLES)}.")
    return role


def create_user(
    db: Session, name: str, role: str, password: str | None = None, by: User | None = None
) -> User:
    """Create a user; without a password they need an invitation. by=None: the operator.

    Raises Invalid for an unusable name, role or password; Conflict when the name is taken.
    """
    clean = validate_name(name)
    # Hashed before the first statement, which takes the database's write lock.
    password_hash = (
        hash_password(validate_password(password, clean)) if password is not None else None
    )
    return add_user(db, clean, role, password_hash, by)


def add_user(db: Session, name: str, role: str, password_hash: str | None, by: User | None) -> User:
    """Create a user with an already hashed password."""
    if db.scalar(select(User.id).where(User.name_key == name_key(name))) is not None:
        raise Conflict(f"A user named “{name}” already exists.")
    user = User(
        name=name, name_key=name_key(name), role=validate_role(role), password_hash=password_hash
    )
    db.add(user)
    db.flush()
    log_event(db, "user created", user_id=by.id if by else None, of=user.id, role=role)
    return user


def find_user(db: Session, name: str) -> User:
    """Find the user by name, ignoring case. Raises NotFound."""
    user = db.scalar(select(User).where(User.name_key == name_key(name)))
    if user is None:
        raise NotFound("user")
    return user


def get_user(db: Session, user_id: int) -> User:
    """Find the user by id. Raises NotFound."""
    user = db.get(User, user_id)
    if user is None:
        raise NotFound("user")
    return user


def load_users(db: Session) -> Sequence[User]:
    """Return all users, active ones first, by name."""
    return db.scalars(select(User).order_by(User.is_active.desc(), User.name_key)).all()


def load_last_seen(db: Session) -> dict[int, datetime]:
    """When each user who is logged in somewhere was last seen (UTC), by user id."""
    seen = select(Login.user_id, func.max(Login.seen_at)).group_by(Login.user_id)
    return {row[0]: row[1] for row in db.execute(seen)}


def set_password(db: Session, user: User, password: str, by: User | None = None) -> None:
    """Set the password and end all logins and API tokens. by=None: the operator."""
    password_hash = hash_password(validate_password(password, user.name))
    user = get_user(db, user.id)
    user.password_hash = password_hash
    end_access(db, user, by)
    log_event(db, "password set", user_id=by.id if by else None, of=user.id)


def change_role(db: Session, user: User, role: str, by: User | None) -> None:
    """Set the role and log the user out everywhere."""
    if user.role == validate_role(role):
        return
    _require_another_admin(db, user)
    user.role = role
    end_logins(db, user)
    log_event(db, "role changed", user_id=by.id if by else None, of=user.id, role=role)


def disable(db: Session, user: User, by: User | None) -> None:
    """Disable the user immediately; their labels are kept."""
    _require_another_admin(db, user)
    user.is_active = False
    end_access(db, user, by)
    forget_devices(db, user)
    log_event(db, "user disabled", user_id=by.id if by else None, of=user.id)


def enable(db: Session, user: User, by: User | None) -> None:
    """Enable the user again; API tokens stay revoked."""
    user.is_active = True
    log_event(db, "user enabled", user_id=by.id if by else None, of=user.id)


def end_access(db: Session, user: User, by: User | None) -> None:
    """Log the user out everywhere and revoke all API tokens."""
    end_logins(db, user)
    revoke_all(db, user, by)


def end_logins(db: Session, user: User) -> None:
    """Log the user out everywhere."""
    db.execute(delete(Login).where(Login.user_id == user.id))


def _require_another_admin(db: Session, user: User) -> None:
    others = db.scalar(
        select(func.count()).where(
            User.role == Role.ADMIN,
            User.is_active,
            User.password_hash.is_not(None),
            User.id != user.id,
        )
    )
    if user.role == Role.ADMIN and not others:
        raise Conflict("This is the only admin. Make another user an admin first.")

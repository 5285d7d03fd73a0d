"""Logging in and out: passwords are checked, guessing is slowed down, cookies are made.

Decision: a try is counted before the password is looked at and forgiven when it was right, so
that many tries at once cannot slip under the limit. Unlike other verbs these open transactions of
their own: the count must stand when the login is refused, and no lock is held while argon2 works.
"""

import secrets
from datetime import timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from app.accounts.access import LONGEST, hashed
from app.accounts.audit import note
from app.accounts.passwords import is_right
from app.accounts.users import name_key
from app.database import reading, transaction
from app.errors import AppError
from app.models import Login, LoginAttempt, User, utc_now

WINDOW = timedelta(minutes=15)
MAX_TRIES = 10
# Trying one password on many names comes from one address too.
MAX_TRIES_OF_ADDRESS = 100


class WrongPassword(AppError):
    """No such user, no such password, or a disabled user: all three read alike."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Name or password is wrong.")


class TooManyTries(AppError):
    """Guessing is slowed down; the answer says when to come back."""

    status = 429
    retry_after_seconds = int(WINDOW.total_seconds())

    def __init__(self) -> None:
        super().__init__("Too many wrong passwords. Wait 15 minutes, then try again.")


def log_in(name: str, password: str, address: str) -> str:
    """The cookie's value for this user, a new one each time. Raises WrongPassword, TooManyTries."""
    key = name_key(name)[:120]
    with reading() as db:
        user = db.scalar(select(User).where(User.name_key == key, User.is_active))
    _check(key, user, password, address)
    assert user is not None
    with transaction() as db:
        return begin_login(db, user)


def check_password(user: User, password: str, address: str) -> None:
    """Nothing, if it is this user's password. Raises WrongPassword, TooManyTries."""
    _check(user.name_key, user, password, address)


def _check(key: str, user: User | None, password: str, address: str) -> None:
    attempt_id = _count_try(key, address)
    if not is_right(user.password_hash if user else None, password):
        raise WrongPassword
    with transaction() as db:
        # Only this try is forgiven: knowing one password must not reset the count of the others.
        db.execute(delete(LoginAttempt).where(LoginAttempt.id == attempt_id))


def begin_login(db: Session, user: User) -> str:
    """A new login of this user; the token goes into the cookie, only its hash is kept."""
    token = secrets.token_urlsafe(32)
    db.execute(delete(Login).where(Login.created_at < utc_now() - LONGEST))
    db.add(Login(token_hash=hashed(token), user_id=user.id))
    note(db, "logged in", user_id=user.id)
    return token


def log_out(db: Session, token: str) -> None:
    """The cookie is worth nothing from now on, wherever it was copied to."""
    db.execute(delete(Login).where(Login.token_hash == hashed(token)))


def _count_try(key: str, address: str) -> int:
    with transaction() as db:
        _one_at_a_time(db, key)
        since = utc_now() - WINDOW
        db.execute(delete(LoginAttempt).where(LoginAttempt.attempted_at < since))
        of_address = LoginAttempt.address == address
        n = db.scalar(select(func.count()).where(of_address, LoginAttempt.name_key == key)) or 0
        n_of_address = db.scalar(select(func.count()).where(of_address)) or 0
        if n >= MAX_TRIES or n_of_address >= MAX_TRIES_OF_ADDRESS:
            raise TooManyTries
        attempt = LoginAttempt(name_key=key, address=address[:64])
        db.add(attempt)
        db.flush()
        return attempt.id


def _one_at_a_time(db: Session, key: str) -> None:
    """Two tries of one name wait for each other; SQLite's write lock does it alone."""
    if db.get_bind().dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": key})

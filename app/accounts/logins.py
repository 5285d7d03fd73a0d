"""Logging in and out: passwords are checked, cookies are made.

Decision: unlike other verbs those that check a password open transactions of their own, so that
no lock is held while argon2 works.
"""

import secrets
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.accounts.access import LONGEST, hash_token
from app.accounts.audit_log import log_event
from app.accounts.devices import find_device, remember_device
from app.accounts.passwords import hold_place, verify_password
from app.accounts.throttling import begin_try, forgive_try
from app.accounts.users import name_key
from app.db.session import read_session, write_session
from app.errors import AppError
from app.models import Login, User, utc_now


class WrongPassword(AppError):
    """Unknown user, wrong password or disabled user: all three give the same message."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Name or password is wrong.")


class Entry(NamedTuple):
    """The values of the two cookies of a logged-in browser."""

    login: str
    device: str


def log_in(name: str, password: str, address: str, device_token: str = "") -> Entry:
    """Log a browser in, with a new login each time.

    Raises WrongPassword, TooManyTries, LoginsBusy.
    """
    key = name_key(name)[:120]
    with read_session() as db:
        user = db.scalar(select(User).where(User.name_key == key, User.is_active))
        device_id = find_device(db, user, device_token)
    _check_attempt(key, user, password, address, device_id)
    assert user is not None
    with write_session() as db:
        # Another password, or none at all, may have been set while this one was looked at.
        same = (User.id == user.id, User.is_active, User.password_hash == user.password_hash)
        if db.scalar(select(User.id).where(*same)) is None:
            raise WrongPassword
        return enter(db, user, device_token)


def enter(db: Session, user: User, device_token: str) -> Entry:
    """Log this browser in as the user and remember it as a known device."""
    return Entry(begin_login(db, user), remember_device(db, user, device_token))


def check_password(user: User, password: str, address: str, device_token: str = "") -> None:
    """Check the user's password. Raises WrongPassword, TooManyTries, LoginsBusy."""
    with read_session() as db:
        device_id = find_device(db, user, device_token)
    _check_attempt(user.name_key, user, password, address, device_id)


def _check_attempt(
    key: str, user: User | None, password: str, address: str, device_id: int | None
) -> None:
    with hold_place(is_known=device_id is not None):
        attempt_id = begin_try(key, address, device_id)
        if not verify_password(user.password_hash if user else None, password):
            raise WrongPassword
        forgive_try(attempt_id)


def begin_login(db: Session, user: User) -> str:
    """Create a login; the token goes into the cookie, only its hash is stored."""
    token = secrets.token_urlsafe(32)
    db.execute(delete(Login).where(Login.created_at < utc_now() - LONGEST))
    db.add(Login(token_hash=hash_token(token), user_id=user.id))
    log_event(db, "logged in", user_id=user.id)
    return token


def log_out(db: Session, token: str) -> None:
    """End the login of this cookie, wherever it was copied to."""
    db.execute(delete(Login).where(Login.token_hash == hash_token(token)))

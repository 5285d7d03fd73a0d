"""Slow down password guessing for the guesser, not for the account's owner.

Decision: tries from a device that the user logged in with before count for that device alone. All
others count by account and address, with a growing delay, and within bounds by account and by
address. So strangers can at most make the user wait at a device that is new.
Decision: a try is counted before the password is looked at and forgiven when it was right, so
that many tries at once cannot slip under the limit. The count must stand when the login is
refused, so these open transactions of their own.
"""

import ipaddress
import math
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import AppError
from app.models import LoginAttempt, utc_now

WINDOW = timedelta(minutes=15)
# After these the next try waits 2 seconds, then 4, 8 and so on, up to the window.
FREE_TRIES = 5
MAX_TRIES_OF_ACCOUNT = 100
# Trying one password on many names comes from one address.
MAX_TRIES_OF_ADDRESS = 100


class TooManyTries(AppError):
    """Too many attempts; the response says when to try again."""

    status = 429

    def __init__(self, seconds: int) -> None:
        minutes = math.ceil(seconds / 60)
        wait = f"{seconds} seconds" if seconds < 120 else f"{minutes} minutes"
        super().__init__(f"Too many wrong passwords. Wait {wait}, then try again.")
        self.retry_after_seconds = seconds


def begin_try(name_key: str, address: str, device_id: int | None) -> int:
    """Count a try and return its id. Raises TooManyTries, and then it does not count."""
    source = network_of(address)
    # Looked at first without the write lock: refusing must cost next to nothing.
    with read_session() as db:
        _check(db, name_key, source, device_id)
    with write_session() as db:
        _one_at_a_time(db, name_key)
        db.execute(delete(LoginAttempt).where(LoginAttempt.attempted_at < utc_now() - WINDOW))
        _check(db, name_key, source, device_id)
        attempt = LoginAttempt(name_key=name_key, address=source, device_id=device_id)
        db.add(attempt)
        db.flush()
        return attempt.id


def forgive_try(attempt_id: int) -> None:
    """Count this try no more: knowing one password must not reset the count of the others."""
    with write_session() as db:
        db.execute(delete(LoginAttempt).where(LoginAttempt.id == attempt_id))


def network_of(address: str) -> str:
    """Name whom an address belongs to: itself, or with IPv6 the network that one customer gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))


def _check(db: Session, name_key: str, source: str, device_id: int | None) -> None:
    if device_id is not None:
        wait = _growing_wait(db, LoginAttempt.device_id == device_id)
    else:
        unknown = LoginAttempt.device_id.is_(None)
        of_account = unknown & (LoginAttempt.name_key == name_key)
        of_address = unknown & (LoginAttempt.address == source)
        wait = max(
            _growing_wait(db, of_account & of_address),
            _bounded_wait(db, of_account, MAX_TRIES_OF_ACCOUNT),
            _bounded_wait(db, of_address, MAX_TRIES_OF_ADDRESS),
        )
    if wait > 0:
        raise TooManyTries(math.ceil(wait))


def _growing_wait(db: Session, tries: ColumnElement[bool]) -> float:
    """Seconds until the next try, each twice as long as the one before."""
    n, _, newest = _count_attempts(db, tries)
    if n < FREE_TRIES or newest is None:
        return 0.0
    delay = min(timedelta(seconds=2.0 ** min(n - FREE_TRIES + 1, 20)), WINDOW)
    return (newest + delay - utc_now()).total_seconds()


def _bounded_wait(db: Session, tries: ColumnElement[bool], most: int) -> float:
    """Seconds until fewer than `most` tries are in the window."""
    n, oldest, _ = _count_attempts(db, tries)
    if n < most or oldest is None:
        return 0.0
    return (oldest + WINDOW - utc_now()).total_seconds()


def _count_attempts(
    db: Session, tries: ColumnElement[bool]
) -> tuple[int, datetime | None, datetime | None]:
    moment = LoginAttempt.attempted_at
    found = select(func.count(), func.min(moment), func.max(moment))
    n, oldest, newest = db.execute(found.where(tries, moment >= utc_now() - WINDOW)).one()
    return n, oldest, newest


def _one_at_a_time(db: Session, key: str) -> None:
    """Two tries of one name wait for each other; SQLite's write lock does it alone."""
    if db.get_bind().dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": key})

"""Passwords: validation, hashing and verification."""

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import AppError, Invalid

SHORTEST, LONGEST = 12, 128
# Above the least that OWASP's password storage sheet asks for: argon2id, 19 MiB, t = 2, p = 1.
_hasher = PasswordHasher(time_cost=2, memory_cost=32 * 1024, parallelism=1)
# Each hash takes 32 MiB and a core: fifty logins at once must not starve the pages.
_hash_slots = threading.BoundedSemaphore(2)
# Whoever waits for that holds a thread of the server: a flood of logins must leave most of them to
# other requests, and a flood of strangers' logins must leave places to known devices.
PLACES = 16
_places = {is_known: threading.BoundedSemaphore(PLACES) for is_known in (True, False)}
# Long passwords that everybody tries; anything shorter is refused by its length.
COMMON = {
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789123",
    "1234567891011",
    "012345678910",
    "0123456789ab",
    "111111111111",
    "000000000000",
    "123123123123",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "1q2w3e4r5t6y7u",
    "qazwsxedcrfv",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiop1234",
    "qwertyuiopas",
    "qwertyuiopasdf",
    "qwertyuiop[]",
    "qwerty123456",
    "qwerty1234567",
    "qwerty12345678",
    "asdfghjkl123",
    "asdfghjkl1234",
    "zxcvbnm12345",
    "abcdefghijkl",
    "abcdefgh1234",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "passw0rd1234",
    "p@ssw0rd1234",
    "adminadminadmin",
    "administrator",
    "administrator1",
    "admin1234567",
    "admin12345678",
    "welcome12345",
    "welcome123456",
    "changeme1234",
    "changemechangeme",
    "letmeinletmein",
    "letmein12345",
    "iloveyou1234",
    "iloveyouiloveyou",
    "correcthorsebatterystaple",
    "trustno1trustno1",
    "football1234",
    "basketball12",
    "superman1234",
    "unknownunknown",
    "testtesttest",
    "test12345678",
    "secretsecret",
    "secret123456",
}


class LoginsBusy(AppError):
    """Too many passwords are being checked at once."""

    status = 503
    retry_after_seconds = 2

    def __init__(self) -> None:
        super().__init__("Too many logins at the moment. Try again in a few seconds.")


@contextmanager
def hold_place(*, is_known: bool) -> Iterator[None]:
    """Hold one of the few places for checking passwords of clients without a login.

    Raises LoginsBusy at once when all are taken.
    """
    if not _places[is_known].acquire(blocking=False):
        raise LoginsBusy
    try:
        yield
    finally:
        _places[is_known].release()


def validate_password(password: str, name: str = "") -> str:
    """Check the password and return it. Raises Invalid with the first problem.

    12 to 128 characters of any kind; not one that everybody tries, nor the product's or the
    user's name with little beside it.
    """
    if len(password) < SHORTEST:
        raise Invalid(
            f"The password must have at least {SHORTEST} characters; several words work well."
        )
    if len(password) > LONGEST:
        raise Invalid(f"The password must have at most {LONGEST} characters.")
    plain = password.casefold()
    words = {"likewise", name.casefold() if len(name) > 3 else "likewise"}
    rest = min(len(plain.replace(word, "")) for word in words)
    if plain in COMMON or len(set(plain)) < 4 or rest < 6:
        raise Invalid("This password is too easy to guess. Choose another.")
    return password


def hash_password(password: str) -> str:
    """Hash a password with argon2id and a new salt."""
    with _hash_slots:
        return _hasher.hash(unicodedata.normalize("NFC", password))


def verify_password(password_hash: str | None, password: str) -> bool:
    """Verify the password; takes as long when no hash is stored."""
    with _hash_slots:
        try:
            _hasher.verify(
                password_hash or _dummy_hash(), unicodedata.normalize("NFC", password[:1024])
            )
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


@lru_cache(maxsize=1)
def _dummy_hash() -> str:
    return _hasher.hash("the password of a user who does not exist")

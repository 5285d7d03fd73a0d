import statistics
import time
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.accounts import logins
from app.accounts.logins import TooManyTries, WrongPassword, log_in
from app.accounts.users import create_user
from app.database import reading, transaction
from app.models import Login, LoginAttempt, utc_now

SECRET = "a sentence to remember"
HERE, THERE = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def ada(database: str) -> None:
    with transaction() as db:
        create_user(db, "Ada", "admin", SECRET)


@pytest.mark.usefixtures("ada")
def test_each_login_has_its_own_secret_of_which_only_the_hash_is_kept() -> None:
    first, second = log_in("ada", SECRET, HERE), log_in("ADA", SECRET, HERE)

    assert first != second
    assert len(first) >= 43
    with reading() as db:
        kept = db.scalars(select(Login.token_hash)).all()
    assert len(kept) == 2
    assert not {first, second} & set(kept)


@pytest.mark.usefixtures("ada")
def test_ten_wrong_passwords_in_fifteen_minutes_are_enough() -> None:
    for _ in range(10):
        with pytest.raises(WrongPassword):
            log_in("Ada", "wrong", HERE)

    with pytest.raises(TooManyTries):
        log_in("Ada", SECRET, HERE)
    assert log_in("Ada", SECRET, THERE)  # Elsewhere the real Ada gets in.
    with transaction() as db:
        db.execute(update(LoginAttempt).values(attempted_at=utc_now() - timedelta(minutes=16)))
    assert log_in("Ada", SECRET, HERE)


@pytest.mark.usefixtures("ada")
def test_a_right_password_counts_as_no_try() -> None:
    for _ in range(12):
        assert log_in("Ada", SECRET, HERE)


@pytest.mark.usefixtures("database")
def test_many_names_from_one_address_are_slowed_down_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "MAX_TRIES_OF_ADDRESS", 3)
    for name in ("a", "b", "c"):
        with pytest.raises(WrongPassword):
            log_in(name, "wrong", HERE)

    with pytest.raises(TooManyTries):
        log_in("d", "wrong", HERE)


@pytest.mark.usefixtures("ada")
def test_a_name_that_nobody_has_takes_as_long_as_one_that_somebody_has() -> None:
    # Of the processor, not of the clock: a busy machine must not look like a slow answer.
    def seconds(name: str) -> float:
        begun = time.process_time()
        with pytest.raises(WrongPassword):
            log_in(name, "wrong", f"{name} {begun}")
        return time.process_time() - begun

    seconds("warm up")
    pairs = [(seconds("Ada"), seconds("nobody")) for _ in range(5)]

    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    # Without the hash of nobody's password it would be a twentieth; the rest is the machine's.
    assert unknown > known / 2

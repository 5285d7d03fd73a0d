import statistics
import time
from contextlib import ExitStack

import pytest
from sqlalchemy import select

from app.accounts import devices, throttling
from app.accounts.access import hash_token
from app.accounts.logins import WrongPassword, log_in
from app.accounts.passwords import PLACES, LoginsBusy, hold_place
from app.accounts.throttling import TooManyTries, network_of
from app.accounts.users import create_user
from app.db.session import read_session, write_session
from app.models import KnownDevice, Login, LoginAttempt
from tests.accounts.attempts import end_now, let_pass

SECRET = "a sentence to remember"
HERE, THERE = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def ada(database: str) -> None:
    with write_session() as db:
        create_user(db, "Ada", "admin", SECRET)


@pytest.mark.usefixtures("ada")
def test_each_login_has_its_own_secret_and_only_its_hash_is_stored() -> None:
    first, second = log_in("ada", SECRET, HERE).login, log_in("ADA", SECRET, HERE).login

    assert first != second
    assert len(first) >= 43
    with read_session() as db:
        kept = db.scalars(select(Login.token_hash)).all()
    assert len(kept) == 2
    assert not {first, second} & set(kept)


def guess(n: int, address: str = HERE, name: str = "Ada", device: str = "") -> None:
    for _ in range(n):
        with pytest.raises(WrongPassword):
            log_in(name, "wrong", address, device)


def wait(seconds: int, device: str = "", address: str = HERE) -> None:
    """Be refused for so long, even with the right password, and let that time pass."""
    end_now()
    with pytest.raises(TooManyTries) as refused:
        log_in("Ada", SECRET, address, device)
    assert seconds / 2 < (refused.value.retry_after_seconds or 0) <= seconds
    let_pass(seconds)


@pytest.mark.usefixtures("ada")
def test_each_wrong_password_after_five_waits_twice_as_long() -> None:
    guess(5)

    for seconds in (2, 4, 8, 16, 32):
        wait(seconds)
        guess(1)
    assert log_in("Ada", SECRET, THERE)  # Elsewhere the real Ada gets in.
    wait(64)
    assert log_in("Ada", SECRET, HERE)


@pytest.mark.usefixtures("ada")
def test_no_wait_is_longer_than_the_window_in_which_tries_count() -> None:
    guess(5)
    for _ in range(9):
        with write_session() as db:
            db.add(LoginAttempt(name_key="ada", address=HERE))
    wait(900)

    assert log_in("Ada", SECRET, HERE)


def test_waiting_times_are_shown_in_seconds_and_minutes() -> None:
    assert "Wait 64 seconds, then" in TooManyTries(64).sentence
    assert "Wait 15 minutes, then" in TooManyTries(900).sentence


@pytest.mark.usefixtures("ada")
def test_a_refused_try_makes_nobody_wait_longer() -> None:
    guess(5)
    end_now()

    for _ in range(3):
        with pytest.raises(TooManyTries) as refused:
            log_in("Ada", "wrong", HERE)
        end_now()

        assert 0 < (refused.value.retry_after_seconds or 0) <= 2


@pytest.mark.usefixtures("ada")
def test_wrong_passwords_elsewhere_never_shut_out_a_known_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(throttling, "MAX_TRIES_OF_ACCOUNT", 12)
    device = log_in("Ada", SECRET, HERE).device
    for number in range(3):
        guess(4, f"10.9.9.{number}")
    end_now()

    with pytest.raises(TooManyTries):
        log_in("Ada", SECRET, THERE)  # A new device waits, wherever it is.
    with pytest.raises(TooManyTries):
        log_in("Ada", SECRET, THERE, "made up")
    assert log_in("Ada", SECRET, THERE, device).device == device


@pytest.mark.usefixtures("ada")
def test_wrong_passwords_at_a_known_device_count_for_that_device_alone() -> None:
    first, second = (log_in("Ada", SECRET, HERE).device for _ in range(2))
    guess(5, device=first)

    wait(2, device=first)
    guess(1, device=first)
    wait(4, device=first)

    assert first != second
    guess(5, device=second)
    assert log_in("Ada", SECRET, HERE)


@pytest.mark.usefixtures("ada")
def test_a_device_is_known_for_its_own_users_only() -> None:
    with write_session() as db:
        create_user(db, "Ben", "annotator", SECRET)
    device = log_in("Ben", SECRET, THERE).device
    guess(5)
    end_now()

    with pytest.raises(TooManyTries):
        log_in("Ada", SECRET, HERE, device)
    # One browser, two users: from now on it is known for both.
    assert log_in("Ada", SECRET, THERE, device).device == device
    end_now()
    assert log_in("Ada", SECRET, HERE, device).device == device
    assert log_in("Ben", SECRET, HERE, device).device == device


@pytest.mark.usefixtures("ada")
def test_only_hashes_of_devices_are_stored_and_at_most_fifty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "MOST_OF_USER", 2)
    entries = [log_in("Ada", SECRET, HERE) for _ in range(3)]

    with read_session() as db:
        kept = db.scalars(select(KnownDevice.token_hash).order_by(KnownDevice.id)).all()

    assert kept == [hash_token(entry.device) for entry in entries[1:]]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_many_addresses_of_one_network_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.usefixtures("ada")
def test_a_flood_of_logins_is_refused_at_once_and_leaves_room_for_known_devices() -> None:
    device = log_in("Ada", SECRET, HERE).device
    with ExitStack() as places:
        for _ in range(PLACES):
            places.enter_context(hold_place(is_known=False))

        with pytest.raises(LoginsBusy):
            log_in("Ada", SECRET, HERE)
        with pytest.raises(LoginsBusy):
            log_in("nobody", "wrong", HERE)
        assert log_in("Ada", SECRET, HERE, device)

    assert log_in("Ada", SECRET, HERE)
    with read_session() as db:
        assert db.scalars(select(LoginAttempt)).all() == []


@pytest.mark.usefixtures("ada")
def test_a_right_password_counts_as_no_try() -> None:
    for _ in range(12):
        assert log_in("Ada", SECRET, HERE)


@pytest.mark.usefixtures("database")
def test_many_names_from_one_address_are_slowed_down_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "MAX_TRIES_OF_ADDRESS", 3)
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

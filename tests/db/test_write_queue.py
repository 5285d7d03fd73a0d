import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from sqlalchemy import select
from sqlalchemy.exc import TimeoutError as NoConnection

from app.db.session import engine, read_session, write_session
from app.db.write_queue import FairLock, TransactionLock
from app.errors import Busy
from app.models import User
from tests.conftest import PATIENCE_SECONDS, make_user


@contextmanager
def asking(turns: FairLock, name: str, served: list[str]) -> Iterator[TransactionLock]:
    """Somebody who waits for a turn in a thread of their own."""
    turn = TransactionLock(turns)

    def acquire() -> None:
        turn.acquire()
        served.append(name)
        turn.release()

    before = turns.n_waiting
    thread = threading.Thread(target=acquire)
    thread.start()
    while turns.n_waiting == before and thread.is_alive():
        time.sleep(0.001)
    yield turn
    thread.join()


def test_waiting_writers_are_served_in_order() -> None:
    turns, served = FairLock(PATIENCE_SECONDS), list[str]()
    first = TransactionLock(turns)
    first.acquire()

    with asking(turns, "a", served), asking(turns, "b", served), asking(turns, "c", served):
        assert served == []
        first.release()

    assert served == ["a", "b", "c"]


def test_a_writer_that_waits_too_long_is_refused_without_blocking_others() -> None:
    turns = FairLock(0.01)
    first, second, third = TransactionLock(turns), TransactionLock(turns), TransactionLock(turns)
    first.acquire()

    with pytest.raises(Busy):
        second.acquire()
    second.release()
    first.release()
    third.acquire()
    third.release()

    assert turns.n_waiting == 0


def test_a_transaction_that_failed_lets_the_next_one_in(database: str) -> None:
    make_user("ada")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            add_and_fail()

    make_user("eve")

    with read_session() as db:
        assert db.scalars(select(User.name).order_by(User.id)).all() == ["ada", "eve"]


def test_a_transaction_may_roll_back_and_begin_again(database: str) -> None:
    with write_session() as db:
        db.add(User(name="ben", name_key="ben", role="admin"))
        db.flush()
        db.rollback()
        db.add(User(name="ada", name_key="ada", role="admin"))

    with read_session() as db:
        assert db.scalars(select(User.name)).all() == ["ada"]


def add_and_fail() -> None:
    with write_session() as db:
        db.add(User(name="ben", name_key="ben", role="admin"))
        db.flush()
        raise ZeroDivisionError


def test_without_a_free_connection_the_database_is_reported_busy(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine().pool, "_timeout", 0.01)
    with ExitStack() as held:
        with suppress(NoConnection):
            while True:
                held.enter_context(engine().connect())
        for way in (read_session, write_session):
            with pytest.raises(Busy), way() as db:
                db.scalars(select(User.id)).all()

    make_user("ada")

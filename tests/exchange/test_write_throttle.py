import gc
import time

import pytest

from app.errors import Invalid
from app.exchange.imports.write_throttle import (
    FEWEST_ROWS,
    GOAL_SECONDS,
    LONGEST_PAUSE_SECONDS,
    MOST_ROWS,
    WriteThrottle,
)
from app.models import Project
from tests.conftest import make_project


def test_a_chunk_that_held_the_lock_for_long_makes_the_next_one_small() -> None:
    pace = WriteThrottle(n_rows=400)

    pace.learn(2 * GOAL_SECONDS, is_sqlite=True)
    assert pace.n_rows == 200
    pace.learn(60.0, is_sqlite=True)
    assert pace.n_rows == FEWEST_ROWS
    for _ in range(20):
        pace.learn(0.0, is_sqlite=True)
    assert pace.n_rows == MOST_ROWS


def test_others_have_the_lock_of_sqlite_for_as_long_as_it_was_held_within_bounds() -> None:
    short, long, postgres = WriteThrottle(), WriteThrottle(), WriteThrottle()
    before = time.monotonic()
    short.learn(0.01, is_sqlite=True)
    long.learn(60.0, is_sqlite=True)
    postgres.learn(60.0, is_sqlite=False)
    after = time.monotonic()

    assert before + 0.01 <= short.free_until <= after + 0.01
    assert before + LONGEST_PAUSE_SECONDS <= long.free_until <= after + LONGEST_PAUSE_SECONDS
    assert postgres.free_until == 0


def test_no_garbage_is_collected_while_the_lock_is_held(database: str) -> None:
    pace = WriteThrottle()

    with pace.turn() as db:
        assert not gc.isenabled()
        db.add(Project(slug="a", name="a", base_model="none", min_labels=25))

    assert gc.isenabled()
    assert pace.n_rows != 100
    with pytest.raises(Invalid), pace.turn():
        raise Invalid("This went wrong.")
    assert gc.isenabled()
    assert make_project("b").id == 2  # The first was stored, and the lock is free.

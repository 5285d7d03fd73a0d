"""Throttle an import so that it shares SQLite's single write lock.

Decision: SQLite keeps no queue of those who wait for its lock; they look again some milliseconds
later. An import that took the lock back at once would have them find it taken time and again, so
it leaves the lock free for as long as it held it.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.db.session import write_session

# Target time that a chunk holds the lock; users wait little more than twice that.
GOAL_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.05
FEWEST_ROWS, MOST_ROWS = 50, 500


@dataclass
class WriteThrottle:
    """Chunk size and pause of one import, adapted to the speed of its chunks.

    n_rows      of the next chunk
    free_until  monotonic time, in seconds, until which the lock is left to others
    """

    n_rows: int = 100
    free_until: float = 0.0

    @contextmanager
    def turn(self) -> Iterator[Session]:
        """Open a write transaction after the pause; its duration sets the next chunk and pause."""
        time.sleep(max(0.0, self.free_until - time.monotonic()))
        with _garbage_collection_paused(), write_session() as db:
            is_sqlite = db.connection().dialect.name == "sqlite"  # The lock is taken here.
            begun = time.monotonic()
            yield db
        self.learn(time.monotonic() - begun, is_sqlite=is_sqlite)

    def learn(self, held_seconds: float, *, is_sqlite: bool) -> None:
        """Set the next chunk's size and the pause before it by how long this one took."""
        change = min(1.5, max(0.25, GOAL_SECONDS / max(held_seconds, 1e-6)))
        self.n_rows = min(MOST_ROWS, max(FEWEST_ROWS, int(self.n_rows * change)))
        if is_sqlite:
            self.free_until = time.monotonic() + min(held_seconds, LONGEST_PAUSE_SECONDS)


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Python collects its garbage before or after: all of it takes a tenth of a second."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

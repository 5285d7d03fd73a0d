"""Taking turns: the threads of one process that want to write, in the order in which they asked."""

from collections import deque
from threading import Lock

from app.errors import Busy


class FairLock:
    """Who writes next, among the threads of this process: whoever asked first.

    SQLite lets one write at a time and has the others look again after pauses of up to 100 ms, in
    no order; who waits here is woken at once.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._guard, self._waiting, self._is_taken = Lock(), deque[Lock](), False

    @property
    def n_waiting(self) -> int:
        """How many wait behind the one whose turn it is."""
        return len(self._waiting)

    def acquire(self) -> None:
        """Return when it is the caller's turn. Raises Busy when that lasts too long."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return
            own_lock = Lock()
            own_lock.acquire()
            self._waiting.append(own_lock)
        if not own_lock.acquire(timeout=self._patience_seconds):
            self._give_up(own_lock)

    def _give_up(self, own_lock: Lock) -> None:
        with self._guard:
            if own_lock in self._waiting:  # Else the turn came at the last moment.
                self._waiting.remove(own_lock)
                raise Busy

    def release(self) -> None:
        """Begin the next turn."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


class TransactionLock:
    """A transaction's turn, taken with its first statement and given up at its end."""

    def __init__(self, lock: FairLock) -> None:
        self._turns, self._is_mine = lock, False

    def acquire(self) -> None:
        """Wait for it, unless it has come: a transaction may roll back and begin again. Raises
        Busy."""
        if not self._is_mine:
            self._turns.acquire()
            self._is_mine = True

    def release(self) -> None:
        """Let the next one in."""
        if self._is_mine:
            self._is_mine = False
            self._turns.release()

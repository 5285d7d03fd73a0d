"""Taking turns: the threads of one process that want to write, in the order in which they asked."""

from collections import deque
from threading import Lock

from app.errors import Busy


class Turns:
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

    def take(self) -> None:
        """Returns when it is one's turn. Raises Busy when that lasts too long."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        if not mine.acquire(timeout=self._patience_seconds):
            self._give_up(mine)

    def _give_up(self, mine: Lock) -> None:
        with self._guard:
            if mine in self._waiting:  # Else the turn came at the last moment.
                self._waiting.remove(mine)
                raise Busy

    def give(self) -> None:
        """The next one's turn begins."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


class Turn:
    """A transaction's turn, taken with its first statement and given up at its end."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self._is_mine = turns, False

    def take(self) -> None:
        """Wait for it, unless it has come: a transaction may roll back and begin again. Raises
        Busy."""
        if not self._is_mine:
            self._turns.take()
            self._is_mine = True

    def end(self) -> None:
        """Let the next one in."""
        if self._is_mine:
            self._is_mine = False
            self._turns.give()

"""What every package may know about jobs: how a step ends early, and where tests kill.

The engine that carries jobs out is app.jobs.engine, which the worker alone imports.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable

# What one step of a job does for its subject's id.
Step = Callable[[int], None]

_hits: Counter[str] = Counter()


class JobCancelled(Exception):
    """Raised by a step that saw its subject cancelled: the job ends here, and did not fail.

    Whoever cancelled has written so on the row; the engine calls nobody.
    """


class JobFinished(Exception):
    """Raised by a step that finds the job's work done already: no further step is needed."""


def failpoint(name: str) -> None:
    """Kill this process here if LIKEWISE_FAILPOINT says "name:kill:n" and this is the nth pass.

    For tests, which sweep the named moments; without the variable it does nothing.
    """
    wanted = os.environ.get("LIKEWISE_FAILPOINT")
    if not wanted:
        return
    at, action, nth = wanted.split(":")
    if at != name:
        return
    _hits[name] += 1
    if action == "kill" and _hits[name] == int(nth):
        os.kill(os.getpid(), signal.SIGKILL)

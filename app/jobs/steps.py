"""What every room may know about jobs: how a step ends early, where tests kill, who is at work.

The engine that carries jobs out is app.jobs.engine, which the worker alone imports.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import RowMapping
from sqlalchemy.engine import make_url

from app.db.session import engine_for
from app.jobs.leases import SILENCE_SECONDS, is_dead_on_this_machine, read_leases

# What one step of a job does for its subject's id.
Step = Callable[[int], None]

_hits: Counter[str] = Counter()


class JobCancelled(Exception):
    """Raised by a step that saw its subject cancelled: the job ends here, and did not fail.

    Whoever cancelled has written so on the row; the engine calls nobody.
    """


@dataclass(frozen=True)
class WorkerLease:
    """One worker process as its lease tells; last_seen_at is UTC, aware."""

    name: str
    queues: tuple[str, ...]
    last_seen_at: datetime
    is_serving: bool


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


def list_workers(database_url: str, data_dir: Path) -> list[WorkerLease]:
    """The workers that ever were, the last seen first; those that ended stay for a while.

    Needs no dbos, so a page may call it to say "no worker since".
    """
    url = jobs_database_url(database_url, data_dir)
    if url.startswith("sqlite") and not (data_dir / "jobs.sqlite3").exists():
        return []
    return [_describe_lease(row, data_dir) for row in read_leases(engine_for(url))]


def jobs_database_url(database_url: str, data_dir: Path) -> str:
    """Where the engine's tables are: schema dbos of the same Postgres, or a file of their own."""
    is_sqlite = make_url(database_url).get_backend_name() == "sqlite"
    return f"sqlite:///{data_dir / 'jobs.sqlite3'}" if is_sqlite else database_url


def _describe_lease(lease: RowMapping, data_dir: Path) -> WorkerLease:
    seen_at: datetime = lease["last_seen_at"]  # SQLite drops the zone, which was UTC.
    seen_at = seen_at.replace(tzinfo=UTC) if seen_at.tzinfo is None else seen_at.astimezone(UTC)
    is_fresh = datetime.now(UTC) - seen_at < timedelta(seconds=SILENCE_SECONDS)
    return WorkerLease(
        name=f"{lease['host']}:{lease['pid']}",
        queues=tuple(lease["queues"].split(",")),
        last_seen_at=seen_at,
        is_serving=lease["ended_at"] is None
        and is_fresh
        and not is_dead_on_this_machine(lease, data_dir),
    )

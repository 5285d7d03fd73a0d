"""Which workers there are, for pages and commands: read from their leases, without the engine."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import RowMapping
from sqlalchemy.engine import make_url

from app.db.session import engine_for
from app.jobs.leases import SILENCE_SECONDS, is_dead_on_this_machine, read_leases
from app.settings import settings


@dataclass(frozen=True)
class WorkerLease:
    """One worker process as its lease tells; last_seen_at is UTC, aware."""

    executor_id: str
    name: str
    queues: tuple[str, ...]
    last_seen_at: datetime
    is_serving: bool


@dataclass(frozen=True)
class WorkerPresence:
    """ready: the names of the workers that take jobs; last_seen_at: None if none ever started."""

    ready: tuple[str, ...]
    last_seen_at: datetime | None

    @property
    def is_ready(self) -> bool:
        """Whether any worker takes jobs."""
        return bool(self.ready)


def list_workers(database_url: str, data_dir: Path) -> list[WorkerLease]:
    """List the workers that ever were, the last seen first; those that ended stay for a while.

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


def find_workers(queue: str | None = None) -> WorkerPresence:
    """Whether a worker that serves this queue, or any, is ready; and when one was last seen."""
    seen = list_workers(settings().database_url, settings().data_dir)
    serving = [each for each in seen if each.is_serving and (not queue or queue in each.queues)]
    return WorkerPresence(
        tuple(each.name for each in serving),
        max((each.last_seen_at for each in seen), default=None),
    )


def has_ended(executor_id: str) -> bool:
    """Whether the worker with this lease is gone."""
    config = settings()
    return not any(
        worker.executor_id == executor_id and worker.is_serving
        for worker in list_workers(config.database_url, config.data_dir)
    )


def _describe_lease(lease: RowMapping, data_dir: Path) -> WorkerLease:
    seen_at: datetime = lease["last_seen_at"]  # SQLite drops the zone, which was UTC.
    seen_at = seen_at.replace(tzinfo=UTC) if seen_at.tzinfo is None else seen_at.astimezone(UTC)
    is_fresh = datetime.now(UTC) - seen_at < timedelta(seconds=SILENCE_SECONDS)
    return WorkerLease(
        executor_id=lease["executor_id"],
        name=f"{lease['host']}:{lease['pid']}",
        queues=tuple(lease["queues"].split(",")),
        last_seen_at=seen_at,
        is_serving=lease["ended_at"] is None
        and is_fresh
        and not is_dead_on_this_machine(lease, data_dir),
    )

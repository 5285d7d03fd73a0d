"""What Prometheus is told about the work that lies in the database, read at each scrape."""

import time
from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.session import read_session
from app.errors import AppError
from app.jobs.workers import list_workers
from app.models import Delivery, Import, Project, TrainingRun, UserAction
from app.search.embedding import count_missing
from app.settings import settings

RUN_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
# The kinds of actions that save labels; comments save none.
SAVE_KINDS = ("single", "page", "import")
WORKER_QUEUES = ("light", "train", "map")
# Counting them reads an index over all embeddings: a scrape takes the last count for so long.
MISSING_SECONDS = 60.0

_missing_counts: dict[str, tuple[float, int]] = {}


class DatabaseCollector(Collector):
    """The metrics of the database; without one, only that it is down."""

    def collect(self) -> Iterator[Metric]:
        """Read them now."""
        try:
            with read_session() as db:
                found = [*_collect_counts(db), _collect_missing(db), _collect_workers()]
        except (AppError, SQLAlchemyError):
            found = []
        yield _gauge(
            "likewise_database_up", "Whether the database could be read: 1 or 0.", bool(found)
        )
        yield from found


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=float(value))


def _collect_counts(db: Session) -> Iterator[Metric]:
    saves = CounterMetricFamily(
        "likewise_label_saves", "Save operations of labels, by kind.", labels=["kind"]
    )
    saved = _count_by(db, UserAction.kind, SAVE_KINDS)
    for kind in SAVE_KINDS:
        saves.add_metric([kind], saved[kind])
    yield saves
    runs = GaugeMetricFamily("likewise_runs", "Training runs, by status.", labels=["status"])
    by_status = _count_by(db, TrainingRun.status, RUN_STATUSES)
    for status in RUN_STATUSES:
        runs.add_metric([status], by_status[status])
    yield runs
    yield _collect_queues(db, by_status["queued"])


def _count_by(
    db: Session, column: InstrumentedAttribute[str], values: tuple[str, ...]
) -> Counter[str]:
    rows = db.execute(select(column, func.count()).where(column.in_(values)).group_by(column))
    return Counter({row[0]: row[1] for row in rows})


def _collect_queues(db: Session, n_runs: int) -> Metric:
    n_imports = db.scalar(select(func.count()).where(Import.status == "queued")) or 0
    undelivered = (Delivery.delivered_at.is_(None), Delivery.abandoned_at.is_(None))
    n_deliveries = db.scalar(select(func.count()).where(*undelivered)) or 0
    queues = GaugeMetricFamily(
        "likewise_queue_length", "Tasks waiting for a worker, by kind.", labels=["kind"]
    )
    for kind, n in (("import", n_imports), ("run", n_runs), ("delivery", n_deliveries)):
        queues.add_metric([kind], n)
    return queues


def _collect_missing(db: Session) -> Metric:
    url = settings().database_url
    counted_at, n = _missing_counts.get(url, (float("-inf"), 0))
    if time.monotonic() - counted_at >= MISSING_SECONDS:
        n = sum(count_missing(db, project) for project in db.scalars(select(Project)).all())
        _missing_counts[url] = (time.monotonic(), n)
    return _gauge("likewise_embeddings_missing", "Records not yet embedded.", n)


def _collect_workers() -> Metric:
    config = settings()
    serving = Counter(
        queue
        for worker in list_workers(config.database_url, config.data_dir)
        if worker.is_serving
        for queue in worker.queues
    )
    workers = GaugeMetricFamily(
        "likewise_workers_ready", "Running workers, by queue.", labels=["queue"]
    )
    for queue in WORKER_QUEUES:
        workers.add_metric([queue], serving[queue])
    return workers

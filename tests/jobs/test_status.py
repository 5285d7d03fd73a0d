"""What workers report is in the database, and a dead worker's reports are recognised."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.db.session import engine_for, read_session, write_session
from app.jobs import status
from app.jobs.leases import create_lease_table, end_leases, lease_table
from app.jobs.status import StatusKind, read_status, write_status
from app.jobs.workers import find_workers, jobs_database_url
from app.models import WorkerStatus, utc_now
from app.settings import settings


@pytest.fixture
def executor(database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a worker on another machine that holds a lease and reports from this process."""
    leases = engine_for(jobs_database_url(settings().database_url, settings().data_dir))
    create_lease_table(leases)
    values = {"host": "far", "machine": "far", "pid": 7, "queues": "light,train", "beats": 1}
    with leases.execution_options(is_write=True).begin() as db:
        now = datetime.now(UTC)
        db.execute(lease_table(leases).insert().values(executor_id="w", last_seen_at=now, **values))
    monkeypatch.setattr(status, "_executor_ids", ["w"])
    monkeypatch.setattr(status, "_stored_at", {})
    return "w"


def make_older(seconds: int) -> None:
    with write_session() as db:
        reported_at = utc_now() - timedelta(seconds=seconds)
        db.execute(update(WorkerStatus).values(reported_at=reported_at))


def test_the_newest_report_replaces_the_older(executor: str) -> None:
    write_status(StatusKind.MAP, 7, {"share": 0.1})
    write_status(StatusKind.MAP, 7, {"share": 0.9})
    write_status(StatusKind.MAP, 8, {"share": 0.5})

    report = read_status(StatusKind.MAP, 7)

    assert report is not None
    assert (report.payload, report.is_orphaned) == ({"share": 0.9}, False)
    assert read_status(StatusKind.EMBEDDING, 7) is None
    with read_session() as db:
        assert db.scalars(select(WorkerStatus.executor_id)).all() == ["w", "w"]


def test_progress_is_stored_at_most_once_a_second_and_the_end_always(executor: str) -> None:
    for share in (0.1, 0.2, 0.3):
        write_status(StatusKind.MAP, 7, {"share": share}, is_progress=True)
    during = read_status(StatusKind.MAP, 7)
    write_status(StatusKind.MAP, 7, {"share": 1.0})
    after = read_status(StatusKind.MAP, 7)

    assert during is not None
    assert after is not None
    assert (during.payload["share"], after.payload["share"]) == (0.1, 1.0)


def test_a_report_of_a_worker_that_ended_is_orphaned_and_of_a_live_one_is_not(
    executor: str,
) -> None:
    write_status(StatusKind.MAP, 7, {"share": 0.1})
    make_older(60)
    before = read_status(StatusKind.MAP, 7)
    leases = engine_for(jobs_database_url(settings().database_url, settings().data_dir))

    assert find_workers("train").is_ready
    end_leases(leases, [executor], settings().data_dir)

    after = read_status(StatusKind.MAP, 7)
    assert before is not None
    assert after is not None
    assert (before.is_orphaned, after.is_orphaned) == (False, True)
    presence = find_workers()
    assert not presence.is_ready
    assert presence.last_seen_at is not None


def test_a_worker_of_other_queues_is_not_ready_for_training(executor: str) -> None:
    assert find_workers("light").ready == ("far:7",)
    assert not find_workers("map").is_ready

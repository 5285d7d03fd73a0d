"""A disk that is full, or fills: nothing is half stored, and with room again all of it goes on."""

import html
import os
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from app.commands.verify import run_checks
from app.db.session import engine, read_session
from app.errors import StorageFull
from app.exchange.imports.imports import mark_failed, run_import
from app.labeling.sessions.sessions import start_session
from app.models import Artifact
from app.search.index_revisions import write_index
from app.search.versions import find_raw_version
from app.settings import settings
from tests.exchange.files import queued, the_import
from tests.training.conftest import record_ids
from tests.worst_day.conftest import Day
from tests.worst_day.sentences import API, PAGES, in_child, one_line, saying, shown, told, upload

ON_POSTGRES = bool(os.environ.get("TEST_DATABASE_URL"))
FULL_TABLES = ("actions", "records", "imports", "artifacts", "training_runs")
DISK_IS_FULL = "Not saved: the server's disk is full. Free some space and try again."


@contextmanager
def a_full_disk() -> Iterator[None]:
    """No file of this process grows, and Postgres answers as it does when its own disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if ON_POSTGRES:
        fill_postgres()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if ON_POSTGRES:
            with engine().begin() as connection:
                connection.execute(text("DROP FUNCTION fill() CASCADE"))


def fill_postgres() -> None:
    with engine().begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
                "'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
            )
        )
        for table in FULL_TABLES:
            connection.execute(
                text(
                    f"CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON {table} "
                    "EXECUTE FUNCTION fill()"
                )
            )


def on_full_disk(*words: str) -> str:
    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    result = in_child(*words, beforehand=fill)
    assert result.returncode == 1, result.stdout
    return one_line(result.stderr)


def files_in(name: str) -> list[str]:
    folder = settings().data_dir / name
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# capsys: pytest's usual way of capturing output is a file, and would be full as well.
def test_an_import_on_a_full_disk(
    day: Day, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"id,text\n1,hello\n")
    with a_full_disk():
        page = shown(upload(day.browser, PAGES, path.read_bytes()), 507)
        program = told(upload(day.program, API, path.read_bytes()), 507)
        raw = told(day.program.post(f"{API}/imports", content=path.read_bytes()), 507)
    shell = on_full_disk("import", "letters", str(path), "--wait")

    assert page == program == raw == shell == DISK_IS_FULL
    assert files_in("imports") == []
    assert day.now == day.before


def test_a_disk_that_fills_during_an_import(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    import_id = queued(day.project, b"id,text\n" + b"".join(b"%d,x\n" % n for n in range(600)))
    with a_full_disk(), pytest.raises(StorageFull) as full:
        run_import(import_id)
    mark_failed(import_id, full.value.sentence)

    assert day.now == day.before
    assert DISK_IS_FULL in html.unescape(day.browser.get(f"{PAGES}/imports/{import_id}").text)
    assert day.program.get(f"{API}/imports/{import_id}").json()["error"] == DISK_IS_FULL
    assert day.browser.post(f"{PAGES}/imports/{import_id}/retry").status_code == 303
    run_import(import_id)
    assert the_import(import_id).n_stored == 600


def test_a_label_on_a_full_disk(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    session = start_session(day.project, day.admin, "random")
    says = f"{PAGES}/sessions/{session.id}/votes"
    form = {"rank": "0", "key": "form", "vote": "none"}
    body = saying(record_ids(day.project)[9], key="program")
    with a_full_disk():
        page = shown(day.browser.post(says, data=form), 507)
        program = told(day.program.post(f"{API}/annotations", json=body), 507)
        assert day.browser.get(f"{PAGES}/sessions/{session.id}").status_code == 200
        assert day.now == day.before

    assert page == program == DISK_IS_FULL
    # Sent again with the same keys once there is room, as the page's script does by itself.
    assert day.browser.post(says, data=form).status_code == 303
    assert day.program.post(f"{API}/annotations", json=body).status_code == 200
    assert day.now.count(b'"label_source"') == 40
    assert run_checks().problems == []


def test_an_index_on_a_full_disk(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    with read_session() as db:
        raw = find_raw_version(db, day.project)
    assert raw is not None
    write_index(raw.id)
    seed = {"record_ids": record_ids(day.project)[:1], "k": 3}
    found = day.program.post(f"{API}/similar", json=seed).json()
    kept = files_in("artifacts")

    with a_full_disk(), pytest.raises(StorageFull, match=re.escape(DISK_IS_FULL)):
        write_index(raw.id)

    assert files_in("artifacts") == kept
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Artifact)) == len(kept)
    assert day.program.post(f"{API}/similar", json=seed).json() == found
    write_index(raw.id)
    assert run_checks().problems == []


def test_an_export_on_a_full_disk(
    day: Day, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(b"yesterday's")
    with a_full_disk():
        page = shown(day.browser.get(f"{PAGES}/exports/file?format=csv"), 507)
        program = told(day.program.get(f"{API}/exports?format=parquet"), 507)
        bundle = shown(day.browser.get(f"{PAGES}/versions/1/bundle"), 507)
    shell = on_full_disk("export", "letters", str(out))

    assert page == program == bundle == shell == DISK_IS_FULL
    assert out.read_bytes() == b"yesterday's"
    assert [path.name for path in tmp_path.glob("out*")] == ["out.jsonl"]
    assert day.now == day.before

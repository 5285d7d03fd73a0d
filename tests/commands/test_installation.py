"""One database, one data folder: whoever comes with another folder is turned away."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect, select
from typer.testing import CliRunner, Result

from app.cli import app
from app.db import schema
from app.db.session import engine, read_session
from app.installation import FILE
from app.models import Installation
from app.search.index_revisions import write_index
from app.search.versions import find_raw_version
from app.settings import settings
from tests.conftest import PATIENCE_SECONDS, client_of, make_project, make_user
from tests.training.conftest import embedded_project

ROOT = Path(__file__).resolve().parents[2]
ON_SQLITE = pytest.mark.skipif(
    bool(os.environ.get("TEST_DATABASE_URL")), reason="Postgres is backed up with pg_dump"
)
CSV = b"id,text\n1,the parcel is late\n2,thank you\n"

Enter = Callable[[str], Path]


@pytest.fixture
def enter(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Go on with another data folder, as another host would; the database stays."""

    def go(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        monkeypatch.setenv("LIKEWISE_DATA_DIR", str(folder))
        settings.cache_clear()
        return folder

    return go


def likewise(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def stored_id() -> str | None:
    with read_session() as db:
        return db.scalar(select(Installation.identifier))


def files_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def store_index() -> None:
    """A project of the sort that 0.1.0 left: with a stored file, and nobody's id."""
    project = embedded_project(n=20)
    with read_session() as db:
        encoder = find_raw_version(db, project)
    assert encoder is not None
    write_index(encoder.id)


def check_line() -> str:
    lines = likewise("doctor").stdout.splitlines()
    [line] = [line for line in lines if line[4:].startswith("installation ")]
    return line


@pytest.mark.parametrize("carries_an_id", [False, True])
def test_a_second_folder_is_refused_and_no_file_is_deleted(
    enter: Enter, tmp_path: Path, *, carries_an_id: bool
) -> None:
    first = enter("first")
    store_index()
    assert likewise("verify").exit_code == 0
    before = files_of(first)
    rows = tmp_path / "rows.csv"
    rows.write_bytes(CSV)
    second = enter("second")
    if carries_an_id:
        (second / FILE).write_text(f"{'0' * 32}\n")
    its_own = files_of(second)

    for words in (
        ("worker",),
        ("serve", "--port", "0"),
        ("import", "letters", str(rows)),
        ("train", "letters"),
        ("demo", "--no-wait"),
        ("verify",),
        ("export", "letters", "x.csv"),
    ):
        refused = likewise(*words)
        assert (refused.exit_code, refused.stdout) == (1, ""), words
        [sentence] = refused.stderr.strip().splitlines()
        assert sentence.startswith(f"The data folder {second} does not belong to the database ")
        assert "Mount the same folder on every host" in sentence
        assert "run `likewise doctor --claim-folder` once" in sentence
        assert engine().url.render_as_string() in sentence

    assert check_line().startswith("!!")
    assert files_of(second) == its_own
    assert files_of(first) == before
    assert before[FILE].decode().strip() == stored_id()
    enter("first")
    assert likewise("verify").exit_code == 0
    assert check_line().split() == [
        "ok",
        "installation",
        f"{stored_id()},",
        "same",
        "in",
        "database",
        "and",
        "data",
        "folder",
    ]


def test_a_claimed_folder_is_the_one_from_then_on(enter: Enter) -> None:
    enter("first")
    store_index()
    likewise("verify")
    before = stored_id()
    enter("second")

    claimed = likewise("doctor", "--claim-folder")

    assert "same in database and data folder" in claimed.stdout
    assert stored_id() != before
    assert "problem" in likewise("verify").stdout
    enter("first")
    assert "names another installation" in likewise("verify").stderr


def test_an_upload_stops_when_another_folder_was_claimed_meanwhile(enter: Enter) -> None:
    first = enter("first")
    make_project()
    browser = client_of(make_user())
    likewise("verify")
    enter("second")
    likewise("doctor", "--claim-folder")
    enter("first")

    answer = browser.post(
        "/api/v1/projects/letters/imports", files={"file": ("rows.csv", CSV, "text/csv")}
    )

    assert answer.status_code == 503
    assert "names another installation" in answer.json()["title"]
    assert not list(first.glob("imports/*"))


def test_an_installation_without_an_id_gets_one(enter: Enter) -> None:
    folder = enter("first")
    store_index()
    schema.downgrade("0002")
    assert "installations" not in inspect(engine()).get_table_names()
    before = files_of(folder)

    assert likewise("verify").exit_code == 0

    assert files_of(folder) == before | {FILE: f"{stored_id()}\n".encode()}
    assert likewise("verify").exit_code == 0


def test_an_upgrade_with_a_data_folder_without_its_files_is_refused(enter: Enter) -> None:
    enter("first")
    store_index()
    enter("second")

    refused = likewise("verify")

    assert refused.exit_code == 1
    assert "it holds none of the files that the database names" in refused.stderr
    assert stored_id() is None


def test_a_folder_may_be_changed_while_there_is_no_file_to_lose(enter: Enter) -> None:
    enter("first")
    likewise("verify")
    before = stored_id()
    second = enter("second")

    assert likewise("verify").exit_code == 0

    assert (second / FILE).read_text().strip() == stored_id() != before
    enter("first")
    assert "names another installation" in likewise("verify").stderr


def test_a_folder_with_files_is_refused_to_a_new_database(
    enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = enter("first")
    store_index()
    likewise("verify")
    before = files_of(folder)
    monkeypatch.setenv("LIKEWISE_DATABASE_URL", f"sqlite:///{tmp_path / 'new.sqlite3'}")
    settings.cache_clear()

    refused = likewise("verify")

    assert (refused.exit_code, "names another installation" in refused.stderr) == (1, True)
    assert files_of(folder) == before


def test_who_only_changes_rows_needs_no_folder(enter: Enter) -> None:
    enter("first")
    store_index()
    likewise("verify")
    elsewhere = enter("elsewhere")

    assert likewise("user", "add", "ben", "--role", "annotator").exit_code == 0

    assert files_of(elsewhere) == {}


@pytest.mark.parametrize("is_renamed", [False, True])
def test_a_start_that_was_killed_half_way_is_completed(enter: Enter, *, is_renamed: bool) -> None:
    folder = enter("first")
    store_index()
    likewise("verify")
    if not is_renamed:
        # Killed after the commit, before the file got its name; beside it what another one left.
        (folder / FILE).rename(folder / f"{FILE}.{stored_id()}")
        (folder / f"{FILE}.{'0' * 32}").write_text("0" * 32)

    assert likewise("verify").exit_code == 0

    assert (folder / FILE).read_text().strip() == stored_id()


def test_processes_that_start_at_once_agree(enter: Enter) -> None:
    folder = enter("first")
    command = [sys.executable, "-m", "app.cli", "verify"]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.DEVNULL)
        for _ in range(4)
    ]

    assert [each.wait(PATIENCE_SECONDS) for each in started] == [0, 0, 0, 0]

    assert [path.name for path in folder.glob(f"{FILE}*")] == [FILE]
    assert (folder / FILE).read_text().strip() == stored_id()


def test_a_worker_ends_once_another_folder_was_claimed(enter: Enter) -> None:
    enter("first")
    worker = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "worker"],
        cwd=ROOT,
        env=dict(os.environ),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stderr is not None
    try:
        assert any("worker.ready" in line for line in iter(worker.stderr.readline, ""))
        enter("second")
        likewise("doctor", "--claim-folder")
        _, stderr = worker.communicate(timeout=PATIENCE_SECONDS)
    finally:
        worker.send_signal(signal.SIGKILL)

    assert worker.returncode == 1
    assert "names another installation" in stderr


@ON_SQLITE
def test_a_backup_is_restored_as_an_installation_of_its_own(
    enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter("first")
    store_index()
    archive = tmp_path / "backup.tar"
    assert likewise("backup", str(archive)).exit_code == 0
    before = stored_id()
    folder = tmp_path / "restored"
    monkeypatch.setenv("LIKEWISE_DATABASE_URL", f"sqlite:///{folder / 'likewise.sqlite3'}")
    monkeypatch.setenv("LIKEWISE_DATA_DIR", str(folder))
    settings.cache_clear()

    assert likewise("restore", str(archive)).exit_code == 0

    assert likewise("verify").exit_code == 0
    assert (folder / FILE).read_text().strip() == stored_id() != before


@ON_SQLITE
def test_a_folder_with_its_database_may_be_moved(
    enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = enter("first")
    monkeypatch.setenv("LIKEWISE_DATABASE_URL", f"sqlite:///{first / 'likewise.sqlite3'}")
    settings.cache_clear()
    schema.upgrade()
    store_index()
    likewise("verify")
    moved = tmp_path / "moved"
    engine().dispose()
    first.rename(moved)
    monkeypatch.setenv("LIKEWISE_DATABASE_URL", f"sqlite:///{moved / 'likewise.sqlite3'}")
    monkeypatch.setenv("LIKEWISE_DATA_DIR", str(moved))
    settings.cache_clear()

    assert likewise("verify").exit_code == 0

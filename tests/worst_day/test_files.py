"""Files that are no files, lack a column, hold broken rows, or are never looked at again."""

import html
import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from app.cli import app
from app.db.session import read_session, write_session
from app.exchange.imports.imports import run_import
from app.jobs.scheduler import Scheduler
from app.models import Import, Record, utc_now
from app.settings import settings
from app.worker import work_until
from tests.exchange.files import queued, received, the_import
from tests.worst_day.conftest import Day
from tests.worst_day.sentences import API, PAGES, in_child, in_shell, shown, told, upload


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"PK\x03\x04",
            "ZIP files and spreadsheets cannot be imported. Unzip it or save it as CSV.",
        ),
        (b"", "The file is empty."),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            "This is not a text file. Save it as CSV, TSV, JSON, JSONL or Parquet.",
        ),
    ],
)
def test_a_wrong_file(day: Day, tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)

    page = shown(upload(day.browser, PAGES, content), 422)
    program = told(upload(day.program, API, content), 422)
    shell = in_shell("import", "letters", str(path))

    assert page == program == shell == sentence
    assert day.now == day.before
    assert in_shell("import", "letters", str(tmp_path)) == f"File not found: {tmp_path}."
    assert list((settings().data_dir / "imports").iterdir()) == []


def test_an_unknown_column(day: Day, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"id,text\n1,hello\n")
    mapping = json.dumps({"text_columns": ["title"]})

    waiting = upload(day.browser, PAGES, path.read_bytes()).headers["location"]
    page = shown(day.browser.post(f"{waiting}/start", data={"text_columns": "title"}), 422)
    program = told(upload(day.program, API, path.read_bytes(), mapping=mapping), 422)
    shell = in_shell("import", "letters", str(path), "--text", "title")

    assert page == program == shell == "The file has no column 'title'. Columns: id, text."
    assert day.now == day.before
    # The upload waits for a better choice.
    assert day.browser.post(f"{waiting}/start", data={"text_columns": "text"}).status_code == 303


BROKEN_ROWS = b'id,text\n1,one\n2,"never closed\n3,three\n4,\n'


def test_a_broken_row_costs_itself_alone(day: Day) -> None:
    import_id = queued(day.project, BROKEN_ROWS)
    run_import(import_id)

    page = html.unescape(day.browser.get(f"{PAGES}/imports/{import_id}").text)
    program = day.program.get(f"{API}/imports/{import_id}/rejects").json()

    reasons = [(each["line"], each["reason"]) for each in program]
    assert [line for line, _ in reasons] == [3, 5]
    assert all(reason in page for _, reason in reasons)
    assert day.now.startswith(day.before)


def test_a_broken_row_is_reported_in_a_shell(database: str, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(BROKEN_ROWS)

    done = in_child("import", "letters", str(path), "--wait")

    assert done.returncode == 0, done.stderr
    assert "2 stored, 0 updated, 0 unchanged, 2 rejected" in done.stdout
    assert "First rejected: line 3, unclosed quote" in done.stdout


def test_a_file_is_imported_in_the_given_encoding(day: Day, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("Nr,Größe,text\n1,Ä,schön\n".encode("cp1252"))

    unsaid = in_shell("import", "letters", str(path))
    wrong = in_shell("import", "letters", str(path), "--encoding", "klingon")
    done = CliRunner().invoke(
        app, ["import", "letters", str(path), "--encoding", "cp1252", "--id", "Nr"]
    )

    assert "is not valid UTF-8" in unsaid
    assert wrong == "Unknown encoding: 'klingon'."
    assert day.now == day.before
    assert done.exit_code == 0, done.output
    with read_session() as db:
        import_id = db.scalars(select(Import.id)).one()
    run_import(import_id)
    with read_session() as db:
        stored = db.scalars(select(Record).where(Record.external_id == "1")).one()
    assert (stored.text, stored.fields) == ("schön", {"Größe": "Ä"})


def test_a_worker_forgets_uploads_that_nobody_mapped(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, old = (received(day.project, b"id,text\n1,x\n").id for _ in range(2))
    with write_session() as db:
        long_ago = utc_now() - timedelta(days=2)
        db.execute(update(Import).where(Import.id == old).values(created_at=long_ago))
    # Nothing else to do: the records of this project have the vectors that they need.
    monkeypatch.setattr(Scheduler, "_start_upkeep", lambda chores: None)

    work_until(lambda: the_import(old).status == "cancelled")

    assert the_import(old).error == "Expired: the columns were not mapped within 24 hours."
    assert the_import(kept).status == "uploaded"
    assert day.now == day.before

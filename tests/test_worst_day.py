"""The worst day: whatever goes wrong is said in one clear sentence, by the page, to a program and
in a shell, and what was stored before is still there."""

import html
import io
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import func, select, text, update
from typer.testing import CliRunner

from app.accounts.tokens import create_token
from app.cli import app
from app.database import engine, reading, transaction
from app.errors import StorageFull
from app.exchange.exporting import write_export
from app.exchange.importing import carry_out, fail
from app.exchange.receiving import receive_upload
from app.labeling.sessions import start_session
from app.main import ROOMS, BodyTooLarge, create_app, most_mb_of
from app.models import ApiToken, Artifact, Import, Login, Project, Record, User, utc_now
from app.operating.verification import examine
from app.search.encoders import find_raw_encoder
from app.search.revisions import write_index
from app.settings import settings
from app.worker import Worker, work_until
from tests.conftest import PATIENCE_SECONDS, client_of, make_user
from tests.exchange.files import queued, received, the_import
from tests.training.conftest import embedded_project, label, record_ids

ROOT = Path(__file__).resolve().parent.parent
API = "/api/v1/projects/letters"
PAGES = "/projects/letters"
ON_POSTGRES = bool(os.environ.get("TEST_DATABASE_URL"))
FULL_TABLES = ("acts", "records", "imports", "artifacts", "training_runs")
DISK_IS_FULL = "The server's disk is full, so this was not stored. Free some space and try again."


@dataclass
class Day:
    """A project in which three of forty records are labeled, an admin at it, and what is kept."""

    project: Project
    admin: User
    browser: TestClient
    program: TestClient
    before: bytes

    @property
    def now(self) -> bytes:
        return exported(self.project)


@pytest.fixture
def day(database: str) -> Day:
    project, admin = embedded_project(n=40), make_user("ada", "admin")
    label(project, admin, range(3))
    with transaction() as db:
        token = create_token(db, admin, "worst day", 1)
    program = TestClient(create_app(), headers={"Authorization": f"Bearer {token}"})
    return Day(project, admin, client_of(admin), program, exported(project))


def exported(project: Project) -> bytes:
    out = io.BytesIO()
    write_export(project, out, "jsonl")
    return out.getvalue()


def shown(answer: Response, status: int) -> str:
    """The one sentence of a page that went wrong."""
    assert answer.status_code == status, answer.text
    assert "Traceback" not in answer.text
    found = re.findall(r'<h1 class="error-sentence">(.*?)</h1>', answer.text, re.DOTALL)
    assert len(found) == 1, answer.text
    return html.unescape(found[0].strip())


def told(answer: Response, status: int) -> str:
    """The one sentence that a program is told."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    return str(answer.json()["title"])


def in_shell(*words: str) -> str:
    """The one sentence with which a command fails."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    return one_line(result.stderr)


def one_line(stderr: str) -> str:
    assert len(stderr.strip().splitlines()) == 1, stderr
    assert "Traceback" not in stderr
    return stderr.strip()


def upload(client: TestClient, to: str, content: bytes, **query: Any) -> Response:
    files = {"file": ("file.csv", io.BytesIO(content))}
    return client.post(f"{to}/imports", files=files, params=query)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04", "This is a zip file or a spreadsheet. Unpack it, or save it as CSV."),
        (b"", "The file is empty."),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            "This is no text. Save it as CSV, TSV, JSON, JSONL or Parquet.",
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
    assert in_shell("import", "letters", str(tmp_path)) == f"There is no file {tmp_path}."
    assert list((settings().data_dir / "imports").iterdir()) == []


def test_an_unknown_column(day: Day, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"id,text\n1,hello\n")
    mapping = json.dumps({"text_columns": ["title"]})

    waiting = upload(day.browser, PAGES, path.read_bytes()).headers["location"]
    page = shown(day.browser.post(f"{waiting}/start", data={"text_columns": "title"}), 422)
    program = told(upload(day.program, API, path.read_bytes(), mapping=mapping), 422)
    shell = in_shell("import", "letters", str(path), "--text", "title")

    assert page == program == shell == "The file has no column 'title'. It has: id, text."
    assert day.now == day.before
    # The upload waits for a better choice.
    assert day.browser.post(f"{waiting}/start", data={"text_columns": "text"}).status_code == 303


BROKEN_ROWS = b'id,text\n1,one\n2,"never closed\n3,three\n4,\n'


def test_a_broken_row_costs_itself_alone(day: Day) -> None:
    import_id = queued(day.project, BROKEN_ROWS)
    carry_out(import_id)

    page = html.unescape(day.browser.get(f"{PAGES}/imports/{import_id}").text)
    program = day.program.get(f"{API}/imports/{import_id}/rejects").json()

    reasons = [(each["line"], each["reason"]) for each in program]
    assert [line for line, _ in reasons] == [3, 5]
    assert all(reason in page for _, reason in reasons)
    assert day.now.startswith(day.before)


def test_a_broken_row_is_told_in_a_shell(database: str, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(BROKEN_ROWS)

    done = in_child("import", "letters", str(path), "--wait")

    assert done.returncode == 0, done.stderr
    assert "2 stored, 0 updated, 0 unchanged, 2 rejected" in done.stdout
    assert "First rejected: line 3, a quote opens here and is never closed" in done.stdout


def test_training_that_is_asked_for_too_early(day: Day) -> None:
    page = shown(day.browser.post(f"{PAGES}/training/runs", data={"method": "head"}), 409)
    program = told(day.program.post(f"{API}/runs", json={}), 409)
    shell = in_shell("train", "letters")

    assert page == program == shell == (
        "Training cannot start yet. Still missing: two labels with at least 2 records each."
    )  # fmt: skip
    assert day.program.get(f"{API}/runs").json() == []
    assert day.now == day.before


def test_a_foreign_id_reads_like_an_unknown_one(day: Day) -> None:
    other = embedded_project("secrets", n=40)
    foreign = record_ids(other)[0]
    session = start_session(other, day.admin, "random")
    with transaction() as db:
        db.execute(update(Record).where(Record.id == foreign).values(external_id="hidden"))
    theirs = exported(other)

    page = shown(day.browser.get(f"{PAGES}/sessions/{session.id}"), 404)
    unknown = shown(day.browser.get(f"{PAGES}/sessions/999999"), 404)
    program = told(day.program.post(f"{API}/annotations", json=saying(foreign, key="theirs")), 404)
    shell = in_shell("similar", "letters", "--record", "hidden")

    assert page == unknown == "There is no such session here."
    assert program == "There is no such record here."
    assert shell == "There is no such record 'hidden' here."
    assert (day.now, exported(other)) == (day.before, theirs)


def test_a_session_that_expired_loses_nothing(day: Day) -> None:
    session = start_session(day.project, day.admin, "random")
    form = {"rank": "0", "key": "late", "say": "skip"}
    says = f"{PAGES}/sessions/{session.id}/says"
    body = saying(record_ids(day.project)[9], key="later")
    long_ago = utc_now() - timedelta(days=2)
    with transaction() as db:
        db.execute(update(Login).values(seen_at=long_ago))
        db.execute(update(ApiToken).values(expires_at=long_ago))

    page = shown(day.browser.post(says, data=form), 401)
    program = told(day.program.post(f"{API}/annotations", json=body), 401)
    back = day.browser.get(f"{PAGES}/sessions/{session.id}")

    assert page == program == "Please log in: your login has ended or was never begun."
    assert (back.status_code, back.headers["location"]) == (
        303, f"/login?next={PAGES}/sessions/{session.id}",
    )  # fmt: skip
    assert day.now == day.before
    # Logged in again, the same say with the same key is taken.
    assert client_of(day.admin).post(f"{API}/annotations", json=body).status_code == 200
    assert day.now != day.before


def saying(record_id: int, key: str) -> dict[str, Any]:
    return {"key": key, "says": [{"record_id": record_id, "verdict": "none"}]}


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


def in_child(*words: str, has_full_disk: bool = False) -> "subprocess.CompletedProcess[str]":
    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    return subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        preexec_fn=fill if has_full_disk else None,
    )  # fmt: skip


def on_full_disk(*words: str) -> str:
    result = in_child(*words, has_full_disk=True)
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
        carry_out(import_id)
    fail(import_id, full.value.sentence)

    assert day.now == day.before
    assert DISK_IS_FULL in html.unescape(day.browser.get(f"{PAGES}/imports/{import_id}").text)
    assert day.program.get(f"{API}/imports/{import_id}").json()["error"] == DISK_IS_FULL
    assert day.browser.post(f"{PAGES}/imports/{import_id}/again").status_code == 303
    carry_out(import_id)
    assert the_import(import_id).n_stored == 600


def test_a_label_on_a_full_disk(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    session = start_session(day.project, day.admin, "random")
    says = f"{PAGES}/sessions/{session.id}/says"
    form = {"rank": "0", "key": "form", "say": "none"}
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
    assert examine().problems == []


def test_an_index_on_a_full_disk(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    with reading() as db:
        raw = find_raw_encoder(db, day.project)
    assert raw is not None
    write_index(raw.id)
    seed = {"record_ids": record_ids(day.project)[:1], "k": 3}
    found = day.program.post(f"{API}/similar", json=seed).json()
    kept = files_in("artifacts")

    with a_full_disk(), pytest.raises(StorageFull, match=re.escape(DISK_IS_FULL)):
        write_index(raw.id)

    assert files_in("artifacts") == kept
    with reading() as db:
        assert db.scalar(select(func.count()).select_from(Artifact)) == len(kept)
    assert day.program.post(f"{API}/similar", json=seed).json() == found
    write_index(raw.id)
    assert examine().problems == []


def test_an_export_on_a_full_disk(
    day: Day, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(b"yesterday's")
    with a_full_disk():
        page = shown(day.browser.get(f"{PAGES}/exports/file?format=csv"), 507)
        program = told(day.program.get(f"{API}/exports?format=parquet"), 507)
    shell = on_full_disk("export", "letters", str(out))

    assert page == program == shell == DISK_IS_FULL
    assert out.read_bytes() == b"yesterday's"
    assert [path.name for path in tmp_path.glob("out*")] == ["out.jsonl"]
    assert day.now == day.before


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_that_is_too_large(day: Day, is_declared: bool) -> None:
    block = b" " * 1024**2

    def body(n_mb: int) -> Any:
        return block * n_mb if is_declared else (block for _ in range(n_mb))

    as_form = {"Content-Type": "application/x-www-form-urlencoded"}
    as_json = {"Content-Type": "application/json"}

    page = shown(day.browser.post("/projects", content=body(3), headers=as_form), 413)
    program = told(day.program.post(f"{API}/annotations", content=body(3), headers=as_json), 413)
    records = told(day.program.post(f"{API}/records", content=body(33), headers=as_json), 413)
    taken = day.program.post(f"{API}/records", content=body(3), headers=as_json)

    assert page == program == "This is larger than 2 MB. Send less at once."
    assert records == "This is larger than 32 MB. Send less at once."
    assert taken.status_code == 422
    assert day.now == day.before


def test_only_uploads_are_counted_elsewhere() -> None:
    uploads: set[str] = set()
    others: set[str] = set()
    for route in (route for room in ROOMS for route in room.router.routes):
        if isinstance(route, APIRoute) and "POST" in (route.methods or ()):
            calls = [each.call for each in route.dependant.dependencies]
            (uploads if receive_upload in calls else others).add(route.path)

    assert uploads == {f"{each}/projects/{{slug}}/imports" for each in ("", "/api/v1")}
    assert {most_mb_of(path) for path in uploads} == {None}
    assert None not in {most_mb_of(path) for path in others}
    assert BodyTooLarge(2).status_code == 413


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("similar", {"text": "x", "k": "many"}, "k: a whole number is needed."),
        ("similar", {"text": "x", "k": 5000}, "k: 1000 is the most."),
        ("similar", {"text": 5}, "text: a text is needed."),
        ("annotations", {"says": []}, "key: it is missing."),
        (
            "annotations",
            {"key": "k", "says": [{"record_id": 1, "verdict": "yes"}]},
            "says.0.verdict: it is one of 'label', 'none', 'skip' or 'not_similar'.",
        ),
        ("annotations", {"key": "k" * 99, "says": []}, None),
        ("records", {"records": []}, "records: it holds too few; 1 is the least."),
        ("records", {"records": [], "x": 1}, None),
        ("runs", {"recipe": 5}, "recipe: an object with named values is needed."),
        ("runs", {"is_forced": "perhaps"}, "is_forced: true or false is needed."),
        ("runs", [], "the request: an object with named values is needed."),
        ("runs", "{", "the request: this is not valid JSON."),
    ],
)
def test_a_value_that_cannot_be_used_is_named_in_plain_words(
    day: Day, path: str, body: Any, sentence: str | None
) -> None:
    content = body if isinstance(body, str) else json.dumps(body)

    said = told(
        day.program.post(
            f"{API}/{path}", content=content, headers={"Content-Type": "application/json"}
        ),
        422,
    )

    assert said == (sentence or said)
    assert not re.search("[Ii]nput|valid |parse|dictionary|at least .* item|Field", said) or (
        "valid JSON" in said
    )
    assert day.now == day.before


def test_a_file_in_another_encoding_is_imported_as_it_is_said(day: Day, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("Nr,Größe,text\n1,Ä,schön\n".encode("cp1252"))

    unsaid = in_shell("import", "letters", str(path))
    wrong = in_shell("import", "letters", str(path), "--encoding", "klingon")
    done = CliRunner().invoke(
        app, ["import", "letters", str(path), "--encoding", "cp1252", "--id", "Nr"]
    )

    assert "is not valid UTF-8" in unsaid
    assert wrong == "There is no encoding named 'klingon'."
    assert day.now == day.before
    assert done.exit_code == 0, done.output
    with reading() as db:
        import_id = db.scalars(select(Import.id)).one()
    carry_out(import_id)
    with reading() as db:
        stored = db.scalars(select(Record).where(Record.external_id == "1")).one()
    assert (stored.text, stored.fields) == ("schön", {"Größe": "Ä"})


def test_a_worker_forgets_uploads_that_nobody_mapped(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, old = (received(day.project, b"id,text\n1,x\n").id for _ in range(2))
    with transaction() as db:
        long_ago = utc_now() - timedelta(days=2)
        db.execute(update(Import).where(Import.id == old).values(created_at=long_ago))
    # Nothing else to do: the records of this project have the vectors that they need.
    monkeypatch.setattr(Worker, "_start_upkeep", lambda worker: None)

    work_until(lambda: the_import(old).status == "cancelled")

    assert the_import(old).error == "It was not mapped for a day."
    assert the_import(kept).status == "uploaded"
    assert day.now == day.before

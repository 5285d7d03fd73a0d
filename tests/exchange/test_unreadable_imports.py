"""Files of which nothing can be stored, and impossible names: an answer with the reason."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from typer.testing import CliRunner

from app.cli import app
from app.db.session import read_session
from app.exchange.imports.imports import run_import
from app.exchange.imports.uploads import clean_file_name
from app.models import Import
from app.settings import settings
from tests.conftest import make_project
from tests.exchange.files import imported, texts

API = "/api/v1/projects/letters/imports"
PAGE = "/projects/letters/imports"
UNREADABLE = {
    "a key twice": (b'{"text":"a","text":"b"}', "duplicate key 'text'"),
    "no id": (b'{"text":"a","id":NaN}', "the id is empty"),
    "no text": (b'{"text":null,"id":1}', "the text is empty"),
    "deep objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested deeper than 32 levels"),
    "a long number": (
        b'{"text":"a","n":' + b"1" * 100_000 + b"}",
        "number too long: 100,000 digits",
    ),
    "deep lists": (b"[" * 200_000 + b"]" * 200_000, "nested deeper than 32 levels"),
    "no names": (b"{}", "no row has a column name"),
    "only numbers": (b"[1, 2]", "not a JSON object"),
}


def every_import() -> list[Import]:
    with read_session() as db:
        return list(db.scalars(select(Import).order_by(Import.id)))


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_without_a_row_that_can_be_read_is_refused_with_the_reason(
    admin: TestClient, name: str
) -> None:
    make_project()
    content, reason = UNREADABLE[name]
    file_name = "x.json" if content.startswith(b"[") else "x.jsonl"

    answer = admin.post(API, params={"file_name": file_name}, content=content)
    tried = admin.post(API, params={"file_name": file_name, "dry_run": True}, content=content)

    assert answer.status_code == 422
    assert answer.json()["title"].startswith("No row of the file can be imported. Line 1: ")
    assert reason in answer.json()["title"]
    assert tried.status_code == 201
    assert tried.json()["rejects"] or tried.json()["mapping"] or reason.startswith("no row")
    [found] = every_import()
    assert (found.status, found.error) == ("failed", answer.json()["title"])
    assert admin.get(f"{API}/{found.id}").json()["status"] == "failed"
    assert list((settings().data_dir / "imports").iterdir()) == []
    assert admin.post(f"{PAGE}/{found.id}/retry").status_code == 409


@pytest.mark.parametrize("content", [b"id,text\n", b"1" * 100_000])
def test_a_file_without_rows_is_refused(admin: TestClient, content: bytes) -> None:
    make_project()

    answer = admin.post(API, params={"file_name": "x.jsonl"}, content=content)

    assert answer.status_code == 422
    assert answer.json()["title"] == "The file has no rows."
    assert [each.status for each in every_import()] == ["failed"]


def test_an_unreadable_file_is_explained_without_a_retry_button(admin: TestClient) -> None:
    make_project()

    answer = admin.post(PAGE, files={"file": ("x.json", io.BytesIO(b"[1, 2]"))})
    page = admin.get(answer.headers["location"]).text

    assert "No row of the file can be imported. Line 1: not a JSON object." in page
    assert "/retry" not in page


def test_a_mapping_of_ones_own_is_tried_before_a_file_is_refused(admin: TestClient) -> None:
    project = make_project()
    mapping = json.dumps({"text_columns": ["text"]})

    answer = admin.post(
        API, params={"file_name": "x.jsonl", "mapping": mapping}, content=b'{"text":"a","id":NaN}'
    )
    run_import(answer.json()["id"])

    assert list(texts(project).values()) == ["a"]


def test_an_import_of_which_every_row_is_rejected_has_failed(database: str) -> None:
    project = make_project()
    rows = "".join(f"{n}, \n" for n in range(30))

    found = imported(project, f"id,text\n{rows}".encode())

    assert (found.status, found.n_rejected, found.n_read) == ("failed", 30, 30)
    assert found.error == "No row of the file can be imported. Line 2: the text is empty."


def likewise(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("id,text\n" + "".join(f"{n},\n" for n in range(30)), "Line 2: the text is empty."),
        ('{"text":"a","text":"b"}\n', "Line 1: duplicate key 'text'."),
    ],
)
def test_the_command_line_fails_for_a_file_without_a_record(
    database: str, tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / ("x.csv" if content.startswith("id") else "x.jsonl")
    path.write_text(content)

    result = likewise("import", "letters", str(path), "--wait")

    assert result.exit_code == 1
    assert f"No row of the file can be imported. {reason}" in result.output


def test_a_dry_run_takes_a_relative_path(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "letters.csv").write_text("id,text\n1,one\n2,two\n")
    monkeypatch.chdir(tmp_path)

    result = likewise("import", "letters", "sub/letters.csv", "--dry-run", "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows"] == ["one", "two"]


NAMES = {
    "a NUL": "a\0b.csv",
    "path parts": "../../etc/pass.csv",
    "a drive": "C:\\files\\a.csv",
    "300 characters": "x" * 400 + ".csv",
    "only a path": "../",
    "a dot": ".",
    "a replaced byte": "\udcff.csv",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("way", ["multipart", "raw"])
def test_a_file_may_be_called_anything(
    admin: TestClient, name: str, dry_run: bool, way: str
) -> None:
    make_project()
    given, content = NAMES[name], b"id,text\n1,one\n"
    if way == "raw":
        plain = given.encode("utf-8", "surrogateescape")
        answer = admin.post(API, params={"file_name": plain, "dry_run": dry_run}, content=content)
    else:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n\r\n'
        frame = head + b"%b\r\n--x--"
        answer = admin.post(
            API,
            params={"dry_run": dry_run},
            content=frame % (given.encode("utf-8", "surrogateescape"), content),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )

    assert answer.status_code == 201, answer.text
    assert all(
        "/" not in each.file_name and "\0" not in each.file_name and len(each.file_name) <= 300
        for each in every_import()
    )


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("a\0b.csv", "ab.csv"),
        ("../../etc/pass.csv", "pass.csv"),
        ("C:\\files\\a.csv", "a.csv"),
        ("\udcff.csv", "?.csv"),
        ("x" * 400 + ".csv", "x" * 296 + ".csv"),
        ("../", ".."),
        ("", "file"),
        ("\0", "file"),
    ],
)
def test_a_file_name_is_cut_to_what_can_be_stored(given: str, clean: str) -> None:
    assert clean_file_name(given) == clean


@pytest.mark.parametrize(
    "change",
    [
        {"encoding": "a\0b"},
        {"delimiter": "\0"},
        {"delimiter": '"'},
        {"delimiter": "\n"},
        {"text_template": "{text}\0"},
        {"label_separator": "\0"},
        {"left_out": ["\0"]},
        {"encoding": "no-such"},
        {"answer_column": "nope"},
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_mapping_that_cannot_be_used_is_refused(
    admin: TestClient, change: dict[str, Any], dry_run: bool
) -> None:
    make_project()
    mapping = json.dumps({"text_columns": ["text"], **change})
    content = b"id,text\n1,one\n"

    answer = admin.post(API, params={"mapping": mapping, "dry_run": dry_run}, content=content)

    assert answer.status_code == 422, answer.text


def test_the_page_refuses_a_nul_in_its_form(admin: TestClient) -> None:
    make_project()
    page = admin.post(PAGE, files={"file": ("a.csv", b"id,text\n1,one\n")}).headers["location"]

    answer = admin.post(f"{page}/start", data={"text_columns": "text", "text_template": "{text}\0"})
    shown = admin.get(page, params={"delimiter": "\0"})

    assert (answer.status_code, shown.status_code) == (422, 422)

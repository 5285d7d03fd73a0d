import io
import json
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.exchange.imports.imports import run_import
from app.settings import settings
from tests.conftest import make_project
from tests.exchange.files import imported, queued, texts, the_import

CSV = b"id,text,intent,split\n1,where is my card,card,x\n2,<b>bold</b>,,y\n3,,card,x\n"
IMPORTS = "/projects/letters/imports"


def upload(client: TestClient, content: bytes, name: str = "file.csv") -> str:
    """The page that the upload leads to."""
    answer = client.post(IMPORTS, files={"file": (name, io.BytesIO(content))})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_a_file_is_uploaded_previewed_mapped_and_stored(admin: TestClient) -> None:
    project = make_project()

    page = upload(admin, CSV)
    preview = admin.get(page).text
    assert "where is my card" in preview
    assert "&lt;b&gt;bold" in preview
    assert re.search(r'name="text_columns" value="text" checked', preview)
    assert texts(project) == {}
    form = {"text_columns": "text", "id_column": "id", "label_column": "intent"}
    assert admin.post(f"{page}/start", data=form).status_code == 303
    moving = admin.get(page, headers={"HX-Request": "true"}).text
    assert 'hx-trigger="load delay:1s"' in moving
    assert "<html" not in moving
    run_import(int(page.rsplit("/", 1)[1]))

    done = admin.get(page).text
    assert texts(project) == {"1": "where is my card", "2": "<b>bold</b>"}
    assert "hx-trigger" not in done.split('id="import-', 1)[1]
    assert "the text is empty" in done
    rejects = admin.get(f"{page}/rejects.csv")
    assert rejects.text.splitlines() == ["line,column,reason", "4,text,the text is empty"]
    assert rejects.headers["content-disposition"].startswith("attachment")


def test_labels_that_are_too_rare_to_learn_are_named(admin: TestClient) -> None:
    make_project()
    rows = [f"{i},text {i},{'flight' if i < 6 else 'fare'}" for i in range(8)]
    page = upload(admin, "\n".join(["id,text,intent", *rows]).encode())
    form = {"text_columns": "text", "id_column": "id", "label_column": "intent"}
    admin.post(f"{page}/start", data=form)
    run_import(int(page.rsplit("/", 1)[1]))

    done = admin.get(page).text

    assert "1 label has fewer than 5 records" in done
    tally = re.findall(r'<span class="name">(\w+)</span></span> <span class="num">(\d+)', done)
    assert tally == [("flight", "6"), ("fare", "2")]
    assert done.count("<small>rare</small>") == 1


def test_another_encoding_is_offered_and_can_be_chosen(admin: TestClient) -> None:
    make_project()
    page = upload(admin, "id,text\n1,caf\u00e9\n".encode("latin-1"))

    warned, chosen = admin.get(page).text, admin.get(f"{page}?encoding=latin-1").text

    assert "Line 2 is not valid UTF-8" in warned
    assert "caf\u00e9" not in warned
    assert "caf\u00e9" in chosen
    refused = admin.post(f"{page}/start", data={"text_columns": "text"})
    assert refused.status_code == 422
    assert "Choose the encoding of the file" in refused.text


def test_the_preview_counts_rows_where_a_file_has_but_one_line(admin: TestClient) -> None:
    make_project()
    one_line = upload(admin, b'[{"text": "first"}, {"text": "second"}]', "letters.json")

    listed, lines = admin.get(one_line).text, admin.get(upload(admin, CSV)).text

    assert '<th class="num">Row</th>' in listed
    assert re.findall(r'<td class="num">(\d+)</td>', listed) == ["1", "2"]
    assert '<th class="num">Line</th>' in lines
    assert re.findall(r'<td class="num">(\d+)</td>', lines)[0] == "2"


@pytest.mark.parametrize(
    ("content", "name", "status", "sentence"),
    [
        (b"", "a.csv", 422, "The file is empty."),
        (b"PK\x03\x04", "a.xlsx", 422, "ZIP files and spreadsheets"),
        (b"text\n" + b"x" * 1_200_000, "a.csv", 413, "larger than 1 MB"),
    ],
)
def test_a_wrong_file_gets_one_clear_sentence(
    admin: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    name: str,
    status: int,
    sentence: str,
) -> None:
    make_project()
    monkeypatch.setenv("LIKEWISE_MAX_UPLOAD_MB", "1")
    settings.cache_clear()

    answer = admin.post(IMPORTS, files={"file": (name, io.BytesIO(content))})

    assert answer.status_code == status
    assert sentence in answer.text
    kept = settings().data_dir / "imports"
    assert not kept.exists() or list(kept.iterdir()) == []


def test_only_admins_import_and_other_projects_imports_are_unknown(
    admin: TestClient, annotator: TestClient
) -> None:
    make_project()
    other = make_project("other")
    import_id = queued(other, CSV)

    assert annotator.get(IMPORTS).status_code == 403
    assert annotator.post(IMPORTS, files={"file": ("a.csv", CSV)}).status_code == 403
    assert admin.get(f"{IMPORTS}/{import_id}").status_code == 404
    assert admin.post(f"{IMPORTS}/{import_id}/cancel").status_code == 404
    assert admin.get(f"/projects/other/imports/{import_id}").status_code == 200


def test_a_waiting_import_can_be_stopped_and_gone_on_with(admin: TestClient) -> None:
    project = make_project()
    import_id = queued(project, CSV)

    assert admin.post(f"{IMPORTS}/{import_id}/cancel").status_code == 303
    assert the_import(import_id).status == "cancelled"
    assert admin.post(f"{IMPORTS}/{import_id}/cancel").status_code == 409
    assert admin.post(f"{IMPORTS}/{import_id}/retry").status_code == 303
    assert the_import(import_id).status == "queued"


def test_the_export_page_downloads_the_described_file(annotator: TestClient) -> None:
    project = make_project()
    imported(project, CSV)

    page = annotator.get("/projects/letters/exports?q=card")
    answer = annotator.get("/projects/letters/exports/file?format=csv&q=card")

    assert "1 record matches the filter" in page.text.replace("\n", " ")
    assert answer.headers["content-disposition"] == 'attachment; filename="letters-records.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text.splitlines()[1] == "1,where is my card,card,import,,,x"
    assert annotator.get("/projects/letters/exports/file?format=exe").status_code == 422


API = "/api/v1/projects/letters"


@pytest.mark.parametrize("way", ["multipart", "raw"])
def test_a_program_sends_a_file_and_reads_what_became_of_it(admin: TestClient, way: str) -> None:
    project = make_project()
    sent = {"files": {"file": ("f.csv", CSV)}} if way == "multipart" else {"content": CSV}

    preview = admin.post(f"{API}/imports?dry_run=true&file_name=f.csv", **sent).json()
    answer = admin.post(f"{API}/imports?file_name=f.csv", **sent)
    import_id = answer.json()["id"]
    run_import(import_id)

    assert preview["mapping"]["label_column"] == "intent"
    assert preview["rows"][0]["text"] == "where is my card"
    assert (answer.status_code, answer.json()["status"]) == (201, "queued")
    found = admin.get(f"{API}/imports/{import_id}").json()
    assert (found["file_name"], found["n_stored"], found["n_rejected"]) == ("f.csv", 2, 1)
    assert admin.get(f"{API}/imports/{import_id}/rejects").json() == [
        {"line": 4, "column": "text", "reason": "the text is empty"}
    ]
    assert len(admin.get(f"{API}/imports").json()) == 1
    assert len(texts(project)) == 2


def test_a_program_sends_a_mapping_of_its_own(admin: TestClient) -> None:
    project = make_project()
    mapping = json.dumps({"text_columns": ["split"], "id_column": "id"})

    good = admin.post(f"{API}/imports", params={"mapping": mapping}, content=CSV)
    bad = admin.post(f"{API}/imports", params={"mapping": '{"text_columns": []}'}, content=CSV)
    run_import(good.json()["id"])

    assert texts(project) == {"1": "x", "2": "y", "3": "x"}
    assert bad.status_code == 422
    assert bad.json()["title"].startswith("mapping: text_columns")


def test_a_program_upserts_records(admin: TestClient) -> None:
    project = make_project()
    sent: list[dict[str, Any]] = [
        {"external_id": "a", "text": "one", "fields": {"n": 1}, "label": "A"},
        {"text": "known by its text"},
        {"external_id": "c", "text": " "},
    ]

    first = admin.post(f"{API}/records", json={"records": sent}).json()
    sent[0]["text"] = "changed"
    second = admin.post(f"{API}/records", json={"records": sent}).json()

    assert first == {
        "n_stored": 2,
        "n_updated": 0,
        "n_unchanged": 0,
        "rejects": [{"line": 3, "column": "text", "reason": "the text is empty"}],
    }
    assert (second["n_updated"], second["n_unchanged"]) == (1, 1)
    assert texts(project)["a"] == "changed"
    too_many = admin.post(f"{API}/records", json={"records": [{"text": "x"}] * 1001})
    assert too_many.status_code == 422


def test_a_program_exports(admin: TestClient) -> None:
    project = make_project()
    imported(project, CSV)

    answer = admin.get(f"{API}/exports?format=jsonl&state=labeled")

    [row] = [json.loads(line) for line in answer.text.splitlines()]
    assert (row["id"], row["label"], row["split"]) == ("1", "card", "x")
    assert answer.headers["content-type"] == "application/x-ndjson"

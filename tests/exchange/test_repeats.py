"""Rows of one file that speak of one record: no text and no label is replaced unannounced."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.cli import app
from app.exchange.imports import imports as importing
from app.exchange.imports import write_throttle as pace
from app.exchange.imports.imports import run_import
from app.exchange.imports.write_throttle import WriteThrottle
from tests.conftest import make_project
from tests.exchange.files import (
    FORMATS,
    as_csv,
    as_jsonl,
    counts,
    imported,
    labels,
    queued,
    rejects,
    texts,
    the_import,
)

API = "/api/v1/projects/letters/imports"
# The repeated ids stand beyond the rows that a preview shows.
REPEATS: list[dict[str, Any]] = [
    {"id": 100 + n, "text": f"answer {n}", "label": "a"} for n in range(25)
] + [
    {"id": 100, "text": "another sentence", "label": "b"},
    {"id": 101, "text": "one more sentence", "label": "b"},
    {"id": 102, "text": "answer 2", "label": "a"},
]
CONTRADICTION = [
    {"text": "the parcel is late", "label": "complaint"},
    {"text": "thanks a lot", "label": "praise"},
    {"text": "the parcel is late", "label": "question"},
    {"text": "the parcel is late", "label": ""},
    {"text": "the parcel is late", "label": "Complaint"},
    {"text": "the parcel is late", "label": "question"},
]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "WriteThrottle", lambda: WriteThrottle(n_rows=10))
    monkeypatch.setattr(pace, "FEWEST_ROWS", 10)
    monkeypatch.setattr(pace, "MOST_ROWS", 10)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.usefixtures("small_chunks")
def test_an_id_that_is_given_to_another_text_later_is_rejected(database: str, name: str) -> None:
    project = make_project()

    found = imported(project, FORMATS[name](REPEATS), f"file.{name}")

    first = {"csv": 2, "json": 2, "jsonl": 1, "parquet": 1}[name]
    step = 5 if name == "json" else 1
    assert counts(found) == (25, 0, 1, 2)
    assert texts(project) == {str(100 + n): f"answer {n}" for n in range(25)}
    assert rejects(found) == [
        (first + 25 * step, "id", f"the id 100 belongs to a different text on line {first}"),
        (first + 26 * step, "id", f"the id 101 belongs to a different text on line {first + step}"),
    ]
    assert set().union(*labels(project).values()) == {"a"}


def test_rows_on_one_line_are_distinguished_by_number(database: str) -> None:
    rows = [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}, {"id": 2, "text": "three"}]

    found = imported(make_project(), json.dumps(rows).encode(), "file.json")

    assert rejects(found) == [(1, "id", "the id 2 belongs to a different text on row 2")]


@pytest.mark.parametrize("moment", ["import.chunk.before_commit", "import.chunk.after_commit"])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.usefixtures("small_chunks")
def test_a_killed_import_still_knows_the_rows_it_stored(
    database: str, monkeypatch: pytest.MonkeyPatch, moment: str, nth: int
) -> None:
    class Killed(BaseException):
        """What the process would not survive."""

    project = make_project()
    import_id = queued(project, as_csv(REPEATS))
    passes = {"n": 0}

    def die(name: str) -> None:
        passes["n"] += name == moment
        if name == moment and passes["n"] == nth:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("app.exchange.imports.chunks.failpoint", die)
        patched.setattr("app.exchange.imports.imports.failpoint", die)
        with pytest.raises(Killed):
            run_import(import_id)
    run_import(import_id)

    found = the_import(import_id)
    assert (found.status, counts(found)) == ("succeeded", (25, 0, 1, 2))
    assert [line for line, _, _ in rejects(found)] == [27, 28]
    assert texts(project) == {str(100 + n): f"answer {n}" for n in range(25)}


def test_the_preview_warns_of_repeated_ids_beyond_the_rows_it_shows(admin: TestClient) -> None:
    make_project()
    content = as_csv(REPEATS)

    answer = admin.post(API, params={"dry_run": True}, content=content).json()
    page = admin.post("/projects/letters/imports", files={"file": ("a.csv", content)})
    shown = admin.get(page.headers["location"]).text

    assert answer["warnings"] == [
        "2 rows have an id that an earlier row uses for a different text and will be rejected. "
        "To keep them, choose no id column."
    ]
    assert answer["warnings"][0] in shown


def test_a_program_reads_which_rows_were_rejected(admin: TestClient) -> None:
    make_project()

    import_id = admin.post(API, content=as_csv(REPEATS)).json()["id"]
    run_import(import_id)

    found = admin.get(f"{API}/{import_id}/rejects").json()
    assert [each["line"] for each in found] == [27, 28]
    assert admin.get(f"{API}/{import_id}").json()["n_updated"] == 0


def test_an_id_that_an_earlier_file_brought_updates_its_record(database: str) -> None:
    project = make_project()
    imported(project, as_csv([{"id": 1, "text": "one"}, {"id": 2, "text": "two"}]))

    found = imported(project, as_csv([{"id": 1, "text": "changed"}]))

    assert counts(found) == (0, 1, 0, 0)
    assert texts(project) == {"1": "changed", "2": "two"}


@pytest.mark.parametrize("with_id", [True, False])
@pytest.mark.parametrize("is_multi_label", [True, False])
def test_one_text_with_different_labels_is_reported_and_left_unlabeled(
    database: str, with_id: bool, is_multi_label: bool
) -> None:
    project = make_project(is_multi_label=is_multi_label)
    ids = {"the parcel is late": "p", "thanks a lot": "t"}
    rows = [({"id": ids[row["text"]]} if with_id else {}) | row for row in CONTRADICTION]

    found = imported(project, as_csv(rows))

    reason = "the same text has a different label on line 2; the record is left unlabeled"
    assert rejects(found) == [(4, "label", reason), (7, "label", reason)]
    assert counts(found) == (2, 0, 2, 2)
    assert list(labels(project).values()) == [{"praise"}]


def test_the_order_of_several_labels_is_no_contradiction(database: str) -> None:
    project = make_project(is_multi_label=True)
    rows = [{"text": "a", "label": ["X", "Y"]}, {"text": "a", "label": ["y", "x"]}]

    found = imported(project, as_jsonl(rows), "file.jsonl")

    assert (counts(found), list(labels(project).values())) == ((1, 0, 1, 0), [{"X", "Y"}])


def test_one_text_under_two_ids_may_have_two_labels(database: str) -> None:
    project = make_project()
    rows = [{"id": n, "text": "same", "label": label} for n, label in ((1, "A"), (2, "B"))]

    found = imported(project, as_csv(rows))

    assert (counts(found), labels(project)) == ((2, 0, 0, 0), {"1": {"A"}, "2": {"B"}})


def test_the_command_line_warns_of_what_it_would_reject(database: str, tmp_path: Any) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(as_csv(CONTRADICTION))

    result = CliRunner().invoke(app, ["import", "letters", str(path), "--dry-run"])

    assert result.exit_code == 0, result.output
    assert (
        "1 record has different labels on different rows (the first on line 2). "
        "It will be stored without a label."
    ) in result.output

"""Labels and texts as the tools that wrote a file meant them."""

import json
from typing import Any

import pyarrow
import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet
from typer.testing import CliRunner

from app.cli import app
from app.exchange.imports.imports import run_import
from app.exchange.imports.mapping import Mapping
from app.models import Project
from tests.conftest import make_project
from tests.exchange.files import (
    FORMATS,
    all_fields,
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


def labels_by_text(project: Project) -> dict[str, set[str]]:
    found, names = texts(project), labels(project)
    return {text: names.get(external_id, set()) for external_id, text in found.items()}


def answered(column: str, *answers: Any) -> list[dict[str, Any]]:
    return [
        {"text": f"text {n}", "label": "delay", column: answer} for n, answer in enumerate(answers)
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_a_label_that_its_tool_rejected_or_ignored_is_no_label(database: str, name: str) -> None:
    project = make_project()
    rows = answered("answer", "accept", "reject", "ignore", "accept")

    imported(project, FORMATS[name](rows), f"file.{name}")

    assert labels_by_text(project) == {
        "text 0": {"delay"},
        "text 1": set(),
        "text 2": set(),
        "text 3": {"delay"},
    }
    assert sorted(fields["answer"] for fields in all_fields(project).values()) == [
        "accept",
        "accept",
        "ignore",
        "reject",
    ]


@pytest.mark.parametrize(
    ("column", "kept", "refused"),
    [
        ("Answer", "ACCEPT", "Reject"),
        ("was_cancelled", False, True),
        ("status", "Validated", "Discarded"),
        ("status", "Validated", "Default"),
    ],
)
def test_other_tools_words_for_it_are_known(
    database: str, column: str, kept: Any, refused: Any
) -> None:
    project = make_project()

    imported(project, as_jsonl(answered(column, kept, refused)), "file.jsonl")

    assert labels_by_text(project) == {"text 0": {"delay"}, "text 1": set()}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("answer", ("reject", "forty-two")),
        ("status", ("default", "open")),
        ("status", ("default",)),
        ("verdict", ("reject",)),
    ],
)
def test_a_column_that_is_no_tools_answer_takes_no_label_away(
    database: str, column: str, values: tuple[str, ...]
) -> None:
    project = make_project()

    imported(project, as_csv(answered(column, *values)))

    assert all(found == {"delay"} for found in labels_by_text(project).values())


def test_answers_count_beyond_the_first_rows_and_with_a_mapping_of_ones_own(
    admin: TestClient,
) -> None:
    project = make_project()
    content = as_jsonl(answered("answer", *["accept"] * 40, "ignore"))
    mapping = json.dumps({"text_columns": ["text"], "label_column": "label"})

    answer = admin.post(API, params={"file_name": "a.jsonl", "mapping": mapping}, content=content)
    run_import(answer.json()["id"])

    found = labels_by_text(project)
    assert [text for text, names in found.items() if not names] == ["text 40"]


def test_a_person_may_choose_that_every_label_holds(admin: TestClient) -> None:
    project = make_project()
    content = as_jsonl(answered("answer", "accept", "reject"))
    sent = admin.post("/projects/letters/imports", files={"file": ("a.jsonl", content)})
    page = sent.headers["location"]

    shown = admin.get(page).text
    form = {"text_columns": "text", "label_column": "label", "answer_column": ""}
    admin.post(f"{page}/start", data=form)
    run_import(int(page.rsplit("/", 1)[1]))

    assert '<option selected value="answer">answer</option>' in shown
    assert all(names == {"delay"} for names in labels_by_text(project).values())


def test_the_command_line_lists_labels_it_leaves_out(database: str, tmp_path: Any) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(as_jsonl(answered("answer", "accept", "reject")))

    result = CliRunner().invoke(app, ["import", "letters", str(path), "--dry-run"])

    assert "Label: label. Labels rejected in answer are skipped." in result.output


CLASSES = {"names": ["anger", "joy", "neutral"], "_type": "ClassLabel"}
VALUE = {"dtype": "string", "_type": "Value"}


def as_dataset(rows: list[dict[str, Any]], features: dict[str, Any]) -> bytes:
    """A file as the `datasets` library writes it."""
    table = pyarrow.Table.from_pylist(rows)
    written = json.dumps({"info": {"features": features}})
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata({"huggingface": written}), sink)
    return bytes(sink.getvalue())


def test_a_class_label_below_zero_is_no_label(database: str) -> None:
    project = make_project()
    rows = [{"text": f"text {n}", "label": n} for n in (0, 2, -1)]

    imported(project, as_dataset(rows, {"text": VALUE, "label": CLASSES}), "a.parquet")

    assert labels_by_text(project) == {
        "text 0": {"anger"},
        "text 2": {"neutral"},
        "text -1": set(),
    }


@pytest.mark.parametrize(
    "feature",
    [
        {"feature": CLASSES, "_type": "Sequence"},
        {"feature": CLASSES, "_type": "List"},
        {"feature": CLASSES, "length": -1, "_type": "LargeList"},
        [CLASSES],
    ],
)
def test_a_list_of_class_labels_becomes_their_names(database: str, feature: Any) -> None:
    project = make_project(is_multi_label=True)
    rows = [
        {"text": "both", "labels": [0, 1]},
        {"text": "one", "labels": [2]},
        {"text": "none", "labels": [-1]},
    ]

    imported(project, as_dataset(rows, {"text": VALUE, "labels": feature}), "a.parquet")

    assert labels_by_text(project) == {
        "both": {"anger", "joy"},
        "one": {"neutral"},
        "none": set(),
    }


@pytest.mark.parametrize(
    ("feature", "value", "expected"),
    [
        ({"mood": CLASSES}, {"mood": 1}, {"mood": "joy"}),
        ({"mood": CLASSES}, {"mood": -1}, {"mood": None}),
        ([{"mood": CLASSES}], [{"mood": 0}], [{"mood": "anger"}]),
        (
            {"feature": {"mood": CLASSES}, "_type": "Sequence"},
            {"mood": [0, 2]},
            {"mood": ["anger", "neutral"]},
        ),
        ({"mood": {"feature": CLASSES, "_type": "List"}}, {"mood": [1]}, {"mood": ["joy"]}),
        ({"dtype": "int64", "_type": "Value"}, -1, -1),
        (CLASSES, 7, 7),
        ({"names": "odd", "_type": "ClassLabel"}, 1, 1),
    ],
)
def test_class_labels_within_objects_become_their_names(
    database: str, feature: Any, value: Any, expected: Any
) -> None:
    project = make_project()
    content = as_dataset([{"text": "a", "more": value}], {"text": VALUE, "more": feature})

    imported(project, content, "a.parquet")

    [fields] = all_fields(project).values()
    assert fields == {"more": expected}


def test_an_empty_part_takes_its_joiner_along(database: str) -> None:
    project = make_project()
    rows = [("Great fit", "The dress fits"), ("", "Too small"), ("Nice", " "), ("", "")]

    found = imported(project, as_csv([{"title": t, "review": r} for t, r in rows]))

    assert set(texts(project).values()) == {"Great fit. The dress fits", "Too small", "Nice"}
    assert [reason for _, _, reason in rejects(found)] == ["the text is empty"]


@pytest.mark.parametrize(
    ("template", "cells", "text"),
    [
        ("{a}. {b}", "xy", "x. y"),
        ("{a}. {b}", " y", "y"),
        ("{a}. {b}", "x ", "x"),
        ("{a} – {b} – {c}", "x z", "x – z"),
        ("{a} – {b} – {c}", "  z", "z"),
        ("{a} – {b} – {c}", " y ", "y"),
        ("{a} ({b}): {c}", "x z", "x: z"),
        ("{a} ({b})", " y", "(y)"),
        ("{a} ({b})", "x ", "x"),
        ("Title: {a}. Body: {b}", " y", "Body: y"),
        ("Title: {a}. Body: {b}", "x ", "Title: x"),
        ("{a}\n\n{b}", " y", "y"),
    ],
)
def test_what_joins_an_empty_part_to_the_others_is_left_out(
    template: str, cells: str, text: str
) -> None:
    mapping = Mapping(text_columns=["a"], text_template=template)

    assert mapping.compose_text(dict(zip("abc", cells, strict=False))) == text


def test_the_command_line_joins_two_columns(database: str, tmp_path: Any) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(as_csv([{"subject": "", "body": "late"}, {"subject": "Hi", "body": ""}]))

    result = CliRunner().invoke(
        app,
        [
            "import",
            "letters",
            str(path),
            "--text",
            "subject,body",
            "--template",
            "{subject}. {body}",
            "--dry-run",
            "--json",
        ],
    )

    assert json.loads(result.stdout)["rows"] == ["late", "Hi"]


TABLES = {
    "cells beyond the header that are empty": (b"id,text\n1,one,\n2,two,,\n", ["one", "two"]),
    "cells that are missing at the end": (b"id,text,a,b\n1,one,x\n2,two\n", ["one", "two"]),
    "a note of the delimiter": (
        b"sep=;\r\nid;text\r\n1;one, more\r\n2;two\r\n",
        ["one, more", "two"],
    ),
    "two byte order marks": (b"\xef\xbb\xbf\xef\xbb\xbfid,text\n1,one\n", ["one"]),
    "apostrophes of others": (
        b"id,text\n1,'-) she winked\n2,'=' is a sign\n3,'tis\n",
        ["'-) she winked", "'=' is a sign", "'tis"],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_as_spreadsheets_write_them_are_read_whole(database: str, name: str) -> None:
    project = make_project()
    content, expected = TABLES[name]

    found = imported(project, content)

    assert texts(project) == {str(n): text for n, text in enumerate(expected, 1)}
    assert counts(found) == (len(expected), 0, 0, 0)


def test_lines_of_a_torn_cell_are_no_short_rows(database: str) -> None:
    project = make_project()
    content = b'id,text,a\n1,"Dear all,\nhello, friends\n" and more,x\n2,two,y\n3,three\n'

    imported(project, content)

    assert texts(project) == {"2": "two", "3": "three"}


def test_numbers_that_json_does_not_know_are_no_value(database: str) -> None:
    project = make_project()
    content = (
        b'{"text":"one","label":"a","n":NaN}\n{"text":"two","label":NaN,"n":1}\n'
        b'{"text":"three","label":"b","n":-Infinity}\n'
    )

    imported(project, content, "a.jsonl")

    assert labels_by_text(project) == {"one": {"a"}, "two": set(), "three": {"b"}}
    assert sorted(str(fields["n"]) for fields in all_fields(project).values()) == [
        "1",
        "None",
        "None",
    ]


def test_the_mapping_that_was_found_is_written_down(database: str) -> None:
    project = make_project()

    import_id = queued(project, as_csv([{"text": "a", "label": "b"}]))

    assert the_import(import_id).mapping["answer_column"] == ""

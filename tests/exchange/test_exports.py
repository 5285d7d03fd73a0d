import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.errors import Conflict, Invalid
from app.exchange.exports.export import write_export
from app.exchange.imports.csv_rows import unescape_formula
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.undo import undo
from app.models import Embedding, Label, Project, Record
from app.records.filters import Filters
from app.search.versions import get_or_create_raw_version
from app.web.csv_tables import escape_formula
from tests.conftest import make_project, make_user
from tests.exchange.files import all_fields, as_csv, as_jsonl, imported, labels, texts

HOSTILE = [
    "=1+1",
    "+x",
    "-5",
    "@cmd",
    "\tx",
    "\rx",
    "\n=x",
    "\uff1dx",
    "'=quoted",
    "''-x",
    "'plain",
    "family \U0001f469\u200d\U0001f467",
    "line\r\nbreak",
    'say "hi", ok',
    "\u202ertl",
    "e\u0301",
    "a\u2028b",
]


def hostile_project() -> Project:
    project = make_project()
    rows = [
        {"id": f"={n}", "text": text, "label": text if n % 2 else None, "field": text, "=name": "x"}
        for n, text in enumerate(HOSTILE)
    ]
    imported(project, as_jsonl(rows), "file.jsonl")
    return project


def exported(project: Project, format_: str, **options: object) -> bytes:
    sink = io.BytesIO()
    write_export(project, sink, format_, **options)  # type: ignore[arg-type]
    return sink.getvalue()


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_what_goes_out_comes_back_the_same(database: str, format_: str) -> None:
    project, other = hostile_project(), make_project("other")

    imported(other, exported(project, format_), f"file.{format_}")

    assert texts(other) == texts(project) == {f"={n}": text for n, text in enumerate(HOSTILE)}
    assert all_fields(other) == all_fields(project)
    assert labels(other) == labels(project)


def test_no_cell_of_a_csv_is_run_by_a_spreadsheet(database: str) -> None:
    project = hostile_project()

    rows = list(csv.reader(io.StringIO(exported(project, "csv").decode(), newline="")))

    dangerous = [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r\n\uff1d" and cell]
    assert dangerous == []
    assert len(rows) == len(HOSTILE) + 1


@given(st.text(max_size=8) | st.from_regex(r"\A'{0,3}[=+@\t-]?.?\Z"))
def test_the_quote_before_a_formula_is_undone_exactly(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text


def test_a_record_row_shows_who_labeled_it_and_filters_apply(database: str) -> None:
    project, user = make_project(), make_user()
    rows = [
        {"id": n, "text": f"t{n}", "label": "A" if n == 0 else "", "label_source": "mine"}
        for n in range(4)
    ]
    imported(project, as_csv(rows))
    with write_session() as db:
        ids = list(db.scalars(select(Record.id).order_by(Record.id)))
        label = db.scalars(select(Label)).one()
        annotate(db, project, user.id, [AnnotationInput(ids[1], "label", (label.id,))], key="1")
        annotate(db, project, user.id, [AnnotationInput(ids[2], "none")], key="2", source="page")

    found = [json.loads(line) for line in exported(project, "jsonl").splitlines()]
    labeled = exported(project, "jsonl", filters=Filters(state="labeled")).splitlines()

    assert [(row["id"], row["label"], row["label_source"]) for row in found] == [
        ("0", "A", "import"),
        ("1", "A", "single"),
        ("2", None, "page"),
        ("3", None, None),
    ]
    assert {row["fields.label_source"] for row in found} == {"mine"}
    assert len(labeled) == 3


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_annotations_are_exported_with_their_provenance(database: str, format_: str) -> None:
    project, user = make_project(), make_user()
    imported(project, as_csv([{"id": "a", "text": "x", "label": "A"}]))
    with write_session() as db:
        record, label = db.scalars(select(Record)).one(), db.scalars(select(Label)).one()
        say = AnnotationInput(record.id, "label", (label.id,), milliseconds=1200)
        annotate(db, project, user.id, [say], key="1")
    with write_session() as db:
        undo(db, project, user.id)

    content = exported(project, format_, rows="annotations")

    if format_ == "csv":
        found = list(csv.DictReader(io.StringIO(content.decode())))
    elif format_ == "jsonl":
        found = [json.loads(line) for line in content.splitlines()]
    else:
        found = parquet.read_table(io.BytesIO(content)).to_pylist()
    assert [(row["source"], row["user"] or None, row["label"]) for row in found] == [
        ("import", None, "A"),
        ("single", "ada", "A"),
    ]
    assert str(found[1]["milliseconds"]) == "1200"
    assert [bool(row["withdrawn_at"]) for row in found] == [False, True]


def test_several_labels_are_a_list_in_jsonl_and_joined_elsewhere(database: str) -> None:
    project = make_project(is_multi_label=True)
    imported(project, as_jsonl([{"id": "a", "text": "x", "label": ["A", "B"]}]), "a.jsonl")

    assert json.loads(exported(project, "jsonl"))["label"] == ["A", "B"]
    assert b"a,x,A|B," in exported(project, "csv")


def test_vectors_wait_until_every_record_has_one(database: str) -> None:
    project = make_project()
    imported(project, as_csv([{"id": "a", "text": "x"}, {"id": "b", "text": "y"}]))
    with write_session() as db:
        get_or_create_raw_version(db, project)

    with pytest.raises(Conflict, match="Not embedded yet: 2 records"):
        exported(project, "parquet", with_vectors=True)
    with pytest.raises(Invalid, match="as Parquet"):
        exported(project, "csv", with_vectors=True)
    with read_session() as db:
        assert db.scalars(select(Embedding)).all() == []


def test_an_export_file_is_never_partial(database: str, tmp_path: Path) -> None:
    project = make_project()
    imported(project, as_csv([{"id": "a", "text": "x"}]))
    target = tmp_path / "out" / "labels.csv"
    target.parent.mkdir()

    write_export(project, target, "csv")
    with pytest.raises(Conflict):
        write_export(project, target.with_suffix(".parquet"), "parquet", with_vectors=True)

    assert [path.name for path in target.parent.iterdir()] == ["labels.csv"]
    header, row = target.read_text().splitlines()
    assert header == "id,text,label,label_source,suggestion,suggestion_score"
    assert row == "a,x,,,,"

from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from app.errors import AppError
from app.exchange.imports import uploads
from app.exchange.imports.parsed_rows import Unreadable
from app.exchange.imports.uploads import TooLarge
from app.settings import settings
from tests.conftest import make_project
from tests.exchange.files import (
    all_fields,
    as_csv,
    as_jsonl,
    as_parquet,
    counts,
    imported,
    queued,
    received,
    rejects,
    texts,
)

LIMIT = 1_048_576
FULL = Path("/dev/full")
HEADER = b"id,text\n"


def stored_and_rejected(
    content: bytes, name: str = "file.csv", **mapping: str
) -> tuple[dict[str, str], list[tuple[int, str | None, str]]]:
    project = make_project()
    found = imported(project, content, name, **mapping)
    assert sum(counts(found)) == found.n_read == found.n_rows
    return texts(project), rejects(found)


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
def test_a_text_may_have_one_megabyte_and_no_more(database: str, name: str) -> None:
    write = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}[name]
    rows = [
        {"id": "a", "text": "x" * LIMIT},
        {"id": "b", "text": ("y" * 99 + "\n") * 100_000},
        {"id": "c", "text": "after"},
    ]

    texts_, rejected = stored_and_rejected(write(rows), f"file.{name}")

    assert {key: len(text) for key, text in texts_.items()} == {"a": LIMIT, "c": 5}
    [(line, column, reason)] = rejected
    assert (line, column) == ({"csv": 3, "jsonl": 2, "parquet": 2}[name], "text")
    assert reason == "the text has 10,000,000 bytes (limit 1,048,576)"


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
def test_empty_texts_and_ids_are_rejected_and_nul_is_replaced(database: str, name: str) -> None:
    write = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}[name]
    rows = [{"id": "a", "text": " \t"}, {"id": " ", "text": "x"}, {"id": "c", "text": "a\0b"}]
    project = make_project()

    found = imported(project, write(rows), f"file.{name}")

    assert [reason for _, _, reason in rejects(found)] == ["the text is empty", "the id is empty"]
    assert texts(project) == {"c": "a\ufffdb"}
    assert found.n_repaired == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b" \n\n ", "empty"),
        (b"PK\x03\x04rest", "ZIP files and spreadsheets"),
        (b"\x1f\x8brest", "Compressed files"),
        (b"PAR1 and nothing else", "Cannot read the Parquet file"),
    ],
)
def test_a_file_that_is_nothing_we_read_is_refused_at_once(
    database: str, content: bytes, sentence: str
) -> None:
    with pytest.raises(Unreadable, match=sentence):
        received(make_project(), content)
    assert list((settings().data_dir / "imports").iterdir()) == []


def test_a_header_alone_is_no_success(database: str) -> None:
    found = imported(make_project(), HEADER)

    assert (found.status, found.error) == (
        "failed",
        "The file has no rows.",
    )


ACCENTED = "id,text\n1,plain\n2,caf\u00e9 cr\u00e8me br\u00fbl\u00e9e\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_are_recognised(database: str, encoding: str, end: str) -> None:
    content = ACCENTED.replace("\n", end).encode(encoding)

    assert stored_and_rejected(content) == (
        {"1": "plain", "2": "caf\u00e9 cr\u00e8me br\u00fbl\u00e9e"},
        [],
    )


def test_bytes_that_are_not_utf8_are_never_guessed_silently(database: str) -> None:
    content = ACCENTED.encode("latin-1")

    with pytest.raises(Unreadable, match=r"Line 3 is not valid UTF-8 \(byte 21 of the file\)"):
        queued(make_project("other"), content)
    assert stored_and_rejected(content, encoding="cp1252")[0]["2"].startswith("caf\u00e9")


def test_with_utf8_chosen_only_the_damaged_rows_are_rejected(database: str) -> None:
    stored, rejected = stored_and_rejected(ACCENTED.encode("latin-1"), encoding="utf-8")

    assert stored == {"1": "plain"}
    assert rejected == [(3, "text", "byte 4 of this value (0xE9) is not valid UTF-8")]


JSON_FAULTS = [
    (r'{"id": 1, "text": "\ud800"}', "invalid character: unpaired surrogate U+D800"),
    ('{"id": 2, "text": NaN}', "the text is empty"),
    ('{"id": 3, "text": "x", "n": 1e999}', "number out of range: 1e999"),
    ('{"id": 4, "text": "x", "n": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested deeper"),
    ('{"id": 5, "text": "x", "n": ' + "9" * 5000 + "}", "number too long: 5,000 digits"),
    ('{"id": 6, "text": "x", "text": "y"}', "duplicate key 'text'"),
    ('{"id": 7, "text": ["x"]}', "expected text, got a list or an object"),
    ('{"id": 8, "text": "x" "y": 1}', "not valid JSON at character 23: Expecting ',' delimiter"),
    ("[1, 2]", "not a JSON object"),
    (r'{"id": 9, "text": "x", "\ud800": 1}', "a field name contains invalid characters"),
]


@pytest.mark.parametrize("is_array", [False, True])
def test_each_fault_of_json_rejects_its_own_row(database: str, is_array: bool) -> None:
    first, last = '{"id": "first", "text": "1"}', '{"id": "last", "text": "2"}'
    lines = [first, *(line for line, _ in JSON_FAULTS), last]
    content = "[" + ",\n".join(lines) + "]" if is_array else "\n".join(lines)

    stored, rejected = stored_and_rejected(
        content.encode(), "file.json" if is_array else "file.jsonl"
    )

    assert stored == {"first": "1", "last": "2"}
    assert [line for line, _, _ in rejected] == list(range(2, len(JSON_FAULTS) + 2))
    for (_, _, said), (_, expected) in zip(rejected, JSON_FAULTS, strict=True):
        assert expected in said


def test_an_array_that_ends_too_early_keeps_what_was_whole(database: str) -> None:
    stored, rejected = stored_and_rejected(b'[{"id": 1, "text": "x"},\n{"id": 2, "te', "a.json")

    assert stored == {"1": "x"}
    assert rejected == [(2, None, "the object is incomplete or not valid JSON")]


def test_rows_of_csv_that_do_not_fit_are_rejected_alone(database: str) -> None:
    content = (
        b"id,text\n1,one\n2,two,more\n3\n"
        b'4,"never closed\n5,five\n\n6,six\n7,"say ""hi""\nagain"\n8,"x" y\n9,nine\n'
    )

    stored, rejected = stored_and_rejected(content)

    assert stored == {
        "1": "one",
        "5": "five",
        "6": "six",
        "7": 'say "hi"\nagain',
        "9": "nine",
    }
    assert [(line, reason) for line, _, reason in rejected] == [
        (3, "3 cells, but the header has 2"),
        (4, "1 cells, but the header has 2"),
        (5, "unclosed quote, or text after a closing quote in the same cell"),
        (11, "unclosed quote, or text after a closing quote in the same cell"),
    ]


def test_a_quote_that_is_never_closed_costs_one_row(database: str) -> None:
    rest = b"".join(b"%d,row\n" % n for n in range(2, 2000))

    stored, rejected = stored_and_rejected(b'id,text\n1,"open\n' + rest)

    assert len(stored) == 1998
    assert rejected == [(2, None, "unclosed quote")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_recognised(database: str, delimiter: str) -> None:
    rows = [{"id": n, "text": f"a, b; c | d {n}", "x": "1"} for n in range(5)]

    stored, rejected = stored_and_rejected(as_csv(rows, delimiter))

    assert rejected == []
    assert stored["4"] == "a, b; c | d 4"


def test_unusual_column_names_stay_distinct_up_to_256(database: str) -> None:
    names = ["id", "text", "__proto__", "<b>", "", "", "x" * 5000, "text"]
    names += [f"c{n}" for n in range(992)]
    content = ",".join(names) + "\n" + ",".join(["1", "body", *["v"] * 998]) + "\n"
    project = make_project()

    found = imported(project, content.encode())

    [fields] = all_fields(project).values()
    assert counts(found) == (1, 0, 0, 0)
    assert list(fields)[:6] == ["__proto__", "<b>", "column 5", "column 6", "x" * 200, "text (2)"]
    assert len(fields) == 254


def test_a_parquet_file_that_unpacks_to_gigabytes_is_stopped(database: str) -> None:
    value = "x" * 1000
    column = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0] * 2_200_000, pyarrow.int32()), pyarrow.array([value])
    )
    sink = pyarrow.BufferOutputStream()
    table = pyarrow.table({"text": column})
    parquet.write_table(table, sink, store_schema=False)
    content = bytes(sink.getvalue())
    assert len(content) < 1_000_000
    project = make_project()

    found = imported(project, content, "bomb.parquet")

    assert found.status == "failed"
    assert found.error is not None
    assert "more than 2,000,000 rows" in found.error


def test_a_parquet_file_with_a_forged_size_is_refused(database: str) -> None:
    content = as_parquet([{"text": "x"}])
    forged = content[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1"

    with pytest.raises(Unreadable, match="Parquet"):
        received(make_project(), forged, "a.parquet")


def test_a_file_above_the_limit_leaves_nothing_behind(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKEWISE_MAX_UPLOAD_MB", "1")
    settings.cache_clear()

    with pytest.raises(TooLarge, match="larger than 1 MB"):
        received(make_project(), b"text\n" + b"x" * LIMIT)
    assert list((settings().data_dir / "imports").iterdir()) == []


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_and_leaves_no_file(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        with FULL.open("wb") as opened:
            opened.write(b"x")

    monkeypatch.setattr(uploads, "sync", full)

    with pytest.raises(AppError, match="disk is full"):
        received(make_project(), b"text\nx\n")
    assert list((settings().data_dir / "imports").iterdir()) == []

"""Readers look at every character a bounded number of times, and stop when nobody wants them."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow
import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet

from app.exchange.imports import chunks, csv_rows, json_rows
from app.exchange.imports.csv_rows import Lines, csv_cells
from app.exchange.imports.imports import run_import
from app.exchange.imports.json_rows import json_array, json_lines
from app.exchange.imports.parquet_rows import count_decoded_bytes
from app.exchange.imports.parsed_rows import LONGEST_PIECE, Reject, Row, Unreadable
from app.exchange.imports.sandboxed_reader import count_in_child, rows_in_child
from app.jobs.steps import JobCancelled
from tests.conftest import PATIENCE_SECONDS, make_project
from tests.exchange.files import imported, queued, rejects, texts, the_import

API = "/api/v1/projects/letters/imports"


def read_csv(content: str) -> tuple[list[tuple[int, list[str]] | Reject], Lines, str]:
    """What was read, the lines that were handed out for it, and why reading stopped."""
    lines, reason = Lines(io.StringIO(content, newline="")), ""
    found: list[tuple[int, list[str]] | Reject] = []
    try:
        found.extend(csv_cells(lines, ","))
    except Unreadable as error:
        reason = error.sentence
    return found, lines, reason


@pytest.mark.parametrize(
    "line", ['a","b\n', '"a\n', '"a",b"c\n', '"a"x,"\n', '1,"open, and no end\r\n']
)
def test_a_file_of_open_quotes_is_read_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(csv_rows, "FREE_COST", 100_000)
    content = "a,b\n" + line * 20_000

    _, lines, reason = read_csv(content)

    assert lines.n_characters <= 4 * len(content) + 100_000
    assert reason == "" or reason.startswith("Unbalanced quotes: ")


def test_a_few_open_quotes_cost_their_own_rows_only() -> None:
    rows = [f'{n},"open {n}\n' if n % 500 == 7 else f"{n},row\n" for n in range(2_000)]

    found, _, reason = read_csv("id,text\n" + "".join(rows))

    assert reason == ""
    assert [each.line for each in found if isinstance(each, Reject)] == [9, 509, 1009, 1509]
    assert len(found) == 2_001


def test_a_row_has_a_largest_size_and_the_rows_behind_it_are_read() -> None:
    long_lines = 'x,"' + ("y" * 999 + "\n") * 17_000 + '"\n'
    one_line = "z" * (LONGEST_PIECE + 50) + "\n"

    found, _, reason = read_csv("a,b\n" + long_lines + one_line + "1,2\n")

    assert reason == ""
    rejected = [each for each in found if isinstance(each, Reject)]
    assert rejected[0].reason.startswith("the row has more than 16,777,216 characters or 1,048,576")
    assert [each.line for each in rejected] == [2, 17_002, 17_003]
    assert found[-1] == (17_004, ["1", "2"])


def test_a_row_has_a_largest_number_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "MOST_LINES_OF_ROW", 1_000)
    most = 'a,"' + "\n" * 999 + '"\n'
    more = 'a,"' + "\n" * 1_000 + '"\n'

    fits, too_many = read_csv(most)[0], read_csv(more)[0]

    assert fits == [(1, ["a", "\n" * 999])]
    assert isinstance(too_many[0], Reject)
    assert "1,000 lines" in too_many[0].reason


def test_an_import_of_open_quotes_ends_with_a_reason(database: str) -> None:
    project = make_project()
    content = ("a,b\n" + 'a","b\n' * 30_000).encode()

    found = imported(project, content, text_columns=["a"], label_column=None)

    assert (found.status, found.n_read, texts(project)) == ("failed", 0, {})
    assert found.error is not None
    assert found.error.startswith("Unbalanced quotes: ")


class CountedStream(io.StringIO):
    """Counts the characters that were read."""

    n_characters = 0

    def read(self, size: int | None = -1, /) -> str:
        found = super().read(size)
        self.n_characters += len(found)
        return found


JSON_VALUES = {
    "a long string": '{"text":"' + "x" * 300_000 + '"}',
    "escaped quotes": '{"text":"' + '\\"' * 150_000 + '"}',
    "brackets in a string": '{"text":"' + "}]" * 150_000 + '"}',
    "backslashes": '{"text":"' + "\\\\" * 150_000 + '"}',
    "many lists": '{"text":"a","n":[' + "[],[]," * 50_000 + "[]]}",
}


@pytest.mark.parametrize("name", JSON_VALUES)
@pytest.mark.parametrize("block", [7_001, 10_000])
def test_a_json_value_is_looked_at_once_however_many_blocks_it_spans(
    monkeypatch: pytest.MonkeyPatch, name: str, block: int
) -> None:
    monkeypatch.setattr(json_rows, "BLOCK", block)
    looked_at = 0
    find_end = json_rows._Value.find_end

    def counted(self: json_rows._Value, text: str, start: int) -> int | None:
        nonlocal looked_at
        looked_at += len(text) - start
        return find_end(self, text, start)

    monkeypatch.setattr(json_rows._Value, "find_end", counted)
    content = f'[{JSON_VALUES[name]},\n {{"text": "after"}}]'

    found = list(json_array(CountedStream(content)))  # type: ignore[arg-type]

    assert [row.line for row in found] == [1, 2]
    assert isinstance(found[0], Row)
    assert found[0].cells == json.loads(JSON_VALUES[name])
    assert looked_at <= len(content) + 2 * block


@pytest.mark.parametrize("is_array", [True, False])
def test_a_json_value_beyond_the_limit_costs_its_own_row(is_array: bool) -> None:
    long = '{"text": "' + "\\n}" * (LONGEST_PIECE // 3) + "x" * 2_000_000 + '"}'
    rows = [long, '{"text": "after"}']
    content = "[" + ",\n".join(rows) + "]" if is_array else "\n".join(rows)
    stream = CountedStream(content)

    found = list((json_array if is_array else json_lines)(stream))  # type: ignore[arg-type]

    assert isinstance(found[0], Reject)
    assert "longer than 16,777,216 characters" in found[0].reason
    assert found[1] == Row(2, {"text": "after"})


def dictionary(n: int, value: str) -> pyarrow.DictionaryArray:
    return pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0] * n, pyarrow.int32()), pyarrow.array([value])
    )


def in_struct(array: pyarrow.Array) -> pyarrow.Array:
    return pyarrow.StructArray.from_arrays([array], ["a"])


def in_list(array: pyarrow.Array) -> pyarrow.Array:
    offsets = pyarrow.array(range(len(array) + 1), pyarrow.int32())
    return pyarrow.ListArray.from_arrays(offsets, array)


NESTINGS: dict[str, Callable[[pyarrow.Array], pyarrow.Array]] = {
    "plain": lambda array: array,
    "struct": in_struct,
    "list": in_list,
    "list of structs": lambda array: in_list(in_struct(array)),
    "map": lambda array: pyarrow.MapArray.from_arrays(
        pyarrow.array(range(len(array) + 1), pyarrow.int32()),
        pyarrow.array(["k"] * len(array)),
        array,
    ),
}


@pytest.mark.parametrize("name", NESTINGS)
def test_the_value_of_a_dictionary_counts_wherever_it_occurs(name: str) -> None:
    array = NESTINGS[name](dictionary(1_000, "x" * 1_000))

    assert 1_000_000 <= count_decoded_bytes(array) <= 1_030_000


def test_numbers_in_a_dictionary_count_too() -> None:
    array = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0, 1, None] * 100, pyarrow.int32()), pyarrow.array([1.5, 2.5])
    )

    assert count_decoded_bytes(array) == 200 * 8


def write_bomb(path: Path, n: int, value: str) -> Path:
    parquet.write_table(pyarrow.table({"text": dictionary(n, value)}), path)
    return path


def test_a_small_file_that_unpacks_to_gigabytes_stores_nothing(
    database: str, tmp_path: Path
) -> None:
    path = write_bomb(tmp_path / "bomb.parquet", 3_000, "x" * 1_000_000)
    assert path.stat().st_size < 100_000
    project = make_project()

    found = imported(project, path.read_bytes(), "bomb.parquet")

    assert (found.status, found.n_read) == ("failed", 0)
    assert (
        found.error
        == "The file is larger than 2 GB when decompressed. Split it into smaller files."
    )
    assert texts(project) == {}


def test_a_child_that_reads_is_ended_once_nobody_wants_its_rows(tmp_path: Path) -> None:
    path = write_bomb(tmp_path / "large.parquet", 2_000, "x" * 1_000_000)
    is_stopped = threading.Event()
    reading = rows_in_child(path, 0, is_stopped.is_set)

    first = next(reading)
    is_stopped.set()
    with pytest.raises(Unreadable):
        assert len(list(reading)) < 1_999

    assert isinstance(first, Row)
    assert count_in_child(path, 2_000) == 2_000


@pytest.mark.parametrize("moment", ["search", "chunks"])
def test_a_cancelled_import_stops_between_rows(
    admin: TestClient, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The file has no end, at its first reading or at its second."""
    project = make_project()
    import_id = queued(project, b"id,text\n1,one\n")
    passes = {"n": 0}
    has_begun = threading.Event()

    def endless() -> Iterator[Row]:
        has_begun.set()
        while True:
            yield Row(2, {"id": "1", "text": "one"})

    def rows(*_: object) -> Iterator[Row]:
        passes["n"] += 1
        is_short = moment == "chunks" and passes["n"] == 1
        return islice(endless(), 1) if is_short else endless()

    monkeypatch.setattr(chunks, "read_rows", rows)
    monkeypatch.setattr(chunks, "MOST_ROWS", 2**62)
    ended: list[BaseException] = []

    def work() -> None:
        try:
            run_import(import_id)
        except JobCancelled as cancelled:
            ended.append(cancelled)

    worker = threading.Thread(target=work)
    worker.start()
    assert has_begun.wait(PATIENCE_SECONDS)
    answer = admin.post(f"{API}/{import_id}/cancel")
    worker.join(PATIENCE_SECONDS)

    assert answer.status_code == 200
    assert [type(each) for each in ended] == [JobCancelled]
    assert the_import(import_id).status == "cancelled"
    assert rejects(the_import(import_id)) == []

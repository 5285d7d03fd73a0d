"""Rows of CSV and tab-separated files, with exact line numbers.

Decision: the strict reader. Python's lenient one swallows the rest of the file after a quote that
is never closed, and drops quotes inside a cell without a word; here that row alone is rejected,
and reading goes on with the next line.
Decision: a row has a largest size, and what is read again after rejected rows has a largest cost.
Otherwise a file of which every line opens a quote would be read once for each of its lines.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from functools import partial
from io import TextIOBase

from app.exchange.imports.parsed_rows import (
    LONGEST_PIECE,
    LONGEST_TEXT,
    MOST_COLUMNS,
    Reject,
    Row,
    Unreadable,
)

DELIMITERS = (",", ";", "\t", "|")
# Python's limit of 131,072 characters per cell is far below our 1 MB per text.
csv.field_size_limit(LONGEST_PIECE)
# The longest text allowed, were it made of nothing but line ends, has so many.
MOST_LINES_OF_ROW = LONGEST_TEXT
# What a line costs to read beside its characters, in characters.
LINE_COST = 32
# What may be read again after rejected rows, in characters, beside twice what was read once.
FREE_COST = 64 * 1024 * 1024
QUOTED_FORMULA = re.compile(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# Only our own exports put an apostrophe before a formula; they are known by these columns.
_OWN_COLUMNS = {"id", "text", "label", "suggestion", "suggestion_score"}
# A spreadsheet's note of the delimiter, on a line before the header.
_DELIMITER_NOTE = re.compile(r"sep=([,;\t|])\s*$", re.IGNORECASE)
_SAMPLE_ROWS = 30


class _RowTooLong(csv.Error):
    """The row exceeds the limit of lines or characters."""


class Lines:
    """Lines of a file that can be taken back to the second line of the row being read.

    n_characters  handed out so far, those that were taken back and read again counted again
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._stream = lines if isinstance(lines, TextIOBase) else None
        # A line without an end must not be read as a whole.
        self._lines = (
            iter(partial(lines.readline, LONGEST_PIECE + 1), "")
            if isinstance(lines, TextIOBase)
            else iter(lines)
        )
        self._back: list[str] = []
        self._of_row: list[str] = []
        self._n_rejected = 0
        self._cost_of_row = 0
        self._cost = self._cost_again = 0
        self.number = 0
        self.n_characters = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.pop() if self._back else next(self._lines)
        self._of_row.append(line)
        self.number += 1
        self.n_characters += len(line)
        self._cost_of_row += len(line) + LINE_COST
        n_lines = len(self._of_row)
        if n_lines > MOST_LINES_OF_ROW or self._cost_of_row - LINE_COST * n_lines > LONGEST_PIECE:
            raise _RowTooLong
        return line

    def begin_row(self) -> None:
        """Mark the next line as the first of a row."""
        self._of_row.clear()
        self._cost += self._cost_of_row
        self._cost_of_row = 0

    def go_back(self) -> None:
        """Reread all lines of the row but its first. Raises Unreadable if that costs too much."""
        first, *others = self._of_row or [""]
        if not others and len(first) > LONGEST_PIECE:
            self._skip_rest_of(first)
        self._back.extend(reversed(others))
        self.number -= len(others)
        self._n_rejected += 1
        self._cost_again += sum(map(len, others)) + LINE_COST * len(others)
        n_once = self._cost + self._cost_of_row - self._cost_again
        if self._cost_again > 2 * max(0, n_once) + FREE_COST:
            raise Unreadable(
                f"Unbalanced quotes: {self._n_rejected:,} rows up to line "
                f"{self.number:,} have an unclosed quote. Fix them and import the file again."
            )

    def _skip_rest_of(self, line: str) -> None:
        while line and self._stream is not None and not line.endswith(("\n", "\r")):
            line = self._stream.readline(LONGEST_PIECE)


def csv_cells(
    stream: Iterable[str] | Lines, delimiter: str
) -> Iterator[tuple[int, list[str]] | Reject]:
    """Yield each row that is not blank: its first line's number, from 1, and its cells."""
    lines = stream if isinstance(stream, Lines) else Lines(stream)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_row()
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Reject(first, None, _reason(error))
            lines.go_back()
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            continue
        if first == 1 and _DELIMITER_NOTE.match(delimiter.join(cells).lstrip("\ufeff")):
            continue
        if cells:
            yield first, cells


def csv_rows(
    stream: Iterable[str] | Lines, delimiter: str, columns: list[str]
) -> Iterator[Row | Reject]:
    """Yield the rows below the header.

    Empty cells beyond the header are ignored, and missing cells at the end are empty.
    After a row with a broken quote, only a row as wide as the header shows that rows are whole
    again: the lines of a torn cell must not be taken for short rows.
    """
    found = csv_cells(stream, delimiter)
    header = next(found, None)
    n_cells = len(header[1]) if isinstance(header, tuple) else 0
    clean = unescape_formula if is_own_export(columns) else str
    is_torn = False
    for row in found:
        if isinstance(row, Reject):
            is_torn = True
            yield row
            continue
        line, cells = row
        is_torn = is_torn and len(cells) != n_cells
        if (fitted := _fit_cells(cells, n_cells, is_torn=is_torn)) is None:
            yield Reject(line, None, f"{len(cells):,} cells, but the header has {n_cells:,}")
        else:
            yield Row(line, dict(zip(columns[:MOST_COLUMNS], map(clean, fitted), strict=False)))


def is_own_export(columns: list[str]) -> bool:
    """Return whether the columns are those of one of our exports."""
    return set(columns) >= _OWN_COLUMNS


def _fit_cells(cells: list[str], n_cells: int, *, is_torn: bool) -> list[str] | None:
    """Return as many cells as the header has; None if there are too many or too few."""
    if len(cells) > n_cells:
        return None if any(cells[n_cells:]) else cells[:n_cells]
    if len(cells) < n_cells:
        is_whole = len(cells) > 1 and not is_torn
        return cells + [""] * (n_cells - len(cells)) if is_whole else None
    return cells


def read_delimiter_note(sample: str) -> str:
    """Return the delimiter that the first line names, as in "sep=;", or an empty string."""
    noted = _DELIMITER_NOTE.match(sample.partition("\n")[0])
    return noted[1] if noted else ""


def find_delimiter(sample: str, preferred: str = ",") -> str:
    """Return the delimiter that splits most sampled rows into the same number (> 1) of cells."""
    shapes = {delimiter: _measure_shape(sample, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda each: (*shapes[each], each == preferred))
    return best if shapes[best][1] > 1 else preferred


def unescape_formula(cell: str) -> str:
    """Remove the apostrophe that an export put before a formula."""
    return cell[1:] if cell[:1] == "'" and QUOTED_FORMULA.match(cell) else cell


def _measure_shape(sample: str, delimiter: str) -> tuple[float, int]:
    lines = sample.splitlines(keepends=True)
    found = csv_cells(lines[:-1] or lines, delimiter)
    widths = [
        len(row[1])
        for row, _ in zip(found, range(_SAMPLE_ROWS), strict=False)
        if isinstance(row, tuple)
    ]
    if not widths or widths[0] < 2:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _reason(error: csv.Error) -> str:
    if isinstance(error, _RowTooLong):
        return (
            f"the row has more than {LONGEST_PIECE:,} characters or {MOST_LINES_OF_ROW:,} lines, "
            "or an unclosed quote"
        )
    if "field larger" in str(error):
        return f"a cell is longer than {LONGEST_PIECE:,} characters, or has an unclosed quote"
    if "unexpected end" in str(error):
        return "unclosed quote"
    return "unclosed quote, or text after a closing quote in the same cell"

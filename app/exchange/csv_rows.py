"""Rows of CSV and tab-separated files, with exact line numbers.

Decision: the strict reader. Python's lenient one swallows the rest of the file after a quote that
is never closed, and drops quotes inside a cell without a word; here that row alone is rejected,
and reading goes on with the next line.
"""

import csv
import re
from collections.abc import Iterable, Iterator

from app.exchange.reading import LONGEST_PIECE, MOST_COLUMNS, Reject, Row

DELIMITERS = (",", ";", "\t", "|")
# Python's own limit of 131,072 characters for a cell is far below our 1 MB for a text.
csv.field_size_limit(LONGEST_PIECE)
QUOTED_FORMULA = re.compile(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_SAMPLE_ROWS = 30


class _Lines:
    """Lines of a file that can be taken back to the second line of the row being read."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._back: list[str] = []
        self._of_row: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.pop() if self._back else next(self._lines)
        self._of_row.append(line)
        self.number += 1
        return line

    def begin_row(self) -> None:
        self._of_row.clear()

    def go_back(self) -> None:
        self._back.extend(reversed(self._of_row[1:]))
        self.number -= max(0, len(self._of_row) - 1)


def csv_cells(stream: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]] | Reject]:
    """Every row that is not blank: its first line's number, from 1, and its cells."""
    lines = _Lines(stream)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_row()
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Reject(first, None, _reason(str(error)))
            lines.go_back()
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            continue
        if cells:
            yield first, [without_quote(cell) for cell in cells]


def csv_rows(stream: Iterable[str], delimiter: str, columns: list[str]) -> Iterator[Row | Reject]:
    """The rows below the header. A row must have as many cells as the header."""
    found = csv_cells(stream, delimiter)
    header = next(found, None)
    n_cells = len(header[1]) if isinstance(header, tuple) else 0
    for row in found:
        if isinstance(row, Reject):
            yield row
        elif len(row[1]) != n_cells:
            yield Reject(row[0], None, f"{len(row[1]):,} cells where the header has {n_cells:,}")
        else:
            yield Row(row[0], dict(zip(columns[:MOST_COLUMNS], row[1], strict=False)))


def find_delimiter(sample: str, preferred: str = ",") -> str:
    """The delimiter that cuts most of the sample's rows into the same number (> 1) of cells."""
    shapes = {delimiter: _shape(sample, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda each: (*shapes[each], each == preferred))
    return best if shapes[best][1] > 1 else preferred


def without_quote(cell: str) -> str:
    """The cell as it was before an export put an apostrophe before what looked like a formula."""
    return cell[1:] if cell[:1] == "'" and QUOTED_FORMULA.match(cell) else cell


def _shape(sample: str, delimiter: str) -> tuple[float, int]:
    lines = sample.splitlines(keepends=True)
    found = csv_cells(lines[:-1] or lines, delimiter)
    widths = [len(row[1]) for row, _ in zip(found, range(_SAMPLE_ROWS), strict=False)
              if isinstance(row, tuple)]  # fmt: skip
    if not widths or widths[0] < 2:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _reason(error: str) -> str:
    if "field larger" in error:
        return f"a cell is longer than {LONGEST_PIECE:,} characters, or its quote is never closed"
    if "unexpected end" in error:
        return "a quote opens here and is never closed"
    return "a quote is not closed, or something follows a closing quote in the same cell"

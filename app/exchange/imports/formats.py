"""Detect the format of a file and read its rows."""

from collections.abc import Iterator
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path

from app.exchange.imports.csv_rows import (
    csv_cells,
    csv_rows,
    find_delimiter,
    is_own_export,
    read_delimiter_note,
    unescape_formula,
)
from app.exchange.imports.encodings import (
    SAMPLE,
    DetectedEncoding,
    detect_encoding,
    is_text_encoding,
    open_text,
)
from app.exchange.imports.json_rows import WRAPPED, json_array, json_lines
from app.exchange.imports.parquet_rows import MAGIC, parquet_columns, parquet_rows
from app.exchange.imports.parsed_rows import (
    MOST_COLUMNS,
    Reject,
    Row,
    Source,
    Unreadable,
    column_names,
)

# JSON columns are the keys of this many first objects.
_MAX_SAMPLED_OBJECTS = 200
_UNREADABLE_MAGIC = {
    b"PK\x03\x04": "ZIP files and spreadsheets cannot be imported. Unzip it or save it as CSV.",
    b"\x1f\x8b": "Compressed files cannot be imported. Decompress it first.",
    b"BZh": "Compressed files cannot be imported. Decompress it first.",
    b"\xfd7zXZ": "Compressed files cannot be imported. Decompress it first.",
    b"(\xb5/\xfd": "Compressed files cannot be imported. Decompress it first.",
    b"%PDF": "PDF files cannot be imported. Save the table as CSV.",
    b"\xd0\xcf\x11\xe0": "Spreadsheets cannot be imported. Save it as CSV.",
}


def detect_format(path: Path, name: str, *, encoding: str = "", delimiter: str = "") -> Source:
    """Detect the file's format, encoding, delimiter and columns from its bytes, then its name.

    encoding, delimiter  the user's choice; empty: detect
    Raises Unreadable for empty and unsupported files.
    """
    with path.open("rb") as opened:
        head = opened.read(SAMPLE)
    if not head.strip():
        raise Unreadable("The file is empty.")
    if head.startswith(MAGIC):
        columns = parquet_columns(path)
        return Source("parquet", columns=columns[:MOST_COLUMNS], left_out=columns[MOST_COLUMNS:])
    for magic, sentence in _UNREADABLE_MAGIC.items():
        if head.startswith(magic):
            raise Unreadable(sentence)
    if encoding and not is_text_encoding(encoding):
        raise Unreadable(f"Unknown encoding: {encoding[:40]!r}.")
    return _detect_text_format(path, name.lower(), encoding, delimiter)


def read_rows(path: Path, source: Source, start: int = 0) -> Iterator[Row | Reject]:
    """Yield the file's rows and rejects from row `start` on (from 0, blank rows not counted)."""
    return islice(_all_rows(path, source), start, None)


def _all_rows(path: Path, source: Source) -> Iterator[Row | Reject]:
    if source.format == "parquet":
        yield from parquet_rows(path)
        return
    with open_text(path, source.encoding) as stream:
        try:
            yield from _text_rows(stream, source)
        except UnicodeError as error:
            raise Unreadable(
                f"The file is not valid {source.encoding}. Choose another encoding."
            ) from error


def _text_rows(stream: TextIOWrapper, source: Source) -> Iterator[Row | Reject]:
    if source.format == "json":
        return json_array(stream)
    if source.format == "jsonl":
        return json_lines(stream)
    return csv_rows(stream, source.delimiter, source.columns)


def _detect_text_format(path: Path, name: str, encoding: str, delimiter: str) -> Source:
    detected = detect_encoding(path)
    # A chosen utf-8 must still skip a byte order mark.
    if encoding and not (encoding == "utf-8" and detected.name == "utf-8-sig"):
        detected = DetectedEncoding(encoding, "", detected.offered)
    try:
        with open_text(path, detected.name) as stream:
            sample = stream.read(SAMPLE)
    except UnicodeError as error:
        raise Unreadable(
            f"The file is not valid {detected.name}. Choose another encoding."
        ) from error
    # Binary files, such as images: the first line of a text file is printable.
    if detected.problem and "\0" in sample and not sample.partition("\n")[0].strip().isprintable():
        raise Unreadable("This is not a text file. Save it as CSV, TSV, JSON, JSONL or Parquet.")
    kind = _choose_text_format(sample, name)
    if kind == "csv":
        tab = "\t" if name.endswith((".tsv", ".tab")) else ","
        delimiter = delimiter or read_delimiter_note(sample) or find_delimiter(sample, tab)
        columns = _read_csv_header(path, detected.name, delimiter)
    else:
        delimiter, columns = "", _collect_json_columns(path, Source(kind, detected.name))
    return Source(
        kind,
        detected.name,
        delimiter,
        columns[:MOST_COLUMNS],
        columns[MOST_COLUMNS:],
        detected.problem,
        detected.offered,
    )


def _choose_text_format(sample: str, name: str) -> str:
    start = sample.lstrip()
    if name.endswith((".csv", ".tsv", ".tab", ".txt")) or start[:1] not in {"{", "["}:
        return "csv"
    if start[0] == "[":
        return "json"
    first, _, more = start.partition("\n")
    is_line_by_line = first.rstrip().endswith("}") and more.lstrip().startswith("{")
    return "json" if WRAPPED.match(start) and not is_line_by_line else "jsonl"


def _read_csv_header(path: Path, encoding: str, delimiter: str) -> list[str]:
    with open_text(path, encoding) as stream:
        header = next(csv_cells(stream, delimiter), None)
    if header is None:
        raise Unreadable("The file is empty.")
    if isinstance(header, Reject):
        raise Unreadable(f"The header cannot be read: {header.reason}.")
    names = header[1]
    return column_names(list(map(unescape_formula, names)) if is_own_export(names) else names)


def _collect_json_columns(path: Path, source: Source) -> list[str]:
    seen = islice(read_rows(path, source), _MAX_SAMPLED_OBJECTS)
    cells = (row.cells for row in seen if isinstance(row, Row))
    return list(dict.fromkeys(chain.from_iterable(cells)))

"""Write export tables as CSV, JSONL and Parquet, one batch at a time."""

import csv
import json
import re
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, BinaryIO

import pyarrow
from pyarrow import parquet

from app.exchange.exports.tables import CellKind, ExportTable
from app.web.csv_tables import escape_formula

SEPARATOR = "|"
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\Z")
_TYPES: dict[CellKind, Any] = {
    "text": pyarrow.string(),
    "labels": pyarrow.string(),
    "any": pyarrow.string(),
    "whole": pyarrow.int64(),
    "number": pyarrow.float64(),
    "vector": pyarrow.list_(pyarrow.float32()),
}


def write_csv(table: ExportTable, target: BinaryIO) -> None:
    """Write UTF-8 with a header; formulas get a leading apostrophe."""
    text = TextIOWrapper(target, encoding="utf-8", newline="", write_through=False)
    # CRLF (RFC 4180); with "\n" alone Python would leave a bare "\r" in a cell unquoted.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([escape_formula(name) for name in table.columns])
    for batch in table.batches:
        writer.writerows(
            [_csv_cell(row.get(name), kind) for name, kind in table.columns.items()]
            for row in batch
        )
    text.flush()
    text.detach()


def write_jsonl(table: ExportTable, target: BinaryIO) -> None:
    """Write one object per line, UTF-8; fields keep their types, several labels are a list."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    for batch in table.batches:
        for row in batch:
            if table.columns["label"] == "labels" and not table.is_multi_label:
                row["label"] = _join_labels(row["label"])
        lines = (encode({name: row.get(name) for name in table.columns}) for row in batch)
        target.write("".join(f"{line}\n" for line in lines).encode())


def write_parquet(table: ExportTable, target: BinaryIO) -> None:
    """Write one row group per batch; fields are text, vectors list<float32>."""
    schema = pyarrow.schema([(name, _TYPES[kind]) for name, kind in table.columns.items()])
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in table.batches:
            arrays = [_array(batch, name, kind) for name, kind in table.columns.items()]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))


WRITERS: dict[str, Callable[[ExportTable, BinaryIO], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


def _csv_cell(value: Any, kind: CellKind) -> str:
    plain = _join_labels(value) if kind == "labels" else _as_text(value)
    if plain is None:
        return ""
    is_number = not isinstance(value, str) and _NUMBER.match(plain)
    return plain if is_number else escape_formula(plain)


def _array(batch: list[dict[str, Any]], name: str, kind: CellKind) -> Any:
    values = [row.get(name) for row in batch]
    if kind == "labels":
        values = [_join_labels(value) for value in values]
    elif kind in {"text", "any"}:
        values = [_as_text(value) for value in values]
    return pyarrow.array(values, _TYPES[kind])


def _join_labels(labels: Any) -> str | None:
    return SEPARATOR.join(labels) if labels else None


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)

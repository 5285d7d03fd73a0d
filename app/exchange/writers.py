"""Sheets to bytes: CSV, JSONL and Parquet, a batch at a time."""

import csv
import json
import re
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, BinaryIO

import pyarrow
from pyarrow import parquet

from app.csv_tables import with_quote
from app.exchange.sheets import Kind, Sheet

SEPARATOR = "|"
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\Z")
_TYPES: dict[Kind, Any] = {
    "text": pyarrow.string(), "labels": pyarrow.string(), "any": pyarrow.string(),
    "whole": pyarrow.int64(), "number": pyarrow.float64(),
    "vector": pyarrow.list_(pyarrow.float32()),
}  # fmt: skip


def write_csv(sheet: Sheet, target: BinaryIO) -> None:
    """UTF-8 with a header; cells that a spreadsheet would run carry an apostrophe."""
    text = TextIOWrapper(target, encoding="utf-8", newline="", write_through=False)
    # CRLF, as RFC 4180 says; with "\n" alone Python would leave a bare "\r" in a cell unquoted.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([with_quote(name) for name in sheet.columns])
    for batch in sheet.batches:
        writer.writerows(
            [_csv_cell(row.get(name), kind) for name, kind in sheet.columns.items()]
            for row in batch
        )
    text.flush()
    text.detach()


def write_jsonl(sheet: Sheet, target: BinaryIO) -> None:
    """One object a line, UTF-8; fields keep their types, several labels are a list."""
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    for batch in sheet.batches:
        for row in batch:
            if sheet.columns["label"] == "labels" and not sheet.is_multi_label:
                row["label"] = _joined(row["label"])
        lines = (encode({name: row.get(name) for name in sheet.columns}) for row in batch)
        target.write("".join(f"{line}\n" for line in lines).encode())


def write_parquet(sheet: Sheet, target: BinaryIO) -> None:
    """One row group a batch; fields are text, vectors list<float32>."""
    schema = pyarrow.schema([(name, _TYPES[kind]) for name, kind in sheet.columns.items()])
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in sheet.batches:
            arrays = [_array(batch, name, kind) for name, kind in sheet.columns.items()]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))


WRITERS: dict[str, Callable[[Sheet, BinaryIO], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


def _csv_cell(value: Any, kind: Kind) -> str:
    plain = _joined(value) if kind == "labels" else _as_text(value)
    if plain is None:
        return ""
    is_number = not isinstance(value, str) and _NUMBER.match(plain)
    return plain if is_number else with_quote(plain)


def _array(batch: list[dict[str, Any]], name: str, kind: Kind) -> Any:
    values = [row.get(name) for row in batch]
    if kind == "labels":
        values = [_joined(value) for value in values]
    elif kind in {"text", "any"}:
        values = [_as_text(value) for value in values]
    return pyarrow.array(values, _TYPES[kind])


def _joined(labels: Any) -> str | None:
    return SEPARATOR.join(labels) if labels else None


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)

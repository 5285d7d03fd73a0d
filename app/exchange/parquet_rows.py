"""Rows of Parquet files. Call it in a child process only: a small file can decode to gigabytes.

PyArrow is imported when it is first needed, so that reading CSV and JSON does not wait for it.
"""

import json
import math
from base64 import b64encode
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from app.exchange.reading import MOST_COLUMNS, Reject, Row, Unreadable, column_names

ROWS_AT_ONCE = 500
MOST_BYTES = 2 * 1024**3  # decoded, over the whole file
MAGIC = b"PAR1"


def parquet_columns(path: Path) -> list[str]:
    """Names of the columns. Raises Unreadable."""
    return column_names(list(_opened(path).schema_arrow.names))


def n_parquet_rows(path: Path) -> int:
    """Number of rows that the file says it has. Raises Unreadable."""
    return int(_opened(path).metadata.num_rows)


def parquet_rows(path: Path) -> Iterator[Row | Reject]:
    """The rows, from 1. Raises Unreadable, also when more than 2 GB have been decoded."""
    import pyarrow

    opened = _opened(path)
    schema = opened.schema_arrow
    names = column_names(list(schema.names))[:MOST_COLUMNS]
    classes = _class_names(schema.metadata)
    n_bytes, line = 0, 0
    try:
        for batch in opened.iter_batches(ROWS_AT_ONCE, columns=schema.names[:MOST_COLUMNS]):
            n_bytes += batch.nbytes
            if n_bytes > MOST_BYTES:
                raise Unreadable("The file unpacks to more than 2 GB. Split it into smaller files.")
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                line += 1
                named = zip(names, values, strict=True)
                yield Row(line, {name: _plain(value, classes.get(name)) for name, value in named})
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise Unreadable(f"The Parquet file is damaged after row {line:,}: {error}") from error


def _opened(path: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path, memory_map=False, pre_buffer=False)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise Unreadable(f"This is not a Parquet file that can be read: {error}") from error


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """Names of the integers in columns that the `datasets` library wrote as ClassLabel."""
    try:
        written = json.loads((metadata or {}).get(b"huggingface", b"{}"))
        features = written.get("info", {}).get("features", {})
        return {
            name: [str(each) for each in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _plain(value: Any, classes: list[str] | None = None) -> Any:
    """The value as JSON can hold it. NaN is how many writers say that there is no value."""
    if isinstance(value, int) and classes and 0 <= value < len(classes):
        return classes[value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return _written(value)


def _written(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)

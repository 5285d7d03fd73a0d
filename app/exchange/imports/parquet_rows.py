"""Rows of Parquet files. Call it in a child process only: a small file can decode to gigabytes.

PyArrow is imported when it is first needed, so that reading CSV and JSON does not wait for it.
"""

import json
import math
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from typing import Any

from app.exchange.imports.parsed_rows import MOST_COLUMNS, Reject, Row, Unreadable, column_names

ROWS_AT_ONCE = 500
MOST_BYTES = 2 * 1024**3  # decoded, over the whole file
MAGIC = b"PAR1"


def parquet_columns(path: Path) -> list[str]:
    """Names of the columns. Raises Unreadable."""
    return column_names(list(_open_parquet(path).schema_arrow.names))


def count_parquet_rows(path: Path) -> int:
    """Count the rows that the file says it has. Raises Unreadable."""
    return int(_open_parquet(path).metadata.num_rows)


def check_size(path: Path) -> None:
    """Decode the whole file, and raise Unreadable where that gives more than 2 GB."""
    with _damage_reported():
        for _ in _batches(_open_parquet(path)):
            pass


def parquet_rows(path: Path) -> Iterator[Row | Reject]:
    """Return the rows, from 1. Raises Unreadable, also when more than 2 GB have been decoded."""
    parquet_file = _open_parquet(path)
    schema = parquet_file.schema_arrow
    raw_names = list(schema.names)[:MOST_COLUMNS]
    names = column_names(list(schema.names))[:MOST_COLUMNS]
    features = _features(schema.metadata)
    readers = [partial(_plain, feature=features.get(name)) for name in raw_names]
    line = 0
    with _damage_reported():
        for batch in _batches(parquet_file):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                line += 1
                cells = zip(names, readers, values, strict=True)
                yield Row(line, {name: read(value) for name, read, value in cells})


def _batches(parquet_file: Any) -> Iterator[Any]:
    n_bytes = 0
    for batch in parquet_file.iter_batches(
        ROWS_AT_ONCE, columns=parquet_file.schema_arrow.names[:MOST_COLUMNS]
    ):
        n_bytes += sum(map(count_decoded_bytes, batch.columns))
        if n_bytes > MOST_BYTES:
            raise Unreadable(
                "The file is larger than 2 GB when decompressed. Split it into smaller files."
            )
        yield batch


@contextmanager
def _damage_reported() -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise Unreadable(f"The Parquet file is damaged: {error}") from error


def count_decoded_bytes(array: Any) -> int:
    """Bytes of the values as rows hold them: a dictionary's value counts wherever it occurs."""
    from pyarrow import types

    kind = array.type
    if types.is_dictionary(kind):
        return _dictionary_bytes(array)
    if types.is_map(kind):
        return count_decoded_bytes(array.keys) + count_decoded_bytes(array.items)
    if types.is_struct(kind):
        return sum(map(count_decoded_bytes, array.flatten()))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return count_decoded_bytes(array.flatten())
    return int(array.nbytes)


def _dictionary_bytes(array: Any) -> int:
    from pyarrow import compute, types

    values = array.dictionary
    kinds = (types.is_string, types.is_binary, types.is_large_string, types.is_large_binary)
    if any(is_kind(values.type) for is_kind in kinds):
        lengths = compute.binary_length(values).take(array.indices)
        return int(compute.sum(lengths).as_py() or 0)
    found = array.indices.value_counts()
    used = zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)
    return sum(n * count_decoded_bytes(values.slice(at, 1)) for at, n in used if at is not None)


def _open_parquet(path: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path, memory_map=False, pre_buffer=False)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise Unreadable(f"Cannot read the Parquet file: {error}") from error


def _features(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """Return what the `datasets` library wrote about each column, by the column's name."""
    try:
        written = json.loads((metadata or {}).get(b"huggingface", b"{}"))
        features = written.get("info", {}).get("features", {})
    except (ValueError, AttributeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _load_class_names(feature: Any) -> list[Any]:
    """Names of the integers of a ClassLabel; empty for anything else."""
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return []
    names = feature.get("names")
    return names if isinstance(names, list) else []


def _feature_within(feature: Any, name: str | None = None) -> Any:
    """Return the feature of a list's elements, or with a name that of a value in an object.

    The library writes lists as {"feature": ..., "_type": "Sequence" or "List"} or as [...]; objects
    as {name: ...}; and a Sequence of objects is stored as an object of lists.
    """
    if isinstance(feature, list):
        inner = feature[0] if feature else None
    elif isinstance(feature, dict) and "_type" in feature and "feature" in feature:
        inner = feature["feature"]
    else:
        inner = feature
    if name is None:
        return inner
    return inner.get(name) if isinstance(inner, dict) else None


def _class_name(number: int, names: list[Any]) -> str | int | None:
    if not names:
        return number
    if number < 0:
        return None
    return str(names[number]) if number < len(names) else number


def _plain(value: Any, feature: Any = None) -> Any:
    """Return the value as JSON can hold it. NaN is how many writers say that there is no value.

    A ClassLabel of -1, or any negative one, is how the `datasets` library says "no label".
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return _class_name(value, _load_class_names(feature))
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | float):
        return value
    if isinstance(value, list | tuple):
        inner = _feature_within(feature)
        return [_plain(each, inner) for each in value]
    if isinstance(value, dict):
        return {
            str(name): _plain(each, _feature_within(feature, name)) for name, each in value.items()
        }
    return _format_value(value)


def _format_value(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)

"""Parse a row of a file into a record, or reject it with a reason."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from app.errors import Invalid
from app.exchange.imports.mapping import Mapping
from app.exchange.imports.parsed_rows import LONGEST_TEXT, MAX_DEPTH, Reject, Row
from app.exchange.imports.verdicts import is_refused
from app.projects.label_names import LONGEST_NAME, clean_name, name_key

LONGEST_ID = 500
_ESCAPED_BYTES = range(0xDC80, 0xDD00)


@dataclass(frozen=True)
class ParsedRecord:
    """A parsed record. `labels` are the names as written, or None if there are none.

    is_mended  whether a NUL character, which Postgres refuses, was replaced by U+FFFD
    """

    external_id: str
    text: str
    content_hash: str
    fields: dict[str, Any]
    labels: tuple[str, ...] | None
    is_mended: bool


class RowRejected(ValueError):
    """The row is rejected; `column` if one cell is the cause."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


def parse_row(row: Row, mapping: Mapping, *, is_multi_label: bool) -> ParsedRecord | Reject:
    """Parse a row into a record or a reject."""
    try:
        parts = {name: _as_text(row.cells.get(name), name) for name in mapping.text_parts}
        text = mapping.compose_text(parts)
        id_column, label_column = mapping.id_column, mapping.label_column
        holds = not is_refused(mapping.answer_column, row.cells)
        labels = (
            parse_labels(row.cells.get(label_column), mapping.label_separator, label_column)
            if label_column and holds
            else None
        )
        kept = mapping.reserved_columns
        return build_record(
            _as_text(row.cells.get(id_column), id_column).strip() if id_column else None,
            text,
            {name: value for name, value in row.cells.items() if name not in kept},
            labels,
            is_multi_label=is_multi_label,
            text_column=mapping.text_columns[0],
        )
    except RowRejected as refused:
        return Reject(row.line, refused.column, refused.reason)


def build_record(
    external_id: str | None,
    text: str,
    fields: dict[str, Any],
    labels: tuple[str, ...] | None,
    *,
    is_multi_label: bool,
    text_column: str | None = None,
) -> ParsedRecord:
    """Build a record. external_id None: identified by its text. Raises RowRejected."""
    if labels and len(labels) > 1 and not is_multi_label:
        raise RowRejected(f"{len(labels)} labels, but this project allows one per record")
    whole, is_mended = replace_nul(text)
    content_hash = _hash_text(whole, text_column)
    if external_id is None:
        external_id = f"text-{content_hash[:16]}"
    if not external_id:
        raise RowRejected("the id is empty")
    if len(external_id) > LONGEST_ID:
        raise RowRejected(f"the id is longer than {LONGEST_ID} characters")
    external_id, is_id_mended = replace_nul(external_id)
    kept, are_fields_mended = _clean_fields(fields)
    return ParsedRecord(
        external_id,
        whole,
        content_hash,
        kept,
        labels,
        is_mended or is_id_mended or are_fields_mended,
    )


def parse_labels(cell: Any, separator: str, column: str | None = None) -> tuple[str, ...] | None:
    """Parse a label cell without near-duplicates; None for an empty cell. Raises RowRejected."""
    if isinstance(cell, str) and separator:
        cell = cell.split(separator)
    written = cell if isinstance(cell, list) else [cell]
    names = [replace_nul(_as_text(each, column).strip())[0] for each in written]
    found = {name_key(name): name for name in reversed(names) if name}
    try:
        labels = [clean_name(name) for name in reversed(found.values())]
    except Invalid as error:
        raise RowRejected(error.sentence, column) from error
    if any(len(key) > LONGEST_NAME for key in found):
        raise RowRejected(f"the label is longer than {LONGEST_NAME} characters", column)
    return tuple(labels) or None


def replace_nul(text: str) -> tuple[str, bool]:
    """Replace every NUL by U+FFFD, and return whether there was one."""
    return (text.replace("\0", "\ufffd"), True) if "\0" in text else (text, False)


def _as_text(value: Any, column: str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list | dict):
        raise RowRejected("expected text, got a list or an object", column)
    return check_text(str(value), column)


def check_text(text: str, column: str | None) -> str:
    """Return the text if all its characters are valid. Raises RowRejected."""
    if not text.isascii():
        _check_characters(text, column)
    return text


def _check_characters(text: str, column: str | None) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if code in _ESCAPED_BYTES:
            at = len(text[: error.start].encode("utf-8", "surrogateescape"))
            raise RowRejected(
                f"byte {at + 1:,} of this value (0x{code - 0xDC00:02X}) is not valid UTF-8", column
            ) from error
        raise RowRejected(f"invalid character: unpaired surrogate U+{code:04X}", column) from error


def _hash_text(text: str, column: str | None) -> str:
    if not text.strip():
        raise RowRejected("the text is empty", column)
    encoded = text.encode()
    if len(encoded) > LONGEST_TEXT:
        raise RowRejected(f"the text has {len(encoded):,} bytes (limit {LONGEST_TEXT:,})", column)
    return hashlib.sha256(encoded).hexdigest()


def _clean_fields(fields: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the fields as both databases can store them, and whether a NUL was replaced."""
    try:
        written = json.dumps(fields, ensure_ascii=False, allow_nan=False)
        n_bytes = len(written) if written.isascii() else len(written.encode())
    except UnicodeEncodeError:
        for name, value in fields.items():
            _check_characters(json.dumps(value, ensure_ascii=False), name)
        raise RowRejected("a field name contains invalid characters") from None
    except (ValueError, RecursionError, TypeError):
        raise RowRejected(
            f"a field contains NaN or is nested deeper than {MAX_DEPTH} levels"
        ) from None
    if n_bytes > LONGEST_TEXT:
        raise RowRejected(f"the fields have {n_bytes:,} bytes (limit {LONGEST_TEXT:,})")
    if "\\u0000" not in written:
        return fields, False
    cleaned = _replace_nul_deep(fields)
    return cleaned, cleaned != fields


def _replace_nul_deep(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_replace_nul_deep(each) for each in value]
    if isinstance(value, dict):
        return {_replace_nul_deep(name): _replace_nul_deep(each) for name, each in value.items()}
    return value

"""Rows, rejected rows, and the error for an unreadable file.

This module and the readers beside it know nothing of the database: a child process runs them.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from app.errors import AppError

MOST_COLUMNS = 256
LONGEST_NAME = 200
LONGEST_TEXT = 1_048_576  # bytes of UTF-8
# No single value, line or JSON object of a file may be longer, in characters, to be looked at.
LONGEST_PIECE = 16 * 1024 * 1024
MAX_DEPTH = 32


class Unreadable(AppError):
    """The file cannot be read; the message says why and what to do."""

    status = 422


@dataclass(frozen=True)
class Row:
    """One row: the line on which it begins (from 1; in Parquet: its number), and its cells."""

    line: int
    cells: dict[str, Any]


@dataclass(frozen=True)
class Reject:
    """A rejected row and the reason; `column` if one cell is the cause."""

    line: int
    column: str | None
    reason: str


@dataclass(frozen=True)
class Source:
    """How a file is to be read, and the columns it has.

    format      csv (tab-separated too), json, jsonl or parquet
    encoding    Python's name; empty for Parquet
    delimiter   of csv, else empty
    columns     the first 256, with unique names; `left_out` are the names of the rest
    problem     a message about the file's encoding, or empty
    encodings   alternatives, most likely first
    """

    format: str
    encoding: str = ""
    delimiter: str = ""
    columns: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    problem: str = ""
    encodings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Serialize for the pipe to the parent process."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Deserialize the result of as_json()."""
        return cls(**data)


def column_names(header: list[str]) -> list[str]:
    """Names that are not empty, at most 200 characters long, without NUL, and each once."""
    names: dict[str, None] = {}
    for number, given in enumerate(header, 1):
        clean = given.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        # A byte order mark given twice leaves its second in the first name.
        plain = clean.strip().strip("\ufeff").strip()[:LONGEST_NAME] or f"column {number}"
        name, n = plain, 1
        while name in names:
            n += 1
            name = f"{plain} ({n})"
        names[name] = None
    return list(names)

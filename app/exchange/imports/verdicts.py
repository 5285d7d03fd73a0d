"""Columns in which annotation tools record whether a label was accepted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Tool:
    """The values that a tool writes into its column, in lower case.

    kept, refused  the label was accepted, or not
    telling        one of these must occur before a column of this name is taken for the tool's
    """

    kept: frozenset[str]
    refused: frozenset[str]
    telling: frozenset[str] = frozenset()


_TOOLS = {
    # Prodigy
    "answer": _Tool(frozenset({"accept"}), frozenset({"reject", "ignore"})),
    # Label Studio
    "was_cancelled": _Tool(frozenset({"false", "0"}), frozenset({"true", "1"})),
    # Argilla; a status is a common column, and only these words are Argilla's own.
    "status": _Tool(
        frozenset({"validated"}),
        frozenset({"discarded", "default"}),
        frozenset({"validated", "discarded"}),
    ),
}


def find_answer_column(columns: Iterable[str], rows: list[dict[str, Any]]) -> str | None:
    """Find the column with the answer about a row's label, by its name and first values."""
    for column in columns:
        tool = _TOOLS.get(column.casefold())
        if tool is None:
            continue
        values = {_plain(row.get(column)) for row in rows} - {""}
        if values <= tool.kept | tool.refused and (not tool.telling or values & tool.telling):
            return column
    return None


def is_refused(column: str | None, cells: Mapping[str, Any]) -> bool:
    """Return whether the row's label was rejected or ignored."""
    tool = _TOOLS.get(column.casefold()) if column else None
    return tool is not None and column is not None and _plain(cells.get(column)) in tool.refused


def _plain(value: Any) -> str:
    return "" if value is None else str(value).strip().casefold()

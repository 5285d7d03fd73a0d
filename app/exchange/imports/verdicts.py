"""Columns in which annotation tools write whether the label beside them holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Tool:
    """What a tool writes into its column, in lower case.

    kept, refused  the label holds, or it does not
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
    """Name the column that says whether a row's label holds, judged by name and first values."""
    for column in columns:
        tool = _TOOLS.get(column.casefold())
        if tool is None:
            continue
        values = {_plain(row.get(column)) for row in rows} - {""}
        if values <= tool.kept | tool.refused and (not tool.telling or values & tool.telling):
            return column
    return None


def is_refused(column: str | None, cells: Mapping[str, Any]) -> bool:
    """Whether the column says that the row's label does not hold."""
    tool = _TOOLS.get(column.casefold()) if column else None
    return tool is not None and column is not None and _plain(cells.get(column)) in tool.refused


def _plain(value: Any) -> str:
    return "" if value is None else str(value).strip().casefold()

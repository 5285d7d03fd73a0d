"""Preview of a file before an import."""

from dataclasses import dataclass
from pathlib import Path

from app.exchange.imports.mapping import Mapping, suggest_mapping
from app.exchange.imports.parsed_rows import Reject, Source
from app.exchange.imports.sandboxed_reader import IsCancelled, preview_in_child

N_ROWS = 20
NO_ROWS = "The file has no rows."
# Rows checked before an import; the import itself checks all of them.
SEARCHED_ROWS = 50_000


@dataclass(frozen=True)
class Preview:
    """The first rows of a file, its columns, and the suggested mapping.

    rows      cells as they read, long ones cut; `lines` are where the rows begin in the file
    rejects   which of the first rows cannot be read, and why
    warnings  messages about contradictory rows, if they were searched for
    fault     why no row can be stored, if known; else empty
    problem   a message to read before importing, or empty
    """

    source: Source
    lines: list[int]
    rows: list[dict[str, str]]
    rejects: list[Reject]
    mapping: Mapping | None
    warnings: list[str]
    fault: str

    @property
    def problem(self) -> str:
        """The problem with the file's encoding, or an empty string."""
        return self.source.problem


def preview_file(
    path: Path,
    name: str,
    *,
    is_multi_label: bool,
    encoding: str = "",
    delimiter: str = "",
    n_searched: int = 0,
    is_cancelled: IsCancelled | None = None,
) -> Preview:
    """Read the first 20 rows in a child process with limits. Raises Unreadable.

    n_searched  rows checked for repeated ids and contradictory labels
    """
    reply = preview_in_child(
        path,
        name,
        encoding,
        delimiter,
        N_ROWS,
        is_multi_label=is_multi_label,
        n_searched=n_searched,
        is_cancelled=is_cancelled,
    )
    source = Source.from_json(reply["source"])
    cells = [row["cells"] for row in reply["rows"]]
    mapping = (
        suggest_mapping(source.columns, cells, is_multi_label=is_multi_label)
        if source.columns
        else None
    )
    rejects = [Reject(**reject) for reject in reply["rejects"]]
    first = Reject(**reply["fault"]) if reply["fault"] else None
    if mapping is None:
        first = rejects[0] if rejects else Reject(1, None, "no row has a column name")
    fault = fault_in_words(first) if first else NO_ROWS if reply["is_empty"] else ""
    return Preview(
        source,
        [row["line"] for row in reply["rows"]],
        cells,
        rejects,
        mapping,
        reply["warnings"],
        fault,
    )


def fault_in_words(first: Reject) -> str:
    """Describe why no row can be stored, by the first rejected row."""
    return f"No row of the file can be imported. Line {first.line:,}: {first.reason}."

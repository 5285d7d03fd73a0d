"""What a file holds, before anything of it is stored."""

from dataclasses import dataclass
from pathlib import Path

from app.exchange.child import preview_in_child
from app.exchange.mapping import Mapping, suggest
from app.exchange.reading import Reject, Source

N_ROWS = 20


@dataclass(frozen=True)
class Preview:
    """The first rows of a file, its columns, and the mapping that they suggest.

    rows      cells as they read, long ones cut; `lines` are where the rows begin in the file
    rejects   which of the first rows cannot be read, and why
    problem   a sentence that a person should read before going on, or empty
    """

    source: Source
    lines: list[int]
    rows: list[dict[str, str]]
    rejects: list[Reject]
    mapping: Mapping | None

    @property
    def problem(self) -> str:
        """What is wrong with the file as it would be read now."""
        return self.source.problem


def preview_file(
    path: Path, name: str, *, is_multi_label: bool, encoding: str = "", delimiter: str = ""
) -> Preview:
    """The first 20 rows, read in a child process with limits. Raises Unreadable."""
    said = preview_in_child(path, name, encoding, delimiter, N_ROWS)
    source = Source.from_json(said["source"])
    cells = [row["cells"] for row in said["rows"]]
    mapping = (
        suggest(source.columns, cells, is_multi_label=is_multi_label) if source.columns else None
    )
    return Preview(
        source, [row["line"] for row in said["rows"]], cells,
        [Reject(**reject) for reject in said["rejects"]], mapping,
    )  # fmt: skip

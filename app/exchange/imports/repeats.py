"""Rows of one file that contradict each other about the same record.

Decision: the whole file is read once before anything is stored. Of rows with one id and different
texts the first stays and the others are rejected; of rows with one id and one text that carry
different labels none is used: the record is stored without a label, and each row that differs
from the first labeled one is rejected. No text or label is chosen silently.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from app.exchange.imports.mapping import Mapping
from app.exchange.imports.parsed_rows import Reject, Row
from app.exchange.imports.record_parser import ParsedRecord, parse_row
from app.projects.label_names import name_key

_SHOWN_ID = 60


@dataclass
class _Repeat:
    """A record described by several rows of the file, with their lines and numbers.

    text, label  hashes of the first row's text and of the first label beside that text; 0: no label
    """

    line: int
    number: int
    text: int
    label: int = 0
    label_line: int = 0
    label_number: int = 0
    is_contradictory: bool = False


class Repeats:
    """Contradictory rows found in a first pass; built row by row, then queried row by row.

    n_rows, n_records   rows read so far, and those of them that describe a record
    first_reject        the first row that does not
    """

    def __init__(self, mapping: Mapping) -> None:
        self.n_rows = 0
        self.n_records = 0
        self.first_reject: Reject | None = None
        self._mapping = mapping
        self._found: dict[int, _Repeat] = {}
        self._n_replaced = 0
        # Eight bytes for each of up to two million rows, where objects would fill the memory.
        self._ids, self._texts, self._labels = array("q"), array("q"), array("q")
        self._lines, self._numbers = array("q"), array("q")

    def add(self, line: int, item: ParsedRecord | Reject) -> None:
        """Add the next row of the file."""
        if isinstance(item, ParsedRecord):
            self.n_records += 1
            self._ids.append(hash(item.external_id))
            self._texts.append(hash(item.content_hash))
            self._labels.append(_hash_of_labels(item))
            self._lines.append(line)
            self._numbers.append(self.n_rows)
        elif self.first_reject is None:
            self.first_reject = item
        self.n_rows += 1

    def close(self) -> None:
        """Find the ids that occur more than once, and free the memory of the first pass."""
        if not self._ids:
            return
        ids = np.frombuffer(self._ids, dtype=np.int64)
        order = np.argsort(ids, kind="stable")
        same = ids[order[1:]] == ids[order[:-1]]
        repeated = np.zeros(len(ids), dtype=bool)
        repeated[order[1:][same]] = repeated[order[:-1][same]] = True
        for at in np.flatnonzero(repeated).tolist():
            self._note(at)
        del ids  # An array cannot be emptied while numpy looks into it.
        for column in (self._ids, self._texts, self._labels, self._lines, self._numbers):
            del column[:]

    def _note(self, at: int) -> None:
        line, number, label = self._lines[at], self._numbers[at], self._labels[at]
        known = self._found.setdefault(self._ids[at], _Repeat(line, number, self._texts[at]))
        if known.text != self._texts[at]:
            self._n_replaced += 1
            return
        if not label:
            return
        if not known.label:
            known.label, known.label_line, known.label_number = label, line, number
        known.is_contradictory |= known.label != label

    @property
    def warnings(self) -> list[str]:
        """Return warnings to show before the import is started."""
        n_texts = self._n_replaced
        labels = [each for each in self._found.values() if each.is_contradictory]
        found = []
        if n_texts:
            found.append(
                f"{n_texts:,} {_rows_have(n_texts)} an id that an earlier row uses for a different "
                "text and will be rejected. To keep them, choose no id column."
            )
        if labels:
            n = len(labels)
            found.append(
                f"{n:,} {'record has' if n == 1 else 'records have'} different labels on "
                f"different rows (the first on line {labels[0].label_line:,}). "
                f"{'It' if n == 1 else 'They'} will be stored without a label."
            )
        return found

    def settle(self, number: int, line: int, item: ParsedRecord) -> ParsedRecord | Reject:
        """Return the record to store, or the reject; `number` counts rows from 0."""
        known = self._found.get(hash(item.external_id))
        if known is None:
            return item
        if known.text != hash(item.content_hash):
            other = _place(known.line, known.number, line)
            shown = item.external_id[:_SHOWN_ID]
            reason = f"the id {shown} belongs to a different text on {other}"
            return Reject(line, self._mapping.id_column, reason)
        if not known.is_contradictory:
            return item
        if _hash_of_labels(item) not in {0, known.label}:
            other = _place(known.label_line, known.label_number, line)
            reason = f"the same text has a different label on {other}; the record is left unlabeled"
            return Reject(line, self._mapping.label_column, reason)
        return replace(item, labels=None)


def read_items(
    rows: Iterable[Row | Reject], mapping: Mapping, *, is_multi_label: bool
) -> Iterator[tuple[int, ParsedRecord | Reject]]:
    """Yield each row's line, and its record or reject."""
    for row in rows:
        if isinstance(row, Reject):
            yield row.line, row
        else:
            yield row.line, parse_row(row, mapping, is_multi_label=is_multi_label)


def _hash_of_labels(item: ParsedRecord) -> int:
    return hash(frozenset(map(name_key, item.labels))) or 1 if item.labels else 0


def _rows_have(n: int) -> str:
    return "row has" if n == 1 else "rows have"


def _place(line: int, number: int, here: int) -> str:
    """Format a row's position: its line, or its number if all rows are on one line."""
    return f"line {line:,}" if line != here else f"row {number + 1:,}"

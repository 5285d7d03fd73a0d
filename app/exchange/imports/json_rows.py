"""Rows of JSON files: one object a line, or one array of objects, read piece by piece.

Python's json accepts keys given twice and lone surrogates; we store neither. Whatever an object
does wrong, it alone is rejected: its end is then found by matching brackets. NaN and Infinity,
which JSON does not know and many programs write, are no value, as in Parquet.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any

from app.exchange.imports.parsed_rows import (
    LONGEST_PIECE,
    MAX_DEPTH,
    MOST_COLUMNS,
    Reject,
    Row,
    column_names,
)

BLOCK = 1024 * 1024
# A string, even one whose end is not here yet, or a bracket. Possessive: no character twice.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+("?)|[\[\]{}]', re.DOTALL)
_REST_OF_STRING = re.compile(r'(?:[^"\\]++|\\.)*+("?)', re.DOTALL)
_END_OF_PLAIN = re.compile(r"[,\]\s]")
_SPACE = re.compile(r"[\s,]*")
_ARRAY = re.compile(r'\s*(?:\{\s*"[^"\\]*"\s*:\s*)?\[')
# One object whose first key holds the list of objects: {"data": [{...}, ...]}.
WRAPPED = re.compile(r'\{\s*"[^"\\]*"\s*:\s*\[\s*\{')
_LONGEST_INTEGER = 300


class _RejectedJson(ValueError):
    """JSON that reads well and is not stored; the message says why."""


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(duplicate, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise _RejectedJson(f"duplicate key {duplicate[:60]!r}")
    return found


def _reject_constant(_name: str) -> None:
    """Read NaN and Infinity as no value."""


def _parse_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _RejectedJson(f"number out of range: {digits[:20]}")
    return number


def _parse_int(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise _RejectedJson(f"number too long: {len(digits):,} digits")
    return int(digits)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_build_object,
    parse_constant=_reject_constant,
    parse_float=_parse_float,
    parse_int=_parse_int,
)


def json_lines(stream: TextIOWrapper) -> Iterator[Row | Reject]:
    """Yield one object per line; skip blank lines."""
    line = 0
    while piece := stream.readline(LONGEST_PIECE):
        line += 1
        if len(piece) == LONGEST_PIECE and not piece.endswith("\n"):
            _skip_line(stream)
            yield Reject(line, None, f"the line is longer than {LONGEST_PIECE:,} characters")
        elif piece.strip():
            yield _decode(piece.strip(), line)


def json_array(stream: TextIOWrapper) -> Iterator[Row | Reject]:
    """Yield the objects of the top-level array, or of the array under the first key."""
    buffer = _Buffer(stream)
    if not (start := _ARRAY.match(buffer.first)):
        yield Reject(
            1, None, "the file must be a JSON array of objects or have one object per line"
        )
        return
    buffer.consume(start.end())
    while True:
        buffer.skip_space()
        if buffer.is_at("]"):
            return
        line = buffer.line
        piece = buffer.take_piece()
        if piece is None:
            yield Reject(line, None, "the object is incomplete or not valid JSON")
            return
        if piece:
            yield _decode(piece, line)
        else:
            yield Reject(line, None, f"the object is longer than {LONGEST_PIECE:,} characters")


class _Buffer:
    """The part of the file that has been read and not yet taken, and the line it begins on."""

    def __init__(self, stream: TextIOWrapper) -> None:
        self._stream = stream
        self._at = 0
        self._whole = stream.read(BLOCK)
        self.line = 1

    @property
    def first(self) -> str:
        return self._whole

    def is_at(self, mark: str) -> bool:
        return self._whole.startswith(mark, self._at)

    def consume(self, n: int) -> None:
        self.line += self._whole.count("\n", self._at, self._at + n)
        self._at += n

    def skip_space(self) -> None:
        while (gap := _SPACE.match(self._whole, self._at)) and gap.end() == len(self._whole):
            self.consume(gap.end() - self._at)
            if not self._more():
                return
        if gap:
            self.consume(gap.end() - self._at)

    def take_piece(self) -> str | None:
        """Return the text of the value that begins here: empty if too long, None where it has no
        end.

        What is too long is let go as it is read.
        """
        value, is_too_long = _Value(self._whole[self._at : self._at + 1]), False
        position = self._at
        while True:
            end = value.find_end(self._whole, position)
            if end is not None:
                piece = self._whole[self._at : end]
                self.consume(len(piece))
                return "" if is_too_long or len(piece) > LONGEST_PIECE else piece
            position = value.position
            if position - self._at > LONGEST_PIECE:
                is_too_long = True
                self.consume(position - self._at)
            position -= self._at
            if not self._more():
                return None

    def _more(self) -> bool:
        block = self._stream.read(BLOCK)
        self._whole, self._at = self._whole[self._at :] + block, 0
        return bool(block)


class _Value:
    """Looks for the end of one value, block by block: at every character once."""

    def __init__(self, first: str) -> None:
        self._is_plain = first not in {"{", "[", '"'}
        self._is_in_string = False
        self._depth = 0
        self.position = 0

    def find_end(self, text: str, start: int) -> int | None:
        """Where the value ends in the text, looked at from `start` on.

        None: not in here; then `position` is where to go on once there is more.
        """
        if self._is_plain:
            end = _END_OF_PLAIN.search(text, start)
            self.position = len(text)
            return end.start() if end else None
        if self._is_in_string:
            rest = _REST_OF_STRING.match(text, start)
            assert rest is not None  # It matches nothing, too.
            start = self.position = rest.end()
            if not rest[1]:
                return None
            self._is_in_string = False
            if self._depth == 0:
                return start
        return self._find_bracket(text, start)

    def _find_bracket(self, text: str, start: int) -> int | None:
        for token in _TOKEN.finditer(text, start):
            if token[0] in "[{":
                self._depth += 1
            elif token[0] in "]}":
                self._depth -= 1
            elif not token[1]:
                self._is_in_string, self.position = True, token.end()
                return None
            if self._depth == 0:
                return token.end()
        self.position = len(text)
        return None


def _decode(piece: str, line: int) -> Row | Reject:
    try:
        found = _DECODER.decode(piece)
        if is_too_deep(found):
            raise RecursionError
        if isinstance(found, dict):
            "".join(found).encode()
    except _RejectedJson as refused:
        return Reject(line, None, str(refused))
    except json.JSONDecodeError as error:
        return Reject(line, None, f"not valid JSON at character {error.pos + 1:,}: {error.msg}")
    except UnicodeEncodeError:
        return Reject(line, None, "a field name contains invalid characters")
    except RecursionError:
        return Reject(line, None, f"nested deeper than {MAX_DEPTH} levels")
    if not isinstance(found, dict):
        return Reject(line, None, "not a JSON object")
    if len(found) > MOST_COLUMNS:
        found = dict(list(found.items())[:MOST_COLUMNS])
    return Row(line, dict(zip(column_names(list(found)), found.values(), strict=True)))


def is_too_deep(value: Any, depth: int = 0) -> bool:
    """Whether lists and objects are nested deeper than we store them."""
    if depth > MAX_DEPTH:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(is_too_deep(each, depth + 1) for each in inner if isinstance(each, dict | list))


def _skip_line(stream: TextIOWrapper) -> None:
    while (piece := stream.readline(BLOCK)) and not piece.endswith("\n"):
        pass

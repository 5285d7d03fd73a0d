"""Detect text encodings; never guess silently."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path

from charset_normalizer import from_bytes

BLOCK = 1024 * 1024
SAMPLE = 64 * 1024
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
OFFERED = ("utf-8", "cp1252", "latin-1", "utf-16")


@dataclass(frozen=True)
class DetectedEncoding:
    """The encoding of a file; with a `problem`, one that the file does not fully comply with."""

    name: str
    problem: str = ""
    offered: list[str] = field(default_factory=list)


def detect_encoding(path: Path) -> DetectedEncoding:
    """Detect UTF-8 or UTF-16 by byte order mark, else strict UTF-8, else a problem and a guess."""
    with path.open("rb") as stream:
        head = stream.read(SAMPLE)
    for mark, name in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return DetectedEncoding(name)
    if unmarked := _utf16_without_mark(head):
        return DetectedEncoding(unmarked)
    bad = _find_invalid_byte(path)
    return DetectedEncoding("utf-8") if bad is None else _guess_encoding(path, bad)


def open_text(path: Path, encoding: str) -> TextIOWrapper:
    """Open the file as text with unchanged line ends.

    Bytes that are not UTF-8 become lone surrogates, so that only their own row is rejected.
    """
    errors = "surrogateescape" if encoding in {"utf-8", "utf-8-sig"} else "strict"
    return TextIOWrapper(path.open("rb"), encoding=encoding, errors=errors, newline="")


def is_text_encoding(encoding: str) -> bool:
    """Return whether this names a text encoding that we can read."""
    try:
        return codecs.lookup(encoding)._is_text_encoding
    except (LookupError, ValueError):
        return False


def _utf16_without_mark(head: bytes) -> str:
    """Every other byte of mostly western UTF-16 is zero; of no other text we know."""
    if len(head) < 4:
        return ""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if odd > 0.4 * len(head) / 2 and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * len(head) / 2 and odd == 0 else ""


def _iterate_blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            yield block


def _find_invalid_byte(path: Path) -> int | None:
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    n_read = 0
    for block in _iterate_blocks(path):
        n_waiting = len(decoder.getstate()[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return n_read - n_waiting + error.start
        n_read += len(block)
    n_waiting = len(decoder.getstate()[0])
    return n_read - n_waiting if n_waiting else None


def _guess_encoding(path: Path, bad: int) -> DetectedEncoding:
    with path.open("rb") as stream:
        line = 1 + sum(
            stream.read(min(BLOCK, bad - at)).count(b"\n") for at in range(0, bad, BLOCK)
        )
        stream.seek(max(0, bad - SAMPLE // 2))
        best = from_bytes(stream.read(SAMPLE)).best()
    guess = best.encoding if best and best.encoding != "ascii" else "cp1252"
    problem = (
        f"Line {line:,} is not valid UTF-8 (byte {bad:,} of the file). It may be {guess}. "
        "Choose the encoding of the file, or choose utf-8 to reject such rows."
    )
    return DetectedEncoding("utf-8", problem, list(dict.fromkeys([guess, *OFFERED])))

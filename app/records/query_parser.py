"""Parse search queries: words, "exact phrases" and -exclusions.

Decision: a word is found anywhere in the text, also inside longer words: this needs no knowledge
of where words end, which Chinese and Japanese do not write down.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import ColumnElement, and_, or_

from app.models import Record
from app.records.text_match import contains_word

MOST_PARTS = 60
_PART = re.compile(r'(-?)"([^"]*)"?|(\S+)')
_QUOTES = str.maketrans("“”„«»", '"""""')


@dataclass(frozen=True)
class WordQuery:
    """Included and excluded words and phrases, as typed."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The included words without quotes, for the encoder."""
        return " ".join(self.include)

    @property
    def exclusions(self) -> str:
        """The exclusions in query syntax."""
        return " ".join(f'-"{part}"' for part in self.exclude)


def parse_words(typed: str) -> WordQuery:
    """Parse a query; parts beyond MOST_PARTS are ignored."""
    include: dict[str, None] = {}
    exclude: dict[str, None] = {}
    for found in _PART.finditer(typed.translate(_QUOTES)):
        minus, phrase, word = found.groups()
        if word is not None:
            is_out = word.startswith("-") and len(word) > 1
            minus, phrase = ("-", word[1:]) if is_out else ("", word)
        if phrase.strip():
            (exclude if minus else include)[phrase.strip()] = None
    return WordQuery(tuple(include)[:MOST_PARTS], tuple(exclude)[:MOST_PARTS])


def build_word_condition(typed: str) -> ColumnElement[bool]:
    """Text or fields hold all that is wanted and nothing that is not; or it is the external id."""
    wanted = parse_words(typed)
    found = and_(
        *[contains_word(part) for part in wanted.include],
        *[~contains_word(part) for part in wanted.exclude],
    )
    return or_(found, Record.external_id == typed.strip()) if wanted.include else found


@dataclass(frozen=True)
class Piece:
    """A part of a snippet."""

    text: str
    is_match: bool = False


def snippet(text: str, parts: tuple[str, ...], length: int = 400) -> list[Piece]:
    """Return at most `length` characters around the first match, with the matches marked."""
    if not parts:
        return _cut([Piece(text[:length])], text, 0, length)
    longest_first = sorted(parts, key=len, reverse=True)
    pattern = re.compile("|".join(re.escape(part) for part in longest_first), re.IGNORECASE)
    first = pattern.search(text)
    start = 0
    if first is not None and first.end() > length:
        start = max(0, first.start() - length // 4)
    shown = text[start : start + length]
    places = [0, *(edge for found in pattern.finditer(shown) for edge in found.span()), len(shown)]
    pieces = [
        Piece(shown[begin:end], bool(n % 2)) for n, (begin, end) in enumerate(pairwise(places))
    ]
    return _cut([piece for piece in pieces if piece.text], text, start, length)


def _cut(pieces: list[Piece], text: str, start: int, length: int) -> list[Piece]:
    before = [Piece("… ")] if start else []
    after = [Piece("…")] if start + length < len(text) else []
    return [*before, *pieces, *after]

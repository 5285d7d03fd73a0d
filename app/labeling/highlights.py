"""A row's text in pieces: the words that were asked for, and those that tell it from the seed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.labeling.items import LONGEST_WHOLE, Item
from app.models import LabelingSession
from app.records.records import openings_of

# A text longer than LONGEST_WHOLE is folded after this many characters.
FOLDED_AFTER = 1_200
# Rows that share fewer of their words differ nearly everywhere: to mark that would be noise.
SHARED_AT_LEAST = 0.5
SEEDS_READ = 20
# Scripts without spaces go character by character.
_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_ASKED = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
# Words so common that marking them points at nothing.
_COMMON_WORDS = (
    "a about after all also an and any are as at be been but by can could did do does for from had "
    "has have he her his how i if in into is it its just me my no not of on one or our out she so "
    "than that the their them then there they this to up us was we were what when which who will "
    "with would you your"
)
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True)
class Piece:
    """kind: "" for plain text, sought for a query's word, differs for what the seed lacks."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Shown:
    """A text as its row shows it."""

    pieces: tuple[Piece, ...]
    is_folded: bool


def shown_texts(db: Session, session: LabelingSession, rows: Sequence[Item]) -> dict[int, Shown]:
    """Rank → the row's text, with what the session was asked for and what is unlike its seed."""
    sought = sought_words(session)
    seeds = set(session.seed.get("record_ids", [])) if _has_seed_texts(session) else set()
    seed_words = _words_of_seeds(db, session)
    shown, before = {}, None
    for item in rows:
        beside = before if session.seed_kind == "contradictions" else seed_words
        known = None if item.record.id in seeds else beside
        shown[item.rank] = shown_text(item.record.text, sought, known)
        before = words_in(item.record.text)
    return shown


def shown_text(text: str, sought: frozenset[str], known: frozenset[str] | None) -> Shown:
    """The text in pieces, folded when it is long.

    sought  words to mark wherever a word begins with one
    known   words of the seed; None: nothing to compare with
    """
    is_folded = len(text) > LONGEST_WHOLE
    start = text[:FOLDED_AFTER] if is_folded else text
    return Shown(tuple(pieces(start, sought, known)), is_folded)


def pieces(text: str, sought: frozenset[str], known: frozenset[str] | None) -> list[Piece]:
    """The text, cut where its kind changes; joined again it is the text."""
    words = list(_WORD.finditer(text))
    unlike = known if known and _is_comparable(words, known) else None
    marked = _places_of(text, sought)
    found: list[Piece] = []
    end, kind_before = 0, ""
    for word in words:
        kind = "sought" if word.start() in marked else ""
        if not kind and unlike is not None and word[0].casefold() not in unlike:
            kind = "differs"
        _add(found, text[end : word.start()], kind if kind == kind_before == "differs" else "")
        _add(found, word[0], kind)
        end, kind_before = word.end(), kind
    _add(found, text[end:], "")
    return found


def _add(found: list[Piece], text: str, kind: str) -> None:
    if not text:
        return
    if found and found[-1].kind == kind:
        found[-1] = Piece(found[-1].text + text, kind)
    else:
        found.append(Piece(text, kind))


def _is_comparable(words: Sequence[re.Match[str]], known: frozenset[str]) -> bool:
    shared = sum(word[0].casefold() in known for word in words)
    return shared >= SHARED_AT_LEAST * len(words)


def _places_of(text: str, sought: frozenset[str]) -> set[int]:
    if not sought:
        return set()
    longest_first = sorted(sought, key=len, reverse=True)
    spaced = "|".join(re.escape(word) for word in longest_first if not _is_unspaced(word))
    unspaced = [re.escape(word) for word in longest_first if _is_unspaced(word)]
    parts = ([rf"\b(?:{spaced})\w*"] if spaced else []) + unspaced
    found = re.finditer("|".join(parts), text, re.IGNORECASE)
    return {place for match in found for place in range(*match.span())}


def _is_unspaced(word: str) -> bool:
    return re.match(rf"[{_UNSPACED}]", word) is not None


def words_in(text: str) -> frozenset[str]:
    """The text's words, without case."""
    return frozenset(word.casefold() for word in _WORD.findall(text))


def sought_words(session: LabelingSession) -> frozenset[str]:
    """What the session's words were asked for: its text seed, and the words of its filters."""
    asked = str(session.seed.get("text") or "")
    keyword = str(session.seed.get("filters", {}).get("keyword", ""))
    asked += " " + " ".join(part for part in keyword.split() if not part.startswith("-"))
    words = {word.casefold() for word in _ASKED.findall(asked)}
    return frozenset(
        word for word in words if word not in _COMMON and (len(word) > 1 or _is_unspaced(word))
    )


def _has_seed_texts(session: LabelingSession) -> bool:
    return session.seed_kind in ("record", "selection")


def _words_of_seeds(db: Session, session: LabelingSession) -> frozenset[str] | None:
    if session.seed_kind == "text":
        return words_in(str(session.seed.get("text", "")))
    if not _has_seed_texts(session):
        return None
    seeds = openings_of(db, session.seed.get("record_ids", [])[:SEEDS_READ], LONGEST_WHOLE)
    return frozenset().union(*(words_in(record.text) for record in seeds.values())) or None

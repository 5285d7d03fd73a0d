"""A row's text in pieces: the words that were asked for, and those that tell it from the seed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.labeling.sessions.kinds import describe_kind
from app.labeling.sessions.rows import LONGEST_WHOLE, Item
from app.models import LabelingSession
from app.records.records import load_excerpts

# A text longer than LONGEST_WHOLE is folded after this many characters.
FOLDED_AFTER = 1_200
# Rows that share fewer of their words differ nearly everywhere: to mark that would be noise.
SHARED_AT_LEAST = 0.5
SEEDS_READ = 20
# Scripts without spaces go character by character.
_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_QUERY_WORD = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
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
class ShownText:
    """A text as its row shows it."""

    pieces: tuple[Piece, ...]
    is_folded: bool


def build_shown_texts(
    db: Session, session: LabelingSession, rows: Sequence[Item]
) -> dict[int, ShownText]:
    """Rank → the row's text, with what the session was asked for and what is unlike its seed."""
    query_words = extract_query_words(session)
    kind = describe_kind(session)
    seeds = set(session.seed.get("record_ids", [])) if kind.has_record_seed else set()
    seed_words = _load_seed_words(db, session)
    shown, before = {}, None
    for item in rows:
        beside = before if kind.is_pairwise else seed_words
        known = None if item.record.id in seeds else beside
        shown[item.rank] = build_shown_text(item.record.text, query_words, known)
        before = extract_words(item.record.text)
    return shown


def build_shown_text(
    text: str, query_words: frozenset[str], known: frozenset[str] | None
) -> ShownText:
    """Build the text in pieces, folded when it is long.

    sought  words to mark wherever a word begins with one
    known   words of the seed; None: nothing to compare with
    """
    is_folded = len(text) > LONGEST_WHOLE
    start = text[:FOLDED_AFTER] if is_folded else text
    return ShownText(tuple(pieces(start, query_words, known)), is_folded)


def pieces(text: str, query_words: frozenset[str], known: frozenset[str] | None) -> list[Piece]:
    """Return the text, cut where its kind changes; joined again it is the text."""
    words = list(_WORD.finditer(text))
    unlike = known if known and _is_comparable(words, known) else None
    marked = _find_places(text, query_words)
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


def _find_places(text: str, query_words: frozenset[str]) -> set[int]:
    if not query_words:
        return set()
    longest_first = sorted(query_words, key=len, reverse=True)
    spaced = "|".join(re.escape(word) for word in longest_first if not _is_unspaced(word))
    unspaced = [re.escape(word) for word in longest_first if _is_unspaced(word)]
    parts = ([rf"\b(?:{spaced})\w*"] if spaced else []) + unspaced
    found = re.finditer("|".join(parts), text, re.IGNORECASE)
    return {place for match in found for place in range(*match.span())}


def _is_unspaced(word: str) -> bool:
    return re.match(rf"[{_UNSPACED}]", word) is not None


def extract_words(text: str) -> frozenset[str]:
    """Extract the text's words, without case."""
    return frozenset(word.casefold() for word in _WORD.findall(text))


def extract_query_words(session: LabelingSession) -> frozenset[str]:
    """Extract the words of the session's text seed and of its filters."""
    query = str(session.seed.get("text") or "")
    keyword = str(session.seed.get("filters", {}).get("keyword", ""))
    query += " " + " ".join(part for part in keyword.split() if not part.startswith("-"))
    words = {word.casefold() for word in _QUERY_WORD.findall(query)}
    return frozenset(
        word for word in words if word not in _COMMON and (len(word) > 1 or _is_unspaced(word))
    )


def _load_seed_words(db: Session, session: LabelingSession) -> frozenset[str] | None:
    kind = describe_kind(session)
    if kind.seed == "text":
        return extract_words(str(session.seed.get("text", "")))
    if not kind.has_record_seed:
        return None
    seeds = load_excerpts(db, session.seed.get("record_ids", [])[:SEEDS_READ], LONGEST_WHOLE)
    return frozenset().union(*(extract_words(record.text) for record in seeds.values())) or None

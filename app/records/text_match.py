"""Match words in records, ignoring case, on both databases and in every alphabet.

LIKE on SQLite knows the case of a to z alone, and so does ILIKE on a Postgres whose locale is C.
A word with other letters that have a case is looked for with LIKE first, where a wildcard stands
for each of them, and in what passes with a pattern that spells out both cases.
"""

import json
import re
from collections.abc import Callable

from sqlalchemy import ColumnElement, Text, and_, cast, literal, or_

from app.models import Record
from app.records.sql_functions import FieldHolds, Holds

_WILD = {"%", "_", "!"}


def contains_word(word: str) -> ColumnElement[bool]:
    """Return a condition: the text, or the value of a field, contains the word."""
    return or_(Holds(Record.text, *_patterns(word)), _field_contains_word(word))


def _field_contains_word(word: str) -> ColumnElement[bool]:
    """First the JSON as it is stored, names included, which is quick; then value by value."""
    stored = cast(Record.fields, Text)
    raw = Holds(stored, literal(f"%{_rewrite(word, _wild_if_quoted)}%"))
    escaped = Holds(stored, literal(f"%{_rewrite(word, _as_json)}%"))
    could = raw if word.isascii() else or_(raw, escaped)
    return and_(could, FieldHolds(Record.fields, *_patterns(word)))


def _patterns(word: str) -> list[ColumnElement[str]]:
    """For LIKE; and where that is not enough, for SQLite's GLOB and for a regular expression."""
    like = literal(f"%{_rewrite(word, _wild_if_cased)}%")
    if not any(_is_cased(letter) for letter in word):
        return [like]
    return [like, literal(_glob(word)), literal(_regex(word))]


def _rewrite(word: str, rewritten: Callable[[str], str]) -> str:
    return "".join(rewritten(letter) for letter in word)


def _wild_if_cased(letter: str) -> str:
    return "_" if _is_cased(letter) else _escape(letter)


def _wild_if_quoted(letter: str) -> str:
    return "%" if letter in '"\\' or ord(letter) < 32 else _wild_if_cased(letter)


def _as_json(letter: str) -> str:
    # é and É differ in their escapes: any escape will do, what passes is looked at again.
    return "%" if _is_cased(letter) else "".join(map(_escape, json.dumps(letter)[1:-1]))


def _escape(letter: str) -> str:
    return f"!{letter}" if letter in _WILD else letter


def _cases(letter: str) -> str:
    """Return the letter in each of its cases, as far as those are one letter long."""
    forms = (letter, letter.lower(), letter.upper(), letter.casefold(), letter.upper().lower())
    return "".join(dict.fromkeys(form for form in forms if len(form) == 1))


def _is_cased(letter: str) -> bool:
    return not letter.isascii() and len(_cases(letter)) > 1


def _glob(word: str) -> str:
    return f"*{_rewrite(word, _either_case_or_itself)}*"


def _regex(word: str) -> str:
    return _rewrite(word, lambda x: _either_case(x) if len(_cases(x)) > 1 else re.escape(x))


def _either_case_or_itself(letter: str) -> str:
    is_plain = len(_cases(letter)) == 1 and letter not in "*?["
    return letter if is_plain else _either_case(letter)


def _either_case(letter: str) -> str:
    return f"[{_cases(letter)}]"

"""Whether a record holds a word, without case, on both databases and in every alphabet.

LIKE on SQLite knows the case of a to z alone, and so does ILIKE on a Postgres whose locale is C.
A word with other letters that have a case is looked for with LIKE first, where a wildcard stands
for each of them, and in what passes with a pattern that spells out both cases.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text, and_, cast, literal, literal_column, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.models import Record

_WILD = {"%", "_", "!"}


def holds(word: str) -> ColumnElement[bool]:
    """The record's text, or the value of one of its fields, holds the word."""
    return or_(_Holds(Record.text, *_patterns(word)), _held_by_a_field(word))


def _held_by_a_field(word: str) -> ColumnElement[bool]:
    """First the JSON as it is stored, names included, which is quick; then value by value."""
    stored = cast(Record.fields, Text)
    raw = _Holds(stored, literal(f"%{_rewritten(word, _wild_if_quoted)}%"))
    escaped = _Holds(stored, literal(f"%{_rewritten(word, _as_json)}%"))
    could = raw if word.isascii() else or_(raw, escaped)
    return and_(could, _FieldHolds(Record.fields, *_patterns(word)))


def _patterns(word: str) -> list[ColumnElement[str]]:
    """For LIKE; and where that is not enough, for SQLite's GLOB and for a regular expression."""
    like = literal(f"%{_rewritten(word, _wild_if_cased)}%")
    if not any(_is_cased(letter) for letter in word):
        return [like]
    return [like, literal(_glob(word)), literal(_regex(word))]


def _rewritten(word: str, rewritten: Callable[[str], str]) -> str:
    return "".join(rewritten(letter) for letter in word)


def _wild_if_cased(letter: str) -> str:
    return "_" if _is_cased(letter) else _literally(letter)


def _wild_if_quoted(letter: str) -> str:
    return "%" if letter in '"\\' or ord(letter) < 32 else _wild_if_cased(letter)


def _as_json(letter: str) -> str:
    # é and É differ in their escapes: any escape will do, what passes is looked at again.
    return "%" if _is_cased(letter) else "".join(map(_literally, json.dumps(letter)[1:-1]))


def _literally(letter: str) -> str:
    return f"!{letter}" if letter in _WILD else letter


def _cases(letter: str) -> str:
    """The letter in each of its cases, as far as those are one letter long."""
    forms = (letter, letter.lower(), letter.upper(), letter.casefold(), letter.upper().lower())
    return "".join(dict.fromkeys(form for form in forms if len(form) == 1))


def _is_cased(letter: str) -> bool:
    return not letter.isascii() and len(_cases(letter)) > 1


def _glob(word: str) -> str:
    return f"*{_rewritten(word, _either_case_or_itself)}*"


def _regex(word: str) -> str:
    return _rewritten(word, lambda x: _either_case(x) if len(_cases(x)) > 1 else re.escape(x))


def _either_case_or_itself(letter: str) -> str:
    is_plain = len(_cases(letter)) == 1 and letter not in "*?["
    return letter if is_plain else _either_case(letter)


def _either_case(letter: str) -> str:
    return f"[{_cases(letter)}]"


class _Holds(FunctionElement[bool]):
    """_Holds(text, like[, glob, regex]): the text matches, without case; "!" escapes in LIKE."""

    type = Boolean()
    name = "holds"
    inherit_cache = True


class _FieldHolds(FunctionElement[bool]):
    """_FieldHolds(fields, like[, glob, regex]): the value of one of the fields matches."""

    type = Boolean()
    name = "field_holds"
    inherit_cache = True


@compiles(_Holds, "sqlite")
def _holds_on_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text, like, *spelled = (compiler.process(each, **options) for each in element.clauses)
    matches = f"{text} LIKE {like} ESCAPE '!'"
    # CASE, because in an AND the planner may begin with the slower one.
    return (
        f"(CASE WHEN {matches} THEN {text} GLOB {spelled[0]} ELSE 0 END)"
        if spelled
        else f"({matches})"
    )


@compiles(_Holds, "postgresql")
def _holds_on_postgres(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text, like, *spelled = (compiler.process(each, **options) for each in element.clauses)
    matches = f"{text} ILIKE {like} ESCAPE '!'"
    return f"({matches} AND {text} ~ {spelled[1]})" if spelled else f"({matches})"


@compiles(_FieldHolds, "sqlite")
def _field_holds_on_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    fields, *patterns = list(element.clauses)
    holds_it = _Holds(literal_column("CAST(field.value AS TEXT)"), *patterns)
    rows = f"json_each({compiler.process(fields, **options)})"
    return f"EXISTS (SELECT 1 FROM {rows} AS field WHERE {compiler.process(holds_it, **options)})"  # noqa: S608


@compiles(_FieldHolds, "postgresql")
def _field_holds_on_postgres(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    fields, *patterns = list(element.clauses)
    holds_it = _Holds(literal_column("field.value"), *patterns)
    rows = f"json_each_text({compiler.process(fields, **options)})"
    return f"EXISTS (SELECT 1 FROM {rows} AS field WHERE {compiler.process(holds_it, **options)})"  # noqa: S608

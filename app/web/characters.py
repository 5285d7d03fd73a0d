"""Refuse NUL characters, which Postgres cannot store, and lone surrogates.

Decision: every text of a request is looked at here, before any room reads it, so that both
databases answer alike and no room has to think of it.
"""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import Request

from app.errors import Invalid

# These mend or reject texts row by row.
CHECKED_BY_ROW = re.compile(r"/api/v1/projects/[^/]+/records")


async def check_characters(request: Request) -> None:
    """Raise Invalid for a text in the path, the query or the body that no database can store.

    FastAPI has read the body before, if the route has one.
    """
    _check(dict(request.path_params))
    _check(list(request.query_params.multi_items()))
    if not CHECKED_BY_ROW.fullmatch(request.url.path):
        _check(getattr(request, "_json", None))
    form = getattr(request, "_form", None)
    if form is not None:
        _check(list(form.multi_items()))


def describe_fault(text: str) -> str | None:
    """Describe what is wrong with the text, or return None."""
    if "\0" in text:
        return "contains a NUL character, which cannot be stored"
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        return f"contains half a character (the lone surrogate U+{code:04X})"
    return None


def _check(value: Any) -> None:
    for name, text in _texts_in(value):
        if fault := describe_fault(text):
            raise Invalid(f"{name} {fault}. Remove it.")


def _texts_in(value: Any) -> Iterator[tuple[str, str]]:
    """Every text, however deep it lies, with the name of its value; a name before what it names."""
    waiting: list[tuple[str, Any]] = [("The request", value)]
    while waiting:
        name, each = waiting.pop()
        if isinstance(each, str):
            yield name, each
        elif isinstance(each, dict):
            for key, inner in each.items():
                yield name, key
                waiting.append((key, inner))
        elif isinstance(each, tuple):
            key, inner = each
            yield name, key
            waiting.append((key, inner))
        elif isinstance(each, list):
            waiting.extend((name, inner) for inner in each)

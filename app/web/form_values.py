"""Parse values that arrive as text from a form or a URL."""

from collections.abc import Collection
from typing import TypeVar

from app.errors import Invalid

Choice = TypeVar("Choice", bound=str)

MAX_WHOLE_NUMBER = 2**31 - 1
"""No integer column holds a larger one."""


def is_whole_number(text: str) -> bool:
    """Whether the text is a whole number, from 0, that a column can hold."""
    # The length first: Python refuses to read thousands of digits, and "²" is a digit to it.
    return len(text) <= 10 and text.isascii() and text.isdigit() and int(text) <= MAX_WHOLE_NUMBER


def parse_whole_number(
    text: str, noun: str, *, is_positive: bool = False, most: int = MAX_WHOLE_NUMBER
) -> int:
    """Read a whole number; white space around it is ignored. Raises Invalid for anything else."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or (is_positive and not text.strip("0")):
        above = " above 0" if is_positive else ""
        raise Invalid(f"The {noun} must be a whole number{above}, not “{text[:20]}”.")
    if not is_whole_number(text) or int(text) > most:
        raise Invalid(f"The {noun} must be at most {most:,}, not “{text[:20]}”.")
    return int(text)


def parse_optional_number(text: str, noun: str, *, is_positive: bool = False) -> int | None:
    """Read a whole number, or None where there is nothing. Raises Invalid for anything else."""
    return parse_whole_number(text, noun, is_positive=is_positive) if text.strip() else None


def parse_choice(text: str, noun: str, choices: Collection[Choice]) -> Choice:
    """Read one of the choices. Raises Invalid for any other value."""
    for choice in choices:
        if choice == text:
            return choice
    raise Invalid(f"The {noun} must be one of {', '.join(choices)}.")

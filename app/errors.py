"""What can go wrong that a person can mend: a status and one clear sentence."""

import errno
from collections.abc import Mapping, Sequence
from typing import Any

# What the system says when nothing more can be written: no space, no quota, no larger files.
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class AppError(Exception):
    """An answer, not an accident: pages show the sentence, the API wraps it as problem+json."""

    status = 400
    # After how many seconds a program may try again; None: that would change nothing.
    retry_after_seconds: int | None = None

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class NotFound(AppError):
    """The id is unknown, or belongs to a project that this user may not see: both read alike."""

    status = 404

    def __init__(self, noun: str) -> None:
        super().__init__(f"There is no such {noun} here.")


class NotAllowed(AppError):
    """The user is known, and may not do this."""

    status = 403


class LoginRequired(AppError):
    """Nobody is logged in, or the login has expired."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Please log in: your login has ended or was never begun.")


class Conflict(AppError):
    """The request is fine, but not in the present state of things."""

    status = 409


class Invalid(AppError):
    """A value that was sent cannot be used; the sentence names it."""

    status = 422


class StorageFull(AppError):
    """The disk took nothing more; what was stored before is safe."""

    status = 507

    def __init__(self) -> None:
        super().__init__(
            "The server's disk is full, so this was not stored. Free some space and try again."
        )


class Busy(AppError):
    """The database was locked for longer than we wait."""

    status = 503
    retry_after_seconds = 2

    def __init__(self) -> None:
        super().__init__("The database is busy and did not take this. Try again in a few seconds.")


class Unreachable(AppError):
    """There is no connection to the database, or it broke; `reason` is for the log."""

    status = 503
    retry_after_seconds = 5

    def __init__(self, reason: str) -> None:
        super().__init__("The database cannot be reached. Try again in a few seconds.")
        self.reason = reason


def translate_disk_error(error: OSError) -> Exception:
    """What a person can do about a disk that takes nothing more, or the error itself."""
    return StorageFull() if error.errno in DISK_FULL_ERRNOS else error


# By pydantic's name of the fault, or the first word of it; filled with the fault's own numbers.
_VALIDATION_MESSAGES = {
    "missing": "it is missing",
    "extra": "nothing of this name is known",
    "int": "a whole number is needed",
    "float": "a number is needed",
    "finite": "a number is needed",
    "bool": "true or false is needed",
    "string": "a text is needed",
    "list": "a list is needed",
    "dict": "an object with named values is needed",
    "model": "an object with named values is needed",
    "literal": "it is one of {expected}",
    "enum": "it is one of {expected}",
    "greater_than_equal": "{ge} is the least",
    "less_than_equal": "{le} is the most",
    "greater_than": "it is more than {gt}",
    "less_than": "it is less than {lt}",
    "string_too_short": "it is too short; {min_length} is the least number of characters",
    "string_too_long": "it is too long; {max_length:,} is the largest number of characters",
    "too_short": "it holds too few; {min_length:,} is the least",
    "too_long": "it holds too many; {max_length:,} is the most",
    "json_invalid": "this is not valid JSON",
    "value_error": "{error}",
}


def validation_message(errors: Sequence[Mapping[str, Any]], *, skip: int = 0) -> str:
    """One sentence about the first fault that pydantic found: which value, and what it should be.

    skip  leading parts of a value's place that say nothing to a person, such as "body"
    """
    first = errors[0]
    kind = str(first["type"])
    words = _VALIDATION_MESSAGES.get(kind) or _VALIDATION_MESSAGES.get(
        kind.partition("_")[0], "this cannot be used"
    )
    location = ".".join(str(part) for part in first["loc"][skip:])
    if not location or kind == "json_invalid":
        location = "the request"
    explanation = words.format(**first.get("ctx", {})).rstrip(".")
    return f"{location}: {explanation}."

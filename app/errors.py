"""Expected errors: an HTTP status and a message that says what to do."""

import errno
from collections.abc import Mapping, Sequence
from typing import Any

# Nothing more can be written: no space, no quota, no larger files.
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class AppError(Exception):
    """An expected error: pages show the sentence, the API returns it as problem+json."""

    status = 400
    # Seconds after which a client may try again; None if trying again cannot help.
    retry_after_seconds: int | None = None

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class NotFound(AppError):
    """The id is unknown, or the user may not see it; both give the same message."""

    status = 404

    def __init__(self, noun: str) -> None:
        super().__init__(f"{noun[:1].upper()}{noun[1:]} not found.")


class NotAllowed(AppError):
    """The user is logged in but lacks permission."""

    status = 403


class LoginRequired(AppError):
    """No user is logged in, or the session has expired."""

    status = 401

    def __init__(self) -> None:
        super().__init__("Please log in. Your session may have expired.")


class Conflict(AppError):
    """The request is valid but conflicts with the current state."""

    status = 409


class Invalid(AppError):
    """A value in the request is invalid; the message names it."""

    status = 422


class StorageFull(AppError):
    """The disk is full; data stored before is safe."""

    status = 507

    def __init__(self) -> None:
        super().__init__("Not saved: the server's disk is full. Free some space and try again.")


class Busy(AppError):
    """The database stayed locked for longer than the timeout."""

    status = 503
    retry_after_seconds = 2

    def __init__(self) -> None:
        super().__init__("Not saved: the database is busy. Try again in a few seconds.")


class Unreachable(AppError):
    """The database cannot be reached, or the connection broke; `reason` is for the log."""

    status = 503
    retry_after_seconds = 5

    def __init__(self, reason: str) -> None:
        super().__init__("The database cannot be reached. Try again in a few seconds.")
        self.reason = reason


def translate_disk_error(error: OSError) -> Exception:
    """Return StorageFull for a full disk, else the error itself."""
    return StorageFull() if error.errno in DISK_FULL_ERRNOS else error


# By pydantic's error type or its first word; filled with the error's context.
_VALIDATION_MESSAGES = {
    "missing": "is missing",
    "extra": "is an unknown field",
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a number",
    "bool": "must be true or false",
    "string": "must be a text",
    "list": "must be a list",
    "dict": "must be an object",
    "model": "must be an object",
    "literal": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be greater than {gt}",
    "less_than": "must be less than {lt}",
    "string_too_short": "is too short (minimum length: {min_length})",
    "string_too_long": "is too long (maximum length: {max_length:,})",
    "too_short": "needs more values (minimum: {min_length:,})",
    "too_long": "has too many values (maximum: {max_length:,})",
    "json_invalid": "is not valid JSON",
    "value_error": "{error}",
}


def validation_message(errors: Sequence[Mapping[str, Any]], *, skip: int = 0) -> str:
    """Describe the first validation error: which value, and what it should be.

    skip  leading parts of the location to leave out, such as "body"
    """
    first = errors[0]
    kind = str(first["type"])
    words = _VALIDATION_MESSAGES.get(kind) or _VALIDATION_MESSAGES.get(
        kind.partition("_")[0], "is invalid"
    )
    location = ".".join(str(part) for part in first["loc"][skip:])
    if not location or kind == "json_invalid":
        location = "The request"
    explanation = words.format(**first.get("ctx", {})).rstrip(".")
    return f"{location}{': ' if words == '{error}' else ' '}{explanation}."

"""Translate SQLite and Postgres errors into messages that say what to do."""

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from app.errors import AppError, Busy, Conflict, Invalid, NotFound, StorageFull, Unreachable

# Postgres error codes; SQLite errors are recognized by their text.
NUMBER_OUT_OF_RANGE = "22003"
TEXT_TOO_LONG = "22001"
REFUSED_TEXTS = {"22021", "22P05", "22P02"}
UNIQUE_VIOLATION = "23505"
FOREIGN_KEY_VIOLATION = "23503"
TRY_AGAIN = {"40001", "40P01", "55P03"}  # Not serializable, a deadlock, a lock not to be had.
CONNECTION_CLASS = "08"
NOT_SERVING = {"57P01", "57P02", "57P03", "53300"}  # Stopping, crashed, starting, too many clients.

NO_CHARACTERS = (
    "The text contains a NUL character or half a character, which cannot be stored. Remove it."
)
_UNIQUE_FAILED = "UNIQUE constraint failed: "
_NOUNS = {
    "activations": "activation",
    "annotations": "annotation",
    "assignments": "assignment",
    "api_tokens": "token",
    "invitations": "invitation",
    "labels": "label",
    "memberships": "membership",
    "projects": "project",
    "records": "record",
    "saved_searches": "saved search",
    "subscriptions": "subscription",
    "training_runs": "run",
    "users": "user",
    "versions": "version",
    "webhooks": "webhook",
}


def clear_error(error: DBAPIError) -> Exception:
    """Translate a database error, or return it unchanged."""
    if isinstance(error, IntegrityError):
        return _clash(error) or error
    return _translate_refused_value(error) or _trouble(error) or error


def clear_value_error(error: BaseException) -> AppError | None:
    """Translate an error about a value that the driver or the database cannot take.

    A number beyond the database's integers cannot be the id of a row: it counts as unknown.
    """
    if isinstance(error, OverflowError) or getattr(error, "sqlstate", "") == NUMBER_OUT_OF_RANGE:
        return NotFound("item")
    return Invalid(NO_CHARACTERS) if isinstance(error, UnicodeEncodeError) else None


def _state_of(error: DBAPIError) -> str | None:
    """Return the Postgres error code; None: no connection; "": SQLite, which has none."""
    return getattr(error.orig, "sqlstate", "")


def _translate_refused_value(error: DBAPIError) -> AppError | None:
    state = _state_of(error)
    if state in REFUSED_TEXTS or "cannot contain NUL" in str(error.orig):
        return Invalid(NO_CHARACTERS)
    if state == TEXT_TOO_LONG:
        return Invalid("The text is too long. Shorten it.")
    return None


def _trouble(error: DBAPIError) -> AppError | None:
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    text, state = str(error.orig).lower(), _state_of(error)
    if "is full" in text or "no space left" in text or "disk i/o error" in text:
        return StorageFull()
    if state in TRY_AGAIN or (not state and ("locked" in text or "busy" in text)):
        return Busy()
    if error.connection_invalidated or "unable to open database file" in text:
        return _unreachable(error)
    # None: there was no connection to return a code.
    if state is None or state in NOT_SERVING or state.startswith(CONNECTION_CLASS):
        return _unreachable(error)
    return None


def _unreachable(error: DBAPIError) -> Unreachable:
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    return Unreachable(lines[0].rstrip("."))


def _clash(error: IntegrityError) -> Conflict | None:
    """Explain a conflict between two simultaneous requests."""
    text, state = str(error.orig), _state_of(error)
    if state == UNIQUE_VIOLATION or text.startswith(_UNIQUE_FAILED):
        diagnosis = getattr(error.orig, "diag", None)
        in_words = text.removeprefix(_UNIQUE_FAILED).partition(".")[0]
        table = diagnosis.table_name if diagnosis else in_words
        noun = _NOUNS.get(table or "", "entry")
        return Conflict(f"This {noun} was just added by another request. Reload to see it.")
    if state == FOREIGN_KEY_VIOLATION or text.startswith("FOREIGN KEY constraint failed"):
        return Conflict("The item this belongs to has just been removed. Reload the page.")
    return None

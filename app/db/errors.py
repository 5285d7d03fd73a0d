"""What SQLite and Postgres complain about, as what a person can do about it."""

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from app.errors import AppError, Busy, Conflict, Invalid, NotFound, StorageFull, Unreachable

# Postgres gives every error one of these; SQLite's are known by their words alone.
NUMBER_OUT_OF_RANGE = "22003"
TEXT_TOO_LONG = "22001"
REFUSED_TEXTS = {"22021", "22P05", "22P02"}
UNIQUE_VIOLATION = "23505"
FOREIGN_KEY_VIOLATION = "23503"
TRY_AGAIN = {"40001", "40P01", "55P03"}  # Not serializable, a deadlock, a lock not to be had.
CONNECTION_CLASS = "08"
NOT_SERVING = {"57P01", "57P02", "57P03", "53300"}  # Stopping, crashed, starting, too many clients.

NO_CHARACTERS = (
    "A text holds a NUL character or half a character, which cannot be stored. Remove it."
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
    """What a person can do about the database's complaint, or the complaint itself."""
    if isinstance(error, IntegrityError):
        return _clash(error) or error
    return _refused_value(error) or _trouble(error) or error


def clear_value_error(error: BaseException) -> AppError | None:
    """What is wrong with a value that a driver or the database could not take at all.

    A number beyond the database's integers can name no row: it reads like an unknown one.
    """
    if isinstance(error, OverflowError) or getattr(error, "sqlstate", "") == NUMBER_OUT_OF_RANGE:
        return NotFound("number")
    return Invalid(NO_CHARACTERS) if isinstance(error, UnicodeEncodeError) else None


def _state_of(error: DBAPIError) -> str | None:
    """Postgres' code; None: it could not even answer; "": SQLite, which has none."""
    return getattr(error.orig, "sqlstate", "")


def _refused_value(error: DBAPIError) -> AppError | None:
    state = _state_of(error)
    if state in REFUSED_TEXTS or "cannot contain NUL" in str(error.orig):
        return Invalid(NO_CHARACTERS)
    if state == TEXT_TOO_LONG:
        return Invalid("A text is too long to be stored. Shorten it.")
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
    # A state of None: there was no connection that could have brought one.
    if state is None or state in NOT_SERVING or state.startswith(CONNECTION_CLASS):
        return _unreachable(error)
    return None


def _unreachable(error: DBAPIError) -> Unreachable:
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    return Unreachable(lines[0].rstrip("."))


def _clash(error: IntegrityError) -> Conflict | None:
    """Two requests at once made the same thing, or one removed what the other refers to."""
    text, state = str(error.orig), _state_of(error)
    if state == UNIQUE_VIOLATION or text.startswith(_UNIQUE_FAILED):
        diagnosis = getattr(error.orig, "diag", None)
        in_words = text.removeprefix(_UNIQUE_FAILED).partition(".")[0]
        table = diagnosis.table_name if diagnosis else in_words
        noun = _NOUNS.get(table or "", "entry")
        return Conflict(f"The same {noun} was added at the same moment. Reload to see it.")
    if state == FOREIGN_KEY_VIOLATION or text.startswith("FOREIGN KEY constraint failed"):
        return Conflict("What this belongs to was removed at the same moment. Reload the page.")
    return None

"""What can go wrong that a person can mend: a status and one clear sentence."""


class AppError(Exception):
    """An answer, not an accident: pages show the sentence, the API wraps it as problem+json."""

    status = 400

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


class LoginNeeded(AppError):
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
            "The server's disk is full, so nothing was stored. Free some space and try again."
        )


class Busy(AppError):
    """The database was locked for longer than we wait."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The database is busy and did not take this. Try again in a few seconds.")

"""Checks behind /ready, also used by `likewise doctor`."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db import schema
from app.db.session import read_session
from app.errors import AppError
from app.installation import confirm_folder
from app.settings import settings

MIN_FREE_GB = 1.0


@dataclass(frozen=True)
class ReadinessCheck:
    """A failed requirement with advice. The sentence is public."""

    name: str
    run: Callable[[], bool]
    advice: str


def find_failures() -> dict[str, str]:
    """Every check by name, with advice if it failed and an empty sentence if it did not."""
    return {check.name: "" if _passes(check) else check.advice for check in CHECKS}


def free_gigabytes() -> float:
    """Return the free disk space of the data folder in GB."""
    return shutil.disk_usage(settings().data_dir).free / 1e9


def probe_data_folder() -> None:
    """Write a file into the data folder and forget it. Raises OSError."""
    with tempfile.TemporaryFile(dir=settings().data_dir) as probe:
        probe.write(b"likewise")


def _passes(check: ReadinessCheck) -> bool:
    try:
        return check.run()
    except (AppError, OSError, SQLAlchemyError):
        return False


def _reaches_database() -> bool:
    with read_session() as db:
        return bool(db.scalar(text("SELECT 1")))


def _owns_folder() -> bool:
    confirm_folder()
    return True


def _writes_folder() -> bool:
    probe_data_folder()
    return True


CHECKS = (
    ReadinessCheck("database", _reaches_database, "The database cannot be reached."),
    ReadinessCheck(
        "migrations",
        schema.is_current,
        "The database schema is not up to date. Start `likewise serve` of this version.",
    ),
    ReadinessCheck(
        "installation",
        _owns_folder,
        "The data folder does not belong to the database. Run `likewise doctor`.",
    ),
    ReadinessCheck("data_folder", _writes_folder, "The data folder is not writable."),
    ReadinessCheck(
        "disk",
        lambda: free_gigabytes() >= MIN_FREE_GB,
        f"Less than {MIN_FREE_GB:.0f} GB free on the disk of the data folder.",
    ),
)

"""Files that a version is made of: written whole or not at all, and checked before they are used.

A file is written beside its place, fsynced, renamed, and its folder fsynced; its sha256 goes to the
database. A failed fsync fails the whole thing and is never retried: a second one may lie.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.errors import AppError, translate_disk_error
from app.files import sync
from app.settings import settings


class CorruptFile(AppError):
    """A stored file is missing, or is not what the database says it is."""

    status = 503

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(
            f"The stored file {file} is damaged or missing. Run `likewise verify` to see what is "
            "affected; an index can be rebuilt from the stored vectors."
        )


@dataclass(frozen=True)
class StoredFile:
    """Where a file lies under the data folder, and what it must still be when it is read."""

    file: str
    sha256: str
    n_bytes: int


def data_subdir(name: str) -> Path:
    """Return a folder under the data folder, created if missing: imports, artifacts, runs."""
    path = settings().data_dir / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def store_file(kind: str, write: Callable[[Path], None]) -> StoredFile:
    """Have `write` fill a new file under artifacts/, make it durable, and say what it is.

    Raises StorageFull; then nothing is left of the file.
    """
    target = data_subdir("artifacts") / f"{uuid.uuid4().hex}-{kind}"
    part = target.with_suffix(".part")
    try:
        write(part)
        sync(part)
        part.rename(target)
        sync(target.parent)
    except OSError as error:
        raise translate_disk_error(error) from error
    finally:
        part.unlink(missing_ok=True)
    return StoredFile(f"artifacts/{target.name}", hash_file(target), target.stat().st_size)


def store_directory(kind: str, source: Path) -> list[StoredFile]:
    """Have a whole folder, of the same disk, under artifacts/ as well, and make it durable: its
    files, each with what it must still be. Nothing is copied; the source may go afterwards.

    Raises StorageFull.
    """
    target = data_subdir("artifacts") / f"{uuid.uuid4().hex}-{kind}"
    try:
        shutil.copytree(source, target, copy_function=os.link)
        for path in (target, *target.rglob("*"), target.parent):
            sync(path)
    except OSError as error:
        raise translate_disk_error(error) from error
    return [
        StoredFile(
            f"artifacts/{path.relative_to(target.parent).as_posix()}",
            hash_file(path),
            path.stat().st_size,
        )
        for path in sorted(target.rglob("*"))
        if path.is_file()
    ]


def verified_path(file: str, sha256: str) -> Path:
    """Return the file's path, after its bytes were compared with the database's sha256.

    Raises Damaged: a flipped bit in an index or a weight would otherwise load silently.
    """
    path = settings().data_dir / file
    if not path.is_file() or hash_file(path) != sha256:
        raise CorruptFile(file)
    return path


def hash_file(path: Path) -> str:
    """Return the file's sha256 in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

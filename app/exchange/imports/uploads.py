"""Uploaded files: stored in the data folder under generated names, with a size limit."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select, update

from app.db.session import write_session
from app.errors import AppError, Conflict, translate_disk_error
from app.files import sync
from app.installation import confirm_folder
from app.models import Import, utc_now
from app.models.enums import ImportStatus
from app.settings import settings
from app.storage import data_subdir

# Unmapped uploads are deleted after this time.
UNMAPPED_LIFETIME = timedelta(hours=24)
LONGEST_FILE_NAME = 300
_BLOCK = 1024 * 1024


class TooLarge(AppError):
    """The file is larger than the setting allows."""

    status = 413

    def __init__(self) -> None:
        super().__init__(f"The file is larger than {settings().max_upload_mb} MB. Split it.")


def clean_file_name(name: str) -> str:
    """Return the last part of the name: at most 300 characters, all of which can be stored."""
    plain = name.replace("\\", "/").replace("\0", "").encode("utf-8", "replace").decode()
    return Path(plain).name[-LONGEST_FILE_NAME:] or "file"


def save_upload(source: BinaryIO | Path) -> Path:
    """Copy the file under the data folder.

    Raises TooLarge, StorageFull, WrongFolder; then nothing is kept.
    """
    confirm_folder()
    path = data_subdir("imports") / uuid.uuid4().hex
    try:
        if isinstance(source, Path):
            with source.open("rb") as opened:
                _copy(opened, path)
        else:
            _copy(source, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def upload_path(import_row: Import) -> Path:
    """Return the path of the uploaded file. Raises Conflict once it was deleted."""
    path = settings().data_dir / import_row.file
    if not path.is_file():
        raise Conflict("The file of this import was deleted. Upload it again.")
    return path


def delete_old_uploads() -> None:
    """Delete uploads that were not mapped for a day, and files without an unfinished import."""
    with write_session() as db:
        db.execute(
            update(Import)
            .where(
                Import.status == ImportStatus.UPLOADED,
                Import.created_at < utc_now() - UNMAPPED_LIFETIME,
            )
            .values(
                status=ImportStatus.CANCELLED,
                error="Expired: the columns were not mapped within 24 hours.",
                finished_at=utc_now(),
            )
        )
        kept = set(db.scalars(select(Import.file).where(Import.status != ImportStatus.SUCCEEDED)))
    oldest = (utc_now() - UNMAPPED_LIFETIME).timestamp()
    for path in data_subdir("imports").iterdir():
        if f"imports/{path.name}" not in kept and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _copy(source: BinaryIO, path: Path) -> None:
    n_left = settings().max_upload_mb * 1024**2
    try:
        with path.open("xb") as kept:
            while block := source.read(_BLOCK):
                n_left -= len(block)
                if n_left < 0:
                    raise TooLarge
                kept.write(block)
        sync(path)
    except OSError as error:
        raise translate_disk_error(error) from error

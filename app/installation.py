"""Which data folder belongs to which database: both carry the same id, or no file is touched.

Two hosts that share a database but not the folder would delete each other's files, so every process
that works on files calls check_folder() before it starts.
Decision: the id is written beside its place first, then committed, then renamed. A process that is
killed in between leaves either no id at all, or one that the next start completes.
"""

from pathlib import Path
from uuid import uuid4

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.session import engine, read_session, write_session
from app.errors import AppError
from app.files import sync
from app.models import Artifact, Import, Installation
from app.models.enums import RESUMABLE_IMPORTS
from app.settings import settings

FILE = "installation_id"
CLAIM = "likewise doctor --claim-folder"


class WrongFolder(AppError):
    """The data folder and the database do not belong together."""

    status = 503

    def __init__(self, reason: str) -> None:
        url = engine().url.render_as_string(hide_password=True)
        super().__init__(
            f"The data folder {settings().data_dir} does not belong to the database {url}: "
            f"{reason}. Mount the same folder on every host that uses this database. "
            f"If the right folder is lost or this one is to replace it, run `{CLAIM}` once."
        )


def check_folder() -> str:
    """Return the id that database and folder share; an installation without one gets it now.

    Raises WrongFolder.
    """
    with read_session() as db:
        known = _load_stored_id(db)
    if known is not None and _folder_id(known) == known:
        return known
    with write_session() as db:
        _lock(db)
        known = _load_stored_id(db)
        found = _folder_id(known)
        if known is not None and found == known:
            return known
        _check_nothing_is_lost(db, known, found)
        new = _write_id(db)
    _complete(new)
    return new


def confirm_folder() -> None:
    """Raise WrongFolder if the database has an id and the folder does not carry it (any more)."""
    with read_session() as db:
        known = _load_stored_id(db)
    if known is not None and (found := _folder_id(known)) != known:
        raise WrongFolder(_describe(found))


def claim_folder() -> str:
    """Tie this folder to the database by a new id: every other folder is refused from now on."""
    with write_session() as db:
        _lock(db)
        new = _write_id(db)
    _complete(new)
    return new


def _check_nothing_is_lost(db: Session, known: str | None, found: str | None) -> None:
    """Raise WrongFolder unless database and folder are new, or were used together before."""
    if known is not None:
        if found is not None or _refers_to_files(db):
            raise WrongFolder(_describe(found))
        return
    # Before there were ids, nothing but the files could tell.
    artifacts = db.scalars(select(Artifact.file)).all()
    if artifacts:
        if not any((settings().data_dir / file).exists() for file in artifacts):
            raise WrongFolder("it holds none of the files that the database names")
    elif found is not None and _holds_files():
        raise WrongFolder(_describe(found))


def _describe(found: str | None) -> str:
    if found is None:
        return f"it has no file {FILE}, and the database was used with another folder"
    return f"its file {FILE} names another installation"


def _refers_to_files(db: Session) -> bool:
    unfinished = select(Import.id).where(Import.status.in_(RESUMABLE_IMPORTS))
    return any(db.scalar(query.limit(1)) is not None for query in (select(Artifact.id), unfinished))


def _holds_files() -> bool:
    folders = (settings().data_dir / name for name in ("artifacts", "imports"))
    return any(any(folder.iterdir()) for folder in folders if folder.is_dir())


def _lock(db: Session) -> None:
    """Hold off other processes that start at the same moment; SQLite's write lock does it alone."""
    if db.get_bind().dialect.name == "postgresql":
        db.execute(text(f"LOCK TABLE {Installation.__tablename__} IN EXCLUSIVE MODE"))


def _load_stored_id(db: Session) -> str | None:
    return db.scalar(select(Installation.identifier))


def _folder_id(known: str | None) -> str | None:
    if known is not None:
        _complete(known)
    path = settings().data_dir / FILE
    return path.read_text().strip() or None if path.is_file() else None


def _write_id(db: Session) -> str:
    new = uuid4().hex
    folder = settings().data_dir
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{FILE}.*"):
        leftover.unlink(missing_ok=True)
    pending = _pending(new)
    pending.write_text(f"{new}\n")
    sync(pending)
    sync(folder)
    row = db.get(Installation, 1)
    if row is None:
        db.add(Installation(identifier=new))
    else:
        row.identifier = new
    return new


def _complete(identifier: str) -> None:
    """Put the file of an id that the database has into its place."""
    pending = _pending(identifier)
    if not pending.exists():
        return
    try:
        pending.replace(settings().data_dir / FILE)
    except FileNotFoundError:
        return  # Another process that starts at the same moment was quicker.
    sync(settings().data_dir)


def _pending(identifier: str) -> Path:
    return settings().data_dir / f"{FILE}.{identifier}"

"""Backup and restore: one tar file with the database and every file that it names.

Decision: only on SQLite. Of Postgres, `pg_dump` makes the better copy; the artifacts folder is
archived beside it. The jobs' own database is left out, because rows say all that matters: what was
running is marked failed after a restore, and can be tried again.
"""

import json
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from app.db import schema
from app.db.session import engine, make_engine
from app.errors import Conflict, Invalid
from app.files import sync
from app.installation import claim_folder
from app.models import Artifact, Import, utc_now
from app.models.enums import RESUMABLE_IMPORTS
from app.settings import settings
from app.storage import hash_file

DATABASE = "likewise.sqlite3"
MANIFEST = "manifest.json"
TRIES = 3


@dataclass(frozen=True)
class BackupContents:
    """What a backup holds."""

    file: str
    n_files: int
    n_bytes: int


class _FileReplaced(Exception):
    """A file went while it was being archived: its version has a newer revision now."""


def create_backup(out: Path) -> BackupContents:
    """Write the backup, while others work; it takes the place of a file of that name once whole.

    Raises Conflict on Postgres, or if a file that the database names is missing.
    """
    _require_sqlite(
        "For Postgres, use pg_dump and archive the data folder as well."
        " Both contain the installation id."
    )
    part = out.with_name(f"{out.name}.part")
    try:
        for _ in range(TRIES):
            try:
                n_files = _write(part)
            except _FileReplaced as moved:
                missing = str(moved)
            else:
                part.rename(out)
                sync(out.resolve().parent)
                return BackupContents(str(out), n_files, out.stat().st_size)
        raise Conflict(f"The stored file {missing} is missing. Run `likewise verify`.")
    finally:
        part.unlink(missing_ok=True)


def restore_backup(source: Path) -> BackupContents:
    """Restore a backup into an empty data folder, and bring the tables up to this version.

    Raises Conflict if something is there already, Invalid for a file that is no whole backup.
    """
    _require_sqlite(
        "For Postgres, use pg_restore and unpack the data folder as well."
        " Both contain the installation id."
    )
    data_dir, database = settings().data_dir, _database_path()
    if database.exists() or (data_dir.is_dir() and any(data_dir.iterdir())):
        raise Conflict(f"{data_dir} is not empty. Restore into an empty data folder.")
    data_dir.mkdir(parents=True, exist_ok=True)
    # Inside the data folder, which may be a volume of its own: renaming must not copy.
    with tempfile.TemporaryDirectory(dir=data_dir) as folder:
        target = Path(folder)
        manifest = _unpack(source, target)
        (target / DATABASE).rename(database)
        for name in sorted({Path(file).parts[0] for file in manifest if file != DATABASE}):
            (target / name).rename(data_dir / name)
    schema.upgrade()
    # What is restored is an installation of its own: the one it was made from may still be at work.
    claim_folder()
    return BackupContents(str(source), len(manifest) - 1, source.stat().st_size)


def _write(part: Path) -> int:
    with tempfile.TemporaryDirectory(dir=part.resolve().parent) as folder:
        copy = Path(folder) / DATABASE
        _copy_database(copy)
        named = _list_named_files(copy)
        hashes = {DATABASE: hash_file(copy)}
        with tarfile.open(part, "w") as tar:
            tar.add(copy, DATABASE)
            for file in named:
                hashes[file] = _add_file(tar, file)
            manifest = Path(folder) / MANIFEST
            manifest.write_text(
                json.dumps({"made_at": utc_now().isoformat(), "sha256": hashes}, indent=1)
            )
            tar.add(manifest, MANIFEST)
    sync(part)
    return len(named)


def _copy_database(copy: Path) -> None:
    """Copy the database while others write: it waits for nobody, and nobody for it."""
    # VACUUM cannot run in a transaction, and the engine begins one by itself.
    raw = engine().raw_connection()
    try:
        raw.cursor().execute("VACUUM INTO ?", (str(copy),))
    finally:
        raw.close()


def _list_named_files(database: Path) -> list[str]:
    """Artifacts, and files of imports that have not ended; of the copy, not of what came later."""
    copied = make_engine(f"sqlite:///{database}")
    with Session(copied) as db:
        artifacts = db.scalars(select(Artifact.file)).all()
        waiting = db.scalars(select(Import.file).where(Import.status.in_(RESUMABLE_IMPORTS))).all()
    copied.dispose()
    return sorted(
        {*artifacts, *(file for file in waiting if (settings().data_dir / file).is_file())}
    )


def _add_file(tar: tarfile.TarFile, file: str) -> str:
    path = settings().data_dir / file
    try:
        tar.add(path, file)
        return hash_file(path)
    except FileNotFoundError as error:
        raise _FileReplaced(file) from error


def _unpack(source: Path, target: Path) -> dict[str, str]:
    """Return the manifest's hashes, after every file was unpacked and compared with its own."""
    try:
        with tarfile.open(source) as tar:
            tar.extractall(target, filter="data")
        manifest: dict[str, str] = json.loads((target / MANIFEST).read_text())["sha256"]
    except (tarfile.TarError, FileNotFoundError, KeyError, ValueError) as error:
        raise Invalid(f"{source} is not a complete Likewise backup.") from error
    for file, sha256 in manifest.items():
        path = target / file
        if not path.is_file() or hash_file(path) != sha256:
            raise Invalid(f"{source} is damaged: checksum mismatch in {file}.")
    return manifest


def _require_sqlite(sentence: str) -> None:
    if make_url(settings().database_url).get_backend_name() != "sqlite":
        raise Conflict(sentence)


def _database_path() -> Path:
    return Path(make_url(settings().database_url).database or "")

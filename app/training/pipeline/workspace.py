"""The working folder of a run: results of one step for the next, complete or absent.

Not artifacts: nothing outside the run reads these files, and they are deleted when the run ends.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from app.files import sync
from app.jobs.steps import failpoint
from app.search.deep_versions import delete_prepared
from app.settings import settings
from app.storage import StoredFile, data_subdir

SNAPSHOT = "examples.npz"
HEAD = "head.safetensors"
COMPARISON = "comparison.json"
MEASURED = "measured.safetensors"
FILES = "files.json"
SOURCE = "source.json"
DEEP = "deep"


def file_path(run_id: int, name: str) -> Path:
    """Return the path of the run's file with that name, existing or not."""
    return data_subdir(f"runs/{run_id}") / name


def write_file(run_id: int, stage: str, name: str, write: Callable[[Path], None]) -> None:
    """Write the file with `write`; a crash leaves the old file or none, never a partial one."""
    place = file_path(run_id, name)
    # Keep the file extension: numpy adds its own otherwise.
    part = place.with_name(f"part-{place.name}")
    write(part)
    sync(part)
    failpoint(f"run.{stage}.inside")
    part.rename(place)
    sync(place.parent)


def has_file(run_id: int, name: str) -> bool:
    """Whether an earlier step, or an earlier attempt of this one, wrote the file."""
    return file_path(run_id, name).is_file()


def write_source_id(run_id: int, version_id: int) -> None:
    """Store the version whose embeddings the run uses, whatever is activated meanwhile."""
    facts = json.dumps({"version_id": version_id})
    write_file(run_id, "collect", SOURCE, lambda path: _write_text(path, facts))


def read_source_id(run_id: int) -> int:
    """Return the id of that version: raw, or deep for a head run on top of a deep version."""
    return int(json.loads(file_path(run_id, SOURCE).read_text())["version_id"])


@dataclass(frozen=True)
class IndexedFiles:
    """The result of reindex: artifacts by kind, number of records, and time."""

    files: Mapping[str, StoredFile]
    n_records: int
    read_at: datetime


def write_indexed(run_id: int, indexed: IndexedFiles) -> None:
    """Store the result of reindex, so that activate publishes it and a failure removes it."""
    facts = {
        "files": {kind: asdict(stored) for kind, stored in indexed.files.items()},
        "n_records": indexed.n_records,
        "read_at": indexed.read_at.isoformat(),
    }

    write_file(run_id, "reindex", FILES, lambda path: _write_text(path, json.dumps(facts)))


def read_indexed(run_id: int) -> IndexedFiles:
    """Load the result of reindex."""
    facts = json.loads(file_path(run_id, FILES).read_text())
    files = {kind: StoredFile(**stored) for kind, stored in facts["files"].items()}
    return IndexedFiles(files, facts["n_records"], datetime.fromisoformat(facts["read_at"]))


def is_indexed(run_id: int) -> bool:
    """Whether reindex is done and its files still exist: after days they are cleaned up."""
    return has_file(run_id, FILES) and all(
        (settings().data_dir / stored.file).is_file()
        for stored in read_indexed(run_id).files.values()
    )


def discard(run_id: int) -> None:
    """Remove all files of a run that ended without a version."""
    if has_file(run_id, FILES):
        for stored in read_indexed(run_id).files.values():
            (settings().data_dir / stored.file).unlink(missing_ok=True)
    delete_prepared(run_id)
    clear(run_id)


def clear(run_id: int) -> None:
    """Remove the folder and its files, if it exists."""
    shutil.rmtree(data_subdir("runs") / str(run_id), ignore_errors=True)


def _write_text(path: Path, content: str) -> None:
    path.write_text(content)

"""A run's own folder: what one step found out and the next one needs, whole or not there at all.

Not artifacts: nothing outside the run reads these files, and they go when the run ends.
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
    """Where the run keeps the file of that name, whether it is there or not."""
    return data_subdir(f"runs/{run_id}") / name


def write_file(run_id: int, stage: str, name: str, write: Callable[[Path], None]) -> None:
    """Have `write` fill the file; a crash leaves the old one or none, never half of a new one."""
    place = file_path(run_id, name)
    # The ending stays: numpy adds its own to a name that lacks it.
    part = place.with_name(f"part-{place.name}")
    write(part)
    sync(part)
    failpoint(f"run.{stage}.inside")
    part.rename(place)
    sync(place.parent)


def has_file(run_id: int, name: str) -> bool:
    """Whether an earlier step, or an earlier try of this one, wrote the file whole."""
    return file_path(run_id, name).is_file()


def write_source_id(run_id: int, version_id: int) -> None:
    """Note the version on whose embeddings the run stands, whatever is activated meanwhile."""
    facts = json.dumps({"version_id": version_id})
    write_file(run_id, "collect", SOURCE, lambda path: _write_text(path, facts))


def read_source_id(run_id: int) -> int:
    """The id of that version: raw, or for a head run on top of one, deep."""
    return int(json.loads(file_path(run_id, SOURCE).read_text())["version_id"])


@dataclass(frozen=True)
class IndexedFiles:
    """What reindex stored: artifacts by kind, of so many records, read at that time."""

    files: Mapping[str, StoredFile]
    n_records: int
    read_at: datetime


def write_indexed(run_id: int, indexed: IndexedFiles) -> None:
    """Note what reindex stored, so that activate publishes it and a failure removes it."""
    facts = {
        "files": {kind: asdict(stored) for kind, stored in indexed.files.items()},
        "n_records": indexed.n_records,
        "read_at": indexed.read_at.isoformat(),
    }

    write_file(run_id, "reindex", FILES, lambda path: _write_text(path, json.dumps(facts)))


def read_indexed(run_id: int) -> IndexedFiles:
    """What reindex stored."""
    facts = json.loads(file_path(run_id, FILES).read_text())
    files = {kind: StoredFile(**stored) for kind, stored in facts["files"].items()}
    return IndexedFiles(files, facts["n_records"], datetime.fromisoformat(facts["read_at"]))


def is_indexed(run_id: int) -> bool:
    """Whether reindex is done and all its files are there: after days they count as left over."""
    return has_file(run_id, FILES) and all(
        (settings().data_dir / stored.file).is_file()
        for stored in read_indexed(run_id).files.values()
    )


def discard(run_id: int) -> None:
    """Remove all that the run made: it ended without a version, and nothing names its files."""
    if has_file(run_id, FILES):
        for stored in read_indexed(run_id).files.values():
            (settings().data_dir / stored.file).unlink(missing_ok=True)
    delete_prepared(run_id)
    clear(run_id)


def clear(run_id: int) -> None:
    """Remove the folder and all that is in it; nothing happens where there is none."""
    shutil.rmtree(data_subdir("runs") / str(run_id), ignore_errors=True)


def _write_text(path: Path, content: str) -> None:
    path.write_text(content)

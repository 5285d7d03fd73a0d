"""The map of a version as a file: written whole by the worker, opened once by a web process.

Decision: a map is an artifact of its version, as the index is: kind `map`, or `sketch` while the
first one is still being drawn. A revision is never changed; the two newest files are kept, so that
who reads one while the next is written reads it to the end.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.session import write_session
from app.errors import NotFound
from app.ml.map import Points
from app.ml.vectors import Ids
from app.models import Artifact, Version
from app.search.versions import add_artifacts
from app.settings import settings
from app.storage import CorruptFile, store_file, verified_path

MAP, SKETCH = "map", "sketch"
MAX_KEPT = 2
MOST_OPEN = 8


@dataclass(frozen=True)
class Map:
    """Where the records of a version lie.

    ids      (n,) int64, ascending
    points   (n, 2) float32 in [-1, 1]
    n_drawn  how many records there were when it was laid out; those beyond were placed among them
    """

    ids: Ids
    points: Points
    n_drawn: int

    def find_points(self, record_ids: Ids) -> Points:
        """Find the points of these records, (len, 2) float32; NaN for those that the map lacks."""
        points_found = np.full((len(record_ids), 2), np.nan, np.float32)
        if len(self.ids) == 0:
            return points_found
        rows = np.minimum(np.searchsorted(self.ids, record_ids), len(self.ids) - 1)
        is_known = self.ids[rows] == record_ids
        points_found[is_known] = self.points[rows[is_known]]
        return points_found


def save_map(drawn: Map, path: Path) -> None:
    """Write one safetensors file."""
    tensors: dict[str, NDArray[Any]] = {
        "ids": drawn.ids,
        "points": np.ascontiguousarray(drawn.points),
    }
    path.write_bytes(save(tensors, metadata={"n_drawn": str(drawn.n_drawn)}))


def load_map(path: Path) -> Map:
    """Read what save_map() wrote. Raises ValueError for anything else.

    A flipped bit goes unnoticed here: compare the file's hash before.
    """
    try:
        with safe_open(path, framework="numpy") as opened:
            n_drawn = int((opened.metadata() or {})["n_drawn"])
            return Map(opened.get_tensor("ids"), opened.get_tensor("points"), n_drawn)
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path.name} holds no map.") from error


def list_maps(db: Session, version_id: int) -> list[Artifact]:
    """List the version's maps, the newest first, and its sketch last."""
    named = select(Artifact).where(
        Artifact.version_id == version_id, Artifact.kind.in_((MAP, SKETCH))
    )
    return list(db.scalars(named.order_by(Artifact.kind, Artifact.revision.desc())))


_open_maps: OrderedDict[tuple[Path, str], Map] = OrderedDict()


def open_map(artifact: Artifact) -> Map:
    """Open the map in that file, checked against its sha256 when it is opened. Raises Damaged."""
    key = (settings().data_dir, artifact.file)
    if key not in _open_maps:
        try:
            _open_maps[key] = load_map(verified_path(artifact.file, artifact.sha256))
        except ValueError as error:
            raise CorruptFile(artifact.file) from error
        while len(_open_maps) > MOST_OPEN:
            _open_maps.popitem(last=False)
    return _open_maps[key]


def find_map(db: Session, version_id: int, revision: int | None = None) -> tuple[Artifact, Map]:
    """Find the version's newest whole map, or that of the artifact id `revision`.

    Raises NotFound when there is none (yet, or any more), Damaged when none is whole.
    """
    artifacts = list_maps(db, version_id)
    wanted = [each for each in artifacts if revision in (None, each.id)]
    if not wanted:
        raise NotFound("map")
    for artifact in wanted:
        try:
            return artifact, open_map(artifact)
        except CorruptFile:
            if artifact is wanted[-1]:
                raise
    raise AssertionError("A loop over maps neither returned one nor raised.")


def publish_map(version_id: int, drawn: Map, kind: str, read_at: datetime) -> None:
    """Store the map as the version's next revision; all but the two newest go.

    read_at  before the vectors were read: embeddings that are newer count as not on it yet
    """
    stored = store_file(kind, partial(save_map, drawn))
    with write_session() as db:
        db.get_one(Version, version_id, with_for_update=True)
        add_artifacts(
            db,
            version_id,
            {kind: stored},
            revision=_next_revision(db, version_id, kind),
            n_records=len(drawn.ids),
            read_at=read_at,
        )
        old = _delete_old(db, list_maps(db, version_id))
    for file in old:
        (settings().data_dir / file).unlink(missing_ok=True)


def _next_revision(db: Session, version_id: int, kind: str) -> int:
    of_kind = (Artifact.version_id == version_id, Artifact.kind == kind)
    return (db.scalar(select(func.max(Artifact.revision)).where(*of_kind)) or 0) + 1


def _delete_old(db: Session, artifacts: Sequence[Artifact]) -> list[str]:
    """Take these but the first two out of the database; returns the others' files."""
    for artifact in artifacts[MAX_KEPT:]:
        db.delete(artifact)
    return [artifact.file for artifact in artifacts[MAX_KEPT:]]

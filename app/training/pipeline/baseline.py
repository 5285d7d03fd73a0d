"""The active version as the second baseline of a new version, besides raw.

It is evaluated only on labels that it was not trained on, near-copies and page mates included.
"""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.ml.evaluation.predict import Baseline
from app.ml.heads.head import Head
from app.ml.heads.storage import load_head
from app.ml.vectors import Ids, Vectors
from app.models import Annotation, Artifact, Project, TrainingRun, Version
from app.search.embedding import load_all_vectors
from app.search.index_revisions import find_base_version_id
from app.search.versions import find_active_version
from app.storage import CorruptFile, verified_path
from app.training.pipeline.snapshot import Snapshot


def find_baseline(
    db: Session, project: Project, snapshot: Snapshot, ids: Ids, own: tuple[int, Vectors]
) -> Baseline | None:
    """Load the project's active version if it is tuned and its files are intact.

    ids  (n,) int64, ascending: the records whose vectors the run reads
    own  the raw version that they are of, and those vectors (n, d)
    """
    version = find_active_version(db, project.id)
    head = None if version is None else load_version_head(db, version)
    run = None if version is None else find_run_of_version(db, version)
    if version is None or head is None or run is None:
        return None
    vectors = own[1]
    if find_base_version_id(version) != own[0]:
        others, vectors = load_all_vectors(db, find_base_version_id(version), among=ids)
        if len(others) < len(ids):
            return None  # Some records are not embedded yet, so pairs cannot be compared.
    is_fresh = _mark_fresh(db, run, snapshot, ids)
    return Baseline(f"v{version.number}", head, vectors, is_fresh)


def load_version_head(db: Session, version: Version) -> Head | None:
    """Load the head of the version; None for a raw one or a damaged file."""
    file = db.scalar(
        select(Artifact).where(Artifact.version_id == version.id, Artifact.kind == "head")
    )
    try:
        return None if file is None else load_head(verified_path(file.file, file.sha256))
    except CorruptFile:
        return None  # Search reports it; the run is compared with raw only.


def find_run_of_version(db: Session, version: Version) -> TrainingRun | None:
    """Return the run that made this version; None for a raw one."""
    return db.scalar(select(TrainingRun).where(TrainingRun.version_id == version.id))


def load_seen_record_ids(db: Session, run: TrainingRun) -> set[int]:
    """Return the records that had annotations when this run took its snapshot."""
    annotated = select(Annotation.record_id).where(
        Annotation.project_id == run.project_id, Annotation.action_id <= (run.last_action_id or 0)
    )
    return set(db.scalars(annotated.distinct()))


def _mark_fresh(db: Session, run: TrainingRun, snapshot: Snapshot, ids: Ids) -> NDArray[np.bool_]:
    """Mark embedded examples of the snapshot whose whole group is new to the run."""
    seen = np.isin(snapshot.record_ids, np.array(sorted(load_seen_record_ids(db, run)), np.int64))
    touched = np.isin(snapshot.groups, snapshot.groups[seen])
    return np.asarray(~touched[np.isin(snapshot.record_ids, ids)])

"""Who a new version is measured against, besides raw: the version in use, as it is.

It is asked only about labels that it has not learned from, nor from a near-copy or the same page.
"""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.artifacts import Damaged, located
from app.models import Annotation, Artifact, Encoder, Project, TrainingRun
from app.search.embedding import raw_vectors
from app.search.encoders import active_encoder
from app.search.revisions import raw_encoder_id
from app.search.vectors import Ids
from app.similarity.head import Head, load_head
from app.similarity.measuring.asking import Champion
from app.similarity.vectors import Vectors
from app.training.snapshot import Snapshot


def find_champion(
    db: Session, project: Project, snapshot: Snapshot, ids: Ids, own: tuple[int, Vectors]
) -> Champion | None:
    """The project's active version, if it is a tuned one whose files are whole.

    ids  (n,) int64, ascending: the records whose vectors the run reads
    own  the raw version that they are of, and those vectors (n, d)
    """
    encoder = active_encoder(db, project.id)
    head = None if encoder is None else head_of(db, encoder)
    run = None if encoder is None else run_of(db, encoder)
    if encoder is None or head is None or run is None:
        return None
    vectors = own[1]
    if raw_encoder_id(encoder) != own[0]:
        others, vectors = raw_vectors(db, raw_encoder_id(encoder), among=ids)
        if len(others) < len(ids):
            return None  # It has not seen every record yet, so it cannot be asked in pairs.
    is_fresh = _fresh(db, run, snapshot, ids)
    return Champion(f"v{encoder.number}", head, vectors, is_fresh)


def head_of(db: Session, encoder: Encoder) -> Head | None:
    """What the version learned; None for a raw one, or where its file is damaged."""
    file = db.scalar(
        select(Artifact).where(Artifact.encoder_id == encoder.id, Artifact.kind == "head")
    )
    try:
        return None if file is None else load_head(located(file.file, file.sha256))
    except Damaged:
        return None  # Search says so; the run is measured against raw alone.


def run_of(db: Session, encoder: Encoder) -> TrainingRun | None:
    """The run that made this version; None for a raw one."""
    return db.scalar(select(TrainingRun).where(TrainingRun.encoder_id == encoder.id))


def seen_by(db: Session, run: TrainingRun) -> set[int]:
    """The records about which anything had been said when this run froze its examples."""
    said = select(Annotation.record_id).where(
        Annotation.project_id == run.project_id, Annotation.act_id <= (run.last_act_id or 0)
    )
    return set(db.scalars(said.distinct()))


def _fresh(db: Session, run: TrainingRun, snapshot: Snapshot, ids: Ids) -> NDArray[np.bool_]:
    """Of the snapshot's examples that have a vector: is nobody of their group seen by the run?"""
    seen = np.isin(snapshot.record_ids, np.array(sorted(seen_by(db, run)), np.int64))
    touched = np.isin(snapshot.groups, snapshot.groups[seen])
    return np.asarray(~touched[np.isin(snapshot.record_ids, ids)])

"""Records that somebody said are not alike: the graph on which labels travel parts them."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labeling.sessions.kinds import SESSION_KINDS
from app.models import Annotation, LabelingSession, Project
from app.models.enums import Verdict


def load_cannot_link_pairs(db: Session, project: Project) -> NDArray[np.int64]:
    """Record ids, (p, 2) int64, sorted, each pair once: "not similar" to a seed of its session.

    Only where records were the seed, and as long as it is not withdrawn.
    """
    kinds = [each.kind for each in SESSION_KINDS.values() if each.has_record_seed]
    rejections = db.execute(
        select(LabelingSession.seed, Annotation.record_id)
        .join(LabelingSession, LabelingSession.id == Annotation.session_id)
        .where(
            Annotation.project_id == project.id,
            Annotation.verdict == Verdict.NOT_SIMILAR,
            Annotation.withdrawn_at.is_(None),
            LabelingSession.seed_kind.in_(kinds),
        )
    )
    pairs = {
        (min(seed_id, record_id), max(seed_id, record_id))
        for seed, record_id in rejections
        for seed_id in seed.get("record_ids", ())
        if seed_id != record_id
    }
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)

"""What starting an open session again with the version in use would change."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.errors import AppError
from app.labeling.sessions.kinds import describe_kind
from app.labeling.sessions.sessions import load_record_ids, load_start_options, preview_record_ids
from app.models import LabelingSession, Project
from app.records.filters import Filters
from app.records.record_ids import find_matching_ids
from app.search.versions import find_active_version


@dataclass(frozen=True)
class SessionChange:
    """Of the session's n_open unlabeled rows, n_other would be other records."""

    n_open: int
    n_other: int

    @property
    def sentence(self) -> str:
        """As the page says it."""
        if self.n_other == 0:
            return "Its open rows would stay the same."
        rows = "row" if self.n_open == 1 else "rows"
        return f"{self.n_other:,} of its {self.n_open:,} open {rows} would be others."


def preview_change(
    db: Session, project: Project, session: LabelingSession, user_id: int
) -> SessionChange | None:
    """None where the session is of the version in use, or where versions make no difference."""
    active = find_active_version(db, project.id)
    is_current = active is None or active.id == session.encoder_id
    if is_current or not describe_kind(session).is_version_dependent:
        return None
    seed, k, filters = load_start_options(db, session)
    try:
        _, new_ids = preview_record_ids(db, project, user_id, session.seed_kind, seed, k, filters)
    except AppError:
        return None  # Nothing can be chosen any more: the button itself says why.
    folded = [each for members in session.seed.get("folded", {}).values() for each in members]
    current_ids = np.concatenate([load_record_ids(db, session), np.array(folded, np.int64)])
    still_open = np.intersect1d(
        current_ids, find_matching_ids(db, project.id, Filters(state="unlabeled"))
    )
    return SessionChange(len(still_open), int((~np.isin(still_open, new_ids)).sum()))

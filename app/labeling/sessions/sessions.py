"""Labeling sessions: started from a seed, frozen in their order and version, found again by URL."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import AppError, Invalid, NotFound
from app.labeling.sessions.duplicates import fold_duplicates
from app.labeling.sessions.kinds import (
    MOST_RECORDS,
    UNLABELED,
    KindDefinition,
    clean_title,
    describe_kind,
    find_kind,
)
from app.labeling.sessions.next_best import find_next_best
from app.labeling.sessions.selection import Selection, select_records
from app.labeling.team.multi_annotation import exclude_already_judged
from app.ml.vectors import Ids
from app.models import LabelingSession, Project, SessionItem, User
from app.records.filters import Filters
from app.records.record_ids import find_matching_ids, load_id_columns
from app.search.similar import Seed
from app.search.versions import find_active_version
from app.settings import settings


def start_session(
    project: Project,
    user: User,
    seed_kind: str,
    *,
    seed: Seed | None = None,
    k: int | None = None,
    filters: Filters = UNLABELED,
    from_session_id: int | None = None,
    why: str | None = None,
    title: str = "",
) -> LabelingSession:
    """Choose the records, then store their order in one short transaction.

    k                records beside those that the seed names (None: what is usual for the kind)
    from_session_id  the session that the user comes from, for the way back
    why              why the product chose this session, if it did
    title            what to call it ("": after what it was started from)
    Raises Invalid, NotFound for foreign ids, Conflict when there is nothing to choose from yet.
    """
    kind = find_kind(seed_kind)
    size = resolve_size(kind, k)
    with read_session() as db:
        title = clean_title(title) or kind.build_title(db, project, seed)
        open_filters = exclude_already_judged(db, project, user.id, filters)
        selection = _select(db, project, kind, seed, size, open_filters)
        if selection.label_id is not None:
            seed = kind.build_seed(label_id=selection.label_id)
            title = kind.build_title(db, project, seed)
        selection, folded = _fold_selection(db, project, kind, selection)
    options = {"from_session_id": from_session_id, "why": why, "folded": folded or None}
    stored_seed = _seed_as_json(seed) | {"k": size, "filters": filters.as_json()}
    stored_seed |= {name: value for name, value in options.items() if value is not None}
    session = LabelingSession(
        project_id=project.id,
        version_id=selection.version_id,
        user_id=user.id,
        seed=stored_seed,
        seed_kind=kind.kind,
        title=title,
        n_records=len(selection.records),
    )
    with write_session() as db:
        _store(db, session, selection)
    return session


def _seed_as_json(seed: Seed | None) -> dict[str, Any]:
    """Return the seed as it is stored. Given records are in the session itself."""
    if seed is None:
        return {}
    return {} if seed.kind == "given" else asdict(seed)


def start_next(project: Project, user: User) -> LabelingSession:
    """Start the session that brings most per action now. Raises Conflict when nothing is left."""
    with read_session() as db:
        best = find_next_best(db, project, user.id)
    seed = build_seed(best.kind, label_id=best.label_id)
    return start_session(project, user, best.kind, seed=seed, k=best.k, why=best.why)


def resolve_size(kind: KindDefinition, k: int | None) -> int:
    """How many records a session of this kind holds. Raises Invalid for too many or none."""
    size = (kind.default_size or settings().session_size) if k is None else k
    if not 1 <= size <= MOST_RECORDS:
        raise Invalid(f"A session can have 1 to {MOST_RECORDS:,} records ({size:,} requested).")
    return size


def _fold_selection(
    db: Session, project: Project, kind: KindDefinition, selection: Selection
) -> tuple[Selection, dict[str, list[int]]]:
    """One record of each group of equal texts, and whom it stands for."""
    if not kind.is_folded:
        return selection, {}
    open_ids = find_matching_ids(db, project.id, UNLABELED)
    groups = fold_duplicates(
        db, project.id, [record_id for record_id, _ in selection.records], open_ids
    )
    kept = [record for record in selection.records if record[0] in groups]
    folded = {str(record_id): members for record_id, members in groups.items() if members}
    return replace(selection, records=kept), folded


def preview_record_ids(
    db: Session,
    project: Project,
    user_id: int,
    seed_kind: str,
    seed: Seed | None,
    k: int | None,
    filters: Filters,
) -> tuple[int | None, Ids]:
    """Preview the version and the records of such a session of this user, were it started now.

    Raises as start_session() does, and Invalid for an audit: looking would widen it.
    """
    kind = find_kind(seed_kind)
    if kind.is_drawn_at_start:
        raise Invalid(
            f"A {kind.name.lower()} cannot be forecast: its records are drawn when it starts."
        )
    open_filters = exclude_already_judged(db, project, user_id, filters)
    selection = select_records(db, project, kind, seed, resolve_size(kind, k), open_filters)
    return selection.version_id, np.array([each for each, _ in selection.records], np.int64)


def _select(
    db: Session,
    project: Project,
    kind: KindDefinition,
    seed: Seed | None,
    size: int,
    filters: Filters,
) -> Selection:
    if kind.is_drawn_at_start:
        with write_session() as writing:
            return select_records(writing, project, kind, seed, size, filters)
    return select_records(db, project, kind, seed, size, filters)


def start_again(project: Project, user: User, session: LabelingSession) -> LabelingSession:
    """Start a new session from the same seed with the version that is active now."""
    with read_session() as db:
        seed, k, filters = load_start_options(db, session)
    return start_session(
        project,
        user,
        session.seed_kind,
        seed=seed,
        k=k,
        filters=filters,
        from_session_id=session.id,
        title=session.title if describe_kind(session).is_given else "",
    )


def load_start_options(
    db: Session, session: LabelingSession
) -> tuple[Seed | None, int | None, Filters]:
    """Load what the session was started from, to be asked again: seed, k, filters."""
    stored = session.seed
    ids = stored.get("record_ids", [])
    kind = describe_kind(session)
    if kind.is_given:
        ids = load_record_ids(db, session).tolist()
    seed = kind.build_seed(ids, stored.get("label_id"), stored.get("text", ""))
    return seed, stored.get("k"), Filters.from_json(stored.get("filters", {}))


def build_seed(
    kind: str, record_ids: Iterable[int] = (), label_id: int | None = None, text: str = ""
) -> Seed | None:
    """Build what a session of this kind starts from; None for the kinds that need nothing."""
    return find_kind(kind).build_seed(record_ids, label_id, text)


def find_session(db: Session, project_id: int, session_id: int) -> LabelingSession:
    """Find the session. Raises NotFound when it is unknown or another project's."""
    session = db.get(LabelingSession, session_id)
    if session is None or session.project_id != project_id:
        raise NotFound("session")
    return session


def _store(db: Session, session: LabelingSession, selection: Selection) -> None:
    db.add(session)
    db.flush()
    places = enumerate(selection.records)
    db.execute(
        insert(SessionItem),
        [
            {"session_id": session.id, "rank": rank, "record_id": i, "similarity": similarity}
            for rank, (i, similarity) in places
        ],
    )


def load_record_ids(db: Session, session: LabelingSession) -> Ids:
    """Load the session's records in their order, (n,) int64."""
    places = select(SessionItem.record_id).where(SessionItem.session_id == session.id)
    [ids] = load_id_columns(db, places.order_by(SessionItem.rank))
    return ids


@dataclass(frozen=True)
class SessionChange:
    """Of the session's n_open unlabeled rows, n_other would be other records."""

    n_open: int
    n_other: int

    @property
    def sentence(self) -> str:
        """As the page says it."""
        if self.n_other == 0:
            return "The open rows would stay the same."
        rows = "row" if self.n_open == 1 else "rows"
        return f"{self.n_other:,} of the {self.n_open:,} open {rows} would be replaced."


def preview_change(
    db: Session, project: Project, session: LabelingSession, user_id: int
) -> SessionChange | None:
    """None where the session is of the version in use, or where versions make no difference."""
    active = find_active_version(db, project.id)
    is_current = active is None or active.id == session.version_id
    if is_current or not describe_kind(session).is_version_dependent:
        return None
    seed, k, filters = load_start_options(db, session)
    try:
        _, new_ids = preview_record_ids(db, project, user_id, session.seed_kind, seed, k, filters)
    except AppError:
        return None  # Nothing can be chosen any more: the button itself says why.
    folded = [member for members in session.seed.get("folded", {}).values() for member in members]
    current_ids = np.concatenate([load_record_ids(db, session), np.array(folded, np.int64)])
    still_open = np.intersect1d(
        current_ids, find_matching_ids(db, project.id, Filters(state="unlabeled"))
    )
    return SessionChange(len(still_open), int((~np.isin(still_open, new_ids)).sum()))

"""Labeling sessions: started from a seed, frozen in their order and version, found again by URL."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.database import reading, transaction
from app.errors import Invalid, NotFound
from app.labeling.audit import N_MORE
from app.labeling.certainty import Ids
from app.labeling.choosing import Chosen, audited, choose
from app.labeling.duplicates import fold
from app.labeling.next_best import next_best
from app.labeling.overlap import open_to
from app.labeling.suggested import USUAL_LENGTH
from app.labeling.titles import MOST_RECORDS, UNLABELED, label_name, own_title, title_of
from app.models import LabelingSession, Project, SessionItem, User
from app.records.filters import Filters
from app.records.matching import columns_of, matching_ids
from app.search.similar import Seed
from app.settings import settings

# Where every record costs a key. The first labels are each looked at, the likes of a record are
# shown as they are, and what chance drew stays as it was drawn.
FOLDED = ("suggested", "uncertain", "coverage", "recent")
_USUAL_SIZES = {"suggested": USUAL_LENGTH, "audit": N_MORE}


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
    size = session_size(seed_kind, k)
    with reading() as db:
        title = own_title(title) or title_of(db, project, seed_kind, seed)
        asked = open_to(db, project, user.id, filters)
        chosen = _chosen(db, project, seed_kind, seed, size, asked)
        if seed_kind == "suggested":
            title = f"Suggested: {label_name(db, project, chosen.label_id)}"
            seed = seed_of("suggested", label_id=chosen.label_id)
        chosen, folded = _folded(db, project, seed_kind, chosen)
    said = {"from_session_id": from_session_id, "why": why, "folded": folded or None}
    described = _described(seed) | {"k": size, "filters": filters.as_json()}
    described |= {name: value for name, value in said.items() if value is not None}
    session = LabelingSession(
        project_id=project.id, encoder_id=chosen.encoder_id, user_id=user.id, seed=described,
        seed_kind=seed_kind, title=title, n_records=len(chosen.records),
    )  # fmt: skip
    with transaction() as db:
        _store(db, session, chosen)
    return session


def _described(seed: Seed | None) -> dict[str, Any]:
    """The seed as it is kept. Given records stand in the session itself, perhaps thousands."""
    if seed is None:
        return {}
    return {} if seed.kind == "given" else asdict(seed)


def start_next(project: Project, user: User) -> LabelingSession:
    """The session that brings most per action now. Raises Conflict when nothing is left."""
    with reading() as db:
        best = next_best(db, project, user.id)
    seed = seed_of(best.kind, label_id=best.label_id)
    return start_session(project, user, best.kind, seed=seed, k=best.k, why=best.why)


def session_size(seed_kind: str, k: int | None) -> int:
    """How many records a session of this kind holds. Raises Invalid for too many or none."""
    size = _USUAL_SIZES.get(seed_kind, settings().session_size) if k is None else k
    if not 1 <= size <= MOST_RECORDS:
        raise Invalid(f"A session holds 1 to {MOST_RECORDS:,} records, not {size:,}.")
    return size


def _folded(
    db: Session, project: Project, seed_kind: str, chosen: Chosen
) -> tuple[Chosen, dict[str, list[int]]]:
    """One record of each group of equal texts, and whom it stands for."""
    if seed_kind not in FOLDED:
        return chosen, {}
    open_ids = matching_ids(db, project.id, UNLABELED)
    groups = fold(db, project.id, [record_id for record_id, _ in chosen.records], open_ids)
    kept = [each for each in chosen.records if each[0] in groups]
    folded = {str(record_id): members for record_id, members in groups.items() if members}
    return replace(chosen, records=kept), folded


def chosen_ids(
    db: Session, project: Project, user_id: int, seed_kind: str, seed: Seed | None,
    k: int | None, filters: Filters,
) -> tuple[int | None, Ids]:  # fmt: skip
    """The version and the records that such a session of this user would have, were it started now.

    Raises as start_session() does, and Invalid for an audit: looking would widen it.
    """
    if seed_kind == "audit":
        raise Invalid("An audit cannot be forecast: its records are drawn when it starts.")
    asked = open_to(db, project, user_id, filters)
    chosen = choose(db, project, seed_kind, seed, session_size(seed_kind, k), asked)
    return chosen.encoder_id, np.array([each for each, _ in chosen.records], np.int64)


def _chosen(
    db: Session, project: Project, seed_kind: str, seed: Seed | None, size: int, filters: Filters
) -> Chosen:
    if seed_kind == "audit":
        with transaction() as writing:
            return audited(writing, project, size)
    return choose(db, project, seed_kind, seed, size, filters)


def start_again(project: Project, user: User, session: LabelingSession) -> LabelingSession:
    """The same seed, asked of the version that is active now: a new session."""
    with reading() as db:
        seed, k, filters = asked_by(db, session)
    return start_session(
        project, user, session.seed_kind, seed=seed, k=k, filters=filters,
        from_session_id=session.id, title=session.title if session.seed_kind == "given" else "",
    )  # fmt: skip


def asked_by(db: Session, session: LabelingSession) -> tuple[Seed | None, int | None, Filters]:
    """What the session was started from, to be asked again: seed, k, filters."""
    stored = session.seed
    ids = stored.get("record_ids", [])
    if session.seed_kind == "given":
        ids = record_ids_in(db, session).tolist()
    seed = seed_of(session.seed_kind, ids, stored.get("label_id"), stored.get("text", ""))
    return seed, stored.get("k"), Filters.from_json(stored.get("filters", {}))


def seed_of(
    kind: str, record_ids: Iterable[int] = (), label_id: int | None = None, text: str = ""
) -> Seed | None:
    """What a session of this kind starts from; None for the kinds that need nothing."""
    if kind == "record":
        return Seed("record", record_ids=tuple(dict.fromkeys(record_ids)))
    if kind == "selection":
        return Seed("selection", record_ids=tuple(dict.fromkeys(record_ids)))
    if kind == "given":
        return Seed("given", record_ids=tuple(dict.fromkeys(record_ids)))
    if kind == "label" or (kind == "suggested" and label_id is not None):
        return Seed("label", label_id=label_id)
    if kind == "text":
        return Seed("text", text=text.strip())
    return None


def find_session(db: Session, project_id: int, session_id: int) -> LabelingSession:
    """The session. Raises NotFound when it is unknown or another project's."""
    session = db.get(LabelingSession, session_id)
    if session is None or session.project_id != project_id:
        raise NotFound("session")
    return session


def _store(db: Session, session: LabelingSession, chosen: Chosen) -> None:
    db.add(session)
    db.flush()
    places = enumerate(chosen.records)
    db.execute(
        insert(SessionItem),
        [
            {"session_id": session.id, "rank": rank, "record_id": i, "similarity": similarity}
            for rank, (i, similarity) in places
        ],
    )


def record_ids_in(db: Session, session: LabelingSession) -> Ids:
    """The session's records in their order, (n,) int64."""
    places = select(SessionItem.record_id).where(SessionItem.session_id == session.id)
    [ids] = columns_of(db, places.order_by(SessionItem.rank))
    return ids

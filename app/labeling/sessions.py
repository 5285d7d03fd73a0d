"""Labeling sessions: started from a seed, frozen in their order and version, found again by URL."""

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.database import reading, transaction
from app.errors import Invalid, NotFound
from app.labeling.choosing import Chosen, choose
from app.models import Label, LabelingSession, Project, Record, SessionItem, User
from app.records.filters import Filters
from app.records.records import find_record
from app.search.similar import Seed
from app.settings import settings

MOST_RECORDS = 1_000
LONGEST_TITLE = 80
UNLABELED = Filters(state="unlabeled")
_TITLES = {
    "cold_start": "Representative records",
    "uncertain": "Most uncertain records",
    "random": "Random records",
}


def start_session(
    project: Project,
    user: User,
    seed_kind: str,
    *,
    seed: Seed | None = None,
    k: int | None = None,
    filters: Filters = UNLABELED,
    from_session_id: int | None = None,
) -> LabelingSession:
    """Choose the records, then store their order in one short transaction.

    k                records beside those that the seed names (the setting SESSION_SIZE if None)
    from_session_id  the session that the user comes from, for the way back
    Raises Invalid, NotFound for foreign ids, Conflict when there is nothing to choose from yet.
    """
    size = settings().session_size if k is None else k
    if not 1 <= size <= MOST_RECORDS:
        raise Invalid(f"A session holds 1 to {MOST_RECORDS:,} records, not {size:,}.")
    with reading() as db:
        title = _TITLES.get(seed_kind, "Records") if seed is None else _title(db, project, seed)
        chosen = choose(db, project, seed_kind, seed, size, filters)
    described = (asdict(seed) if seed else {}) | {"k": size, "filters": filters.as_json()}
    if from_session_id is not None:
        described["from_session_id"] = from_session_id
    session = LabelingSession(
        project_id=project.id, encoder_id=chosen.encoder_id, user_id=user.id, seed=described,
        seed_kind=seed_kind, title=title, n_records=len(chosen.records),
    )  # fmt: skip
    with transaction() as db:
        _store(db, session, chosen)
    return session


def start_again(project: Project, user: User, session: LabelingSession) -> LabelingSession:
    """The same seed, asked of the version that is active now: a new session."""
    stored = session.seed
    seed = seed_of(
        session.seed_kind, stored.get("record_ids", ()), stored.get("label_id"),
        stored.get("text", ""),
    )  # fmt: skip
    return start_session(
        project, user, session.seed_kind, seed=seed, k=stored.get("k"),
        filters=Filters.from_json(stored.get("filters", {})), from_session_id=session.id,
    )  # fmt: skip


def seed_of(
    kind: str, record_ids: Iterable[int] = (), label_id: int | None = None, text: str = ""
) -> Seed | None:
    """What a session of this kind starts from; None for the kinds that need nothing."""
    if kind == "record":
        return Seed("record", record_ids=tuple(dict.fromkeys(record_ids)))
    if kind == "selection":
        return Seed("selection", record_ids=tuple(dict.fromkeys(record_ids)))
    if kind == "label":
        return Seed("label", label_id=label_id)
    if kind == "text":
        return Seed("text", text=text.strip())
    return None


def find_session(db: Session, project_id: int, session_id: int) -> LabelingSession:
    """The session. Raises NotFound when it is unknown or another project's."""
    session = None
    if 0 < session_id < 2**31:
        session = db.get(LabelingSession, session_id)
    if session is None or session.project_id != project_id:
        raise NotFound("session")
    return session


def recent_sessions(db: Session, project_id: int, limit: int = 20) -> list[LabelingSession]:
    """The project's newest sessions, newest first."""
    ours = select(LabelingSession).where(LabelingSession.project_id == project_id)
    return list(db.scalars(ours.order_by(LabelingSession.id.desc()).limit(limit)))


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


def _title(db: Session, project: Project, seed: Seed) -> str:
    if seed.kind in ("record", "selection"):
        return _records_title(db, project, seed)
    if seed.kind == "label":
        label = db.get(Label, seed.label_id) if seed.label_id else None
        if label is None or label.project_id != project.id:
            raise NotFound("label")
        return f"More like the label “{label.name}”"
    if not seed.text:
        raise Invalid("Say what the records should be similar to.")
    return f"Similar to the words “{_short(seed.text)}”"


def _records_title(db: Session, project: Project, seed: Seed) -> str:
    if not seed.record_ids:
        raise Invalid("Choose at least one record to start from.")
    if len(seed.record_ids) > MOST_RECORDS:
        raise Invalid(f"A session starts from at most {MOST_RECORDS:,} records.")
    records: list[Record] = [find_record(db, project.id, i) for i in seed.record_ids]
    if len(records) == 1:
        return f"Similar to “{_short(records[0].text)}”"
    return f"Similar to {len(records):,} records"


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST_TITLE else words[: LONGEST_TITLE - 1].rstrip() + "…"

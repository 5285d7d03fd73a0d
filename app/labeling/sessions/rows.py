"""A session's rows as one user sees them, and how far the session is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import BindParameter, ColumnElement, bindparam, exists, func, select
from sqlalchemy.orm import Session

from app.db.session import execute_core
from app.labeling.annotations.record_state import RecordState, load_record_states
from app.labeling.annotations.votes import is_decided
from app.labeling.sessions.duplicates import find_followers
from app.labeling.sessions.kinds import describe_kind
from app.models import Consensus, LabelingSession, Project, Record, SessionItem
from app.projects.label_resolver import load_label_resolver
from app.records.records import RecordExcerpt, load_excerpts
from app.search.indexes import NotIndexed, open_version
from app.search.suggestions import LIKELY, Suggestion, Suggestions
from app.storage import CorruptFile

PAGE = 100
MAX_RANK = 1_000_000
MOST_SUGGESTED = 5
# A text longer than this many characters is folded; a row's record holds one more, to tell.
LONGEST_WHOLE = 1_500


@dataclass(frozen=True)
class Item:
    """One row. suggestions: best first; at most one in a single-label project.

    n_folded  copies that the row stands for: they follow its label
    """

    rank: int
    similarity: float | None
    record: RecordExcerpt
    state: RecordState
    suggestions: tuple[Suggestion, ...] = ()
    n_folded: int = 0


@dataclass(frozen=True)
class SessionProgress:
    """How far a session is.

    n_decided  records that this user said something about, skips included
    n_labeled  records with consensus
    by_label   label id (None: none of these) → records of the session with that consensus
    """

    n_records: int
    n_decided: int
    n_labeled: int
    by_label: dict[int | None, int] = field(default_factory=dict)


def load_items(
    db: Session,
    project: Project,
    session: LabelingSession,
    user_id: int,
    start: int = 0,
    limit: int = PAGE,
) -> list[Item]:
    """Load the rows with ranks start to start + limit - 1, in order; a deleted record is
    missing."""
    conditions = (SessionItem.rank >= start, SessionItem.rank < start + limit)
    return _load_items(db, project, session, user_id, *conditions)


def load_items_at(
    db: Session, project: Project, session: LabelingSession, user_id: int, ranks: Sequence[int]
) -> list[Item]:
    """Load the rows with these ranks, in order."""
    return _load_items(db, project, session, user_id, SessionItem.rank.in_(ranks))


def _load_items(
    db: Session,
    project: Project,
    session: LabelingSession,
    user_id: int,
    *conditions: ColumnElement[bool],
) -> list[Item]:
    query = select(SessionItem).where(SessionItem.session_id == session.id, *conditions)
    places = db.scalars(query.order_by(SessionItem.rank)).all()
    ids = [place.record_id for place in places]
    records = load_excerpts(db, ids, LONGEST_WHOLE + 1)
    standing = load_record_states(db, ids, user_id, session.id)
    suggested = {}
    if describe_kind(session).has_suggestions:
        suggested = find_suggestions(db, project, session.version_id, ids)
    copies = find_followers(db, session, user_id, ids)
    return [
        Item(
            place.rank,
            place.similarity,
            records[place.record_id],
            standing[place.record_id],
            tuple(suggested.get(place.record_id, ())),
            len(copies.get(place.record_id, ())),
        )
        for place in places
        if place.record_id in records
    ]


def find_suggestions(
    db: Session, project: Project, version_id: int | None, record_ids: Sequence[int]
) -> dict[int, list[Suggestion]]:
    """Find what a version suggests for these records, in labels that can be given now.

    Without a version, or where its files are damaged, there is nothing to suggest: people can
    still label.
    """
    if version_id is None:
        return {}
    try:
        suggestions = open_version(db, version_id).suggestions
    except (NotIndexed, CorruptFile):
        return {}
    return resolve_suggestions(db, project, suggestions, record_ids)


def resolve_suggestions(
    db: Session, project: Project, suggestions: Suggestions, record_ids: Sequence[int]
) -> dict[int, list[Suggestion]]:
    """Return the suggestions for these records in labels that can be given now, best first."""
    resolver = load_label_resolver(db, project.id)
    if project.is_multi_label:
        return suggestions.resolve(record_ids, resolver, at_most=MOST_SUGGESTED, at_least=LIKELY)
    return suggestions.resolve(record_ids, resolver)


_SESSION: BindParameter[int] = bindparam("session_id")
_HAS_CONSENSUS = exists().where(Consensus.record_id == SessionItem.record_id)
_COUNTS = select(
    func.count().filter(_HAS_CONSENSUS),
    func.count().filter(is_decided(bindparam("user_id"))),
).where(SessionItem.session_id == _SESSION)
_BY_LABEL = (
    select(Consensus.label_id, func.count().label("n"))
    .join(SessionItem, SessionItem.record_id == Consensus.record_id)
    .where(SessionItem.session_id == _SESSION)
    .group_by(Consensus.label_id)
)


def compute_session_progress(
    db: Session, session: LabelingSession, user_id: int
) -> SessionProgress:
    """Count over the whole session."""
    params = {"session_id": session.id, "user_id": user_id}
    n_labeled, n_decided = execute_core(db, _COUNTS, **params).one()
    rows = execute_core(db, _BY_LABEL, session_id=session.id)
    return SessionProgress(
        session.n_records, n_decided or 0, n_labeled or 0, {row.label_id: row.n for row in rows}
    )


def find_first_undecided(db: Session, session: LabelingSession, user_id: int) -> int:
    """Find the rank where the user goes on: the first record without a vote of theirs, else 0."""
    rank = db.scalar(
        select(func.min(SessionItem.rank)).where(
            SessionItem.session_id == session.id, ~is_decided(user_id)
        )
    )
    return rank or 0


def find_rank(db: Session, session: LabelingSession, record_id: int) -> int | None:
    """Find the record's rank in the session, or None when it is not in it."""
    return db.scalar(
        select(SessionItem.rank).where(
            SessionItem.session_id == session.id, SessionItem.record_id == record_id
        )
    )


def find_record_at(db: Session, session: LabelingSession, rank: int) -> Record | None:
    """Find the record at this place of the session, or None when it was deleted or never there."""
    return db.scalar(
        select(Record)
        .join(SessionItem, SessionItem.record_id == Record.id)
        .where(SessionItem.session_id == session.id, SessionItem.rank == rank)
    )


@dataclass(frozen=True)
class Outline:
    """Rows that the user has not decided, by rank; the lists belong together.

    ranks       places in the frozen order, ascending
    similarity  cosine to the seed, None where there is none
    score       the chance of the first suggestion, None where nothing is suggested
    """

    ranks: list[int]
    similarity: list[float | None]
    score: list[float | None]


def build_outline(db: Session, project: Project, session: LabelingSession, user_id: int) -> Outline:
    """Build the undecided rows of the session as the user sees them."""
    open_rows = db.execute(
        select(SessionItem.rank, SessionItem.record_id, SessionItem.similarity)
        .where(SessionItem.session_id == session.id, ~is_decided(user_id))
        .order_by(SessionItem.rank)
    ).all()
    ids = [row.record_id for row in open_rows]
    suggested = {}
    if describe_kind(session).has_suggestions:
        suggested = find_suggestions(db, project, session.version_id, ids)
    return Outline(
        [row.rank for row in open_rows],
        [None if row.similarity is None else round(row.similarity, 4) for row in open_rows],
        [round(suggested[i][0].score, 4) if i in suggested else None for i in ids],
    )

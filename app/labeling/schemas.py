"""What the labeling room tells programs and the page's own script, as JSON."""

from collections.abc import Sequence
from typing import Self

from sqlalchemy.orm import Session

from app.labeling.annotations.record_state import RecordState, load_record_states
from app.labeling.annotations.undo import find_undo_and_redo_ids, list_record_ids
from app.labeling.sessions.rows import Item, SessionProgress, compute_session_progress
from app.models import Label, LabelingSession, Project, UserAction
from app.web.schemas import StrictModel

MAX_COUNTED_EACH_TIME = 1_000


class LabelResponse(StrictModel):
    """A label of the set."""

    id: int
    name: str
    colour: int
    position: int
    is_retired: bool
    merged_into_id: int | None

    @classmethod
    def of(cls, label: Label) -> Self:
        """Built from the row."""
        return cls(
            id=label.id,
            name=label.name,
            colour=label.colour,
            position=label.position,
            is_retired=label.retired_at is not None,
            merged_into_id=label.merged_into_id,
        )


class RecordStateResponse(StrictModel):
    """How a record stands for the user who asks; consensus [null] is "none of these"."""

    record_id: int
    verdict: str
    label_ids: list[int]
    consensus: list[int | None]
    is_flagged: bool
    n_comments: int

    @classmethod
    def of(cls, record_id: int, standing: RecordState) -> Self:
        """Built from what people said."""
        return cls(
            record_id=record_id,
            verdict=standing.own_verdict,
            label_ids=list(standing.own_label_ids),
            consensus=list(standing.consensus),
            is_flagged=standing.is_flagged,
            n_comments=len(standing.comments),
        )


class LabelCountResponse(StrictModel):
    """Records of a session with this consensus; label_id null: none of these."""

    label_id: int | None
    n: int


class SessionProgressResponse(StrictModel):
    """How far a session is: decided by the user who asks, labeled by consensus."""

    n_records: int
    n_decided: int
    n_labeled: int
    by_label: list[LabelCountResponse]

    @classmethod
    def of(cls, progress: SessionProgress) -> Self:
        """Built from the counts."""
        counts = [LabelCountResponse(label_id=i, n=n) for i, n in progress.by_label.items()]
        return cls(
            n_records=progress.n_records,
            n_decided=progress.n_decided,
            n_labeled=progress.n_labeled,
            by_label=counts,
        )


class ActionResponse(StrictModel):
    """What an action, an undo or a redo did. action_id is null when there was nothing to do.

    progress          null without a session, and for one of more than 1,000 records: to count
                      those each time costs more than the act; GET the session's progress instead
    undo_id, redo_id  the acts that the next undo and redo would take
    """

    action_id: int | None
    kind: str | None
    is_undone: bool
    records: list[RecordStateResponse]
    progress: SessionProgressResponse | None
    undo_id: int | None
    redo_id: int | None


class SessionItemResponse(StrictModel):
    """A row of a session. suggestions: label id and score, best first.

    n_folded  copies that the row stands for: they follow its label
    """

    rank: int
    similarity: float | None
    record_id: int
    external_id: str
    text: str
    verdict: str
    label_ids: list[int]
    consensus: list[int | None]
    suggestions: list[tuple[int, float]]
    n_folded: int

    @classmethod
    def of(cls, item: Item, text: str) -> Self:
        """Built from the row, which holds no more than the beginning of the text."""
        return cls(
            rank=item.rank,
            similarity=item.similarity,
            record_id=item.record.id,
            external_id=item.record.external_id,
            text=text,
            verdict=item.state.own_verdict,
            label_ids=list(item.state.own_label_ids),
            consensus=list(item.state.consensus),
            suggestions=[
                (suggestion.label_id, suggestion.score) for suggestion in item.suggestions
            ],
            n_folded=item.n_folded,
        )


class SessionResponse(StrictModel):
    """A labeling session; version_id is the version that it is pinned to.

    why  the reason, where the product chose it
    """

    id: int
    title: str
    seed_kind: str
    version_id: int | None
    n_records: int
    url: str
    why: str | None


def build_session_answer(project: Project, session: LabelingSession) -> SessionResponse:
    """Build the session, and where people open it."""
    return SessionResponse(
        id=session.id,
        title=session.title,
        seed_kind=session.seed_kind,
        version_id=session.version_id,
        n_records=session.n_records,
        url=f"/projects/{project.slug}/sessions/{session.id}",
        why=session.seed.get("why"),
    )


def build_progress_answer(
    db: Session, session: LabelingSession, user_id: int
) -> SessionProgressResponse:
    """Count over the whole session."""
    return SessionProgressResponse.of(compute_session_progress(db, session, user_id))


def build_action_response(
    db: Session,
    project: Project,
    user_id: int,
    action: UserAction | None,
    session: LabelingSession | None,
) -> ActionResponse:
    """Build what was done, and the state of its records and of the session."""
    ids: Sequence[int] = list_record_ids(db, action) if action else []
    now = load_record_states(db, ids, user_id, session.id if session else None)
    undo_id, redo_id = find_undo_and_redo_ids(db, project.id, user_id)
    is_short = session is not None and session.n_records <= MAX_COUNTED_EACH_TIME
    return ActionResponse(
        action_id=action.id if action else None,
        kind=action.kind if action else None,
        is_undone=bool(action and action.undone_at),
        records=[RecordStateResponse.of(i, standing) for i, standing in now.items()],
        progress=build_progress_answer(db, session, user_id) if session and is_short else None,
        undo_id=undo_id,
        redo_id=redo_id,
    )


class ForecastResponse(StrictModel):
    """The label that is expected to prevail in a session, on which share of it (95 %: low to high).

    label_id  null while nothing is known about any of its records
    n_likely  how many of them come before its chance falls below a half; 0 for none or all
    """

    n_records: int
    n_labeled: int
    n_unknown: int
    label_id: int | None
    label: str
    share: float
    low: float
    high: float
    n_likely: int
    sentence: str

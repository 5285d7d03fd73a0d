"""A whole session accepted at once, after some of it, drawn by chance, was labeled by hand.

Decision: what was drawn is compared with what was suggested at the moment it was labeled, which
the annotations remember. By now the suggestions may know these labels, and would agree with
themselves.
"""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.labeling.annotations.actions import find_replay
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.votes import is_decided
from app.labeling.sessions.acceptance import (
    MIN_SCORE,
    Acceptance,
    check_session,
    is_sure_enough,
    sum_up,
)
from app.labeling.sessions.duplicates import add_followers
from app.labeling.sessions.kinds import describe_kind
from app.labeling.sessions.rows import Item, find_suggestions, load_items
from app.ml.evaluation.intervals import wilson_interval
from app.models import Annotation, Consensus, LabelingSession, Project, SessionItem, UserAction
from app.models.enums import LABELING_VERDICTS, AnnotationSource, Verdict

N_SAMPLED = 40
"""If all of them agree, more than nine in ten of the session are right, with 95 % confidence."""
USUAL_TARGET = 0.9


class AgreementTooLow(Conflict):
    """Too many of the drawn records disagreed; carries the figures."""

    def __init__(self, n_right: int, n: int, target: float) -> None:
        low, _ = wilson_interval(n_right, n)
        super().__init__(
            f"Nothing was accepted: {n_right} of the {n} sampled rows match their suggestion. With "
            f"95 % confidence, at least {100 * low:.0f} % of the session do; "
            f"{100 * target:.0f} % are required."
        )


def draw_sample_ranks(session: LabelingSession) -> list[int]:
    """Draw the ranks that are labeled by hand before the rest can be accepted, ascending.

    The same for everybody who asks, now and later: they depend on the session's id alone.
    """
    order = np.random.default_rng(session.id).permutation(session.n_records)
    return sorted(int(rank) for rank in order[:N_SAMPLED])


def can_be_spot_checked(project: Project, session: LabelingSession) -> bool:
    """Whether an audit would leave most of the session to be accepted at once."""
    is_worth_it = session.n_records >= 2 * N_SAMPLED and not project.is_multi_label
    return is_worth_it and describe_kind(session).has_spot_check


def count_sampled_done(db: Session, session: LabelingSession, user_id: int) -> int:
    """How many of the drawn rows this user has labeled."""
    return len(_compare_sample(db, session, user_id, draw_sample_ranks(session)))


def accept_session(
    db: Session,
    project: Project,
    session: LabelingSession,
    user_id: int,
    *,
    key: str,
    target: float = USUAL_TARGET,
    min_score: float = MIN_SCORE,
    request_hash: str | None = None,
) -> UserAction:
    """Accept what is suggested with at least min_score for rows that nobody decided, as one act.

    Raises Conflict while drawn rows are not labeled and in a first session, NotSureEnough when the
    lower end of the 95 % interval of agreement (Wilson 1927) is below the target, KeyReused like
    annotate().
    """
    if (done := find_replay(db, project.id, user_id, key, request_hash)) is not None:
        return done
    if project.is_multi_label:
        raise Conflict("Only single-label projects can accept a whole session.")
    check_session(db, session)
    _check_agreement(db, session, user_id, target)
    rows = load_items(db, project, session, user_id, limit=session.n_records)
    annotations = [
        _build_accepted(item, session)
        for item in rows
        if _is_open(item) and is_sure_enough(item.suggestions[0].score, min_score)
    ]
    if not annotations:
        raise Conflict(sum_up([], min_score).sentence)
    annotations = add_followers(db, session, user_id, annotations)
    return annotate(
        db,
        project,
        user_id,
        annotations,
        key=key,
        source=AnnotationSource.PAGE,
        session_id=session.id,
        request_hash=request_hash,
    )


def sum_up_session(
    db: Session,
    project: Project,
    session: LabelingSession,
    user_id: int,
    min_score: float = MIN_SCORE,
) -> Acceptance:
    """Sum up what accepting the rest of the session comes to, once the drawn rows are labeled."""
    drawn = draw_sample_ranks(session) if can_be_spot_checked(project, session) else []
    open_rows = select(SessionItem.record_id).where(
        SessionItem.session_id == session.id,
        SessionItem.rank.not_in(drawn),
        ~is_decided(user_id),
        ~exists().where(Consensus.record_id == SessionItem.record_id),
    )
    ids = list(db.scalars(open_rows)) if describe_kind(session).has_suggestions else []
    suggested = find_suggestions(db, project, session.version_id, ids)
    return sum_up([found[0].score for found in suggested.values()], min_score)


def _check_agreement(db: Session, session: LabelingSession, user_id: int, target: float) -> None:
    ranks = draw_sample_ranks(session)
    agreed = _compare_sample(db, session, user_id, ranks)
    if len(agreed) < len(ranks):
        raise Conflict(
            f"Label the {len(ranks)} rows of the spot check first ({len(agreed)} labeled so far)."
        )
    n_right = sum(agreed)
    if wilson_interval(n_right, len(agreed))[0] < target:
        raise AgreementTooLow(n_right, len(agreed), target)


def _compare_sample(
    db: Session, session: LabelingSession, user_id: int, ranks: Sequence[int]
) -> list[bool]:
    """For each drawn row that this user decided in this session: was the suggestion right?"""
    rows = db.execute(
        select(Annotation.record_id, Annotation.label_id, Annotation.suggestion_id)
        .join(SessionItem, SessionItem.record_id == Annotation.record_id)
        .where(
            SessionItem.session_id == session.id,
            SessionItem.rank.in_(ranks),
            Annotation.session_id == session.id,
            Annotation.user_id == user_id,
            Annotation.withdrawn_at.is_(None),
            Annotation.verdict.in_(LABELING_VERDICTS),
        )
        .order_by(Annotation.action_id)
    )
    # The first label tells what the suggestion was worth; the newest, what is true.
    suggested: dict[int, int | None] = {}
    given: dict[int, int | None] = {}
    for record_id, label_id, suggestion_id in rows:
        suggested.setdefault(record_id, suggestion_id)
        given[record_id] = label_id
    return [given[each] is not None and given[each] == suggested[each] for each in given]


def _is_open(item: Item) -> bool:
    undecided = not item.state.own_verdict and not item.state.consensus
    return undecided and bool(item.suggestions)


def _build_accepted(item: Item, session: LabelingSession) -> AnnotationInput:
    best = item.suggestions[0]
    return AnnotationInput(
        item.record.id,
        Verdict.LABEL,
        (best.label_id,),
        rank=item.rank,
        similarity=item.similarity,
        suggestion_id=best.label_id,
        suggestion_score=best.score,
        version_id=session.version_id,
    )

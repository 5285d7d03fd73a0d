"""API of progress, under /api/v1."""

from fastapi import APIRouter
from sqlalchemy.orm import Session

from app.accounts.access import Admin, CurrentUser
from app.db.session import Db, ReadDb
from app.labeling.labels.label_set import EDITORS
from app.labeling.team.agreement import compute_agreement
from app.models import Project, User
from app.progress.aggregates import WorkTotals
from app.progress.goals import set_goal
from app.progress.report import Report, build_report
from app.progress.schemas import (
    AgreementResponse,
    DoneResponse,
    GoalBody,
    GoalResponse,
    LabelProgress,
    MomentResponse,
    PairResponse,
    PersonProgress,
    ProgressResponse,
    SessionProgress,
    WayProgress,
)
from app.projects.access import AdminProject, CurrentProject

router = APIRouter(prefix="/api/v1/projects/{slug}", tags=["progress"])


@router.get("/progress")
def read_progress(project: CurrentProject, user: CurrentUser, db: ReadDb) -> ProgressResponse:
    """Return progress by label, annotator, session, method and time."""
    return _build_answer(db, project, user)


@router.get("/agreement")
def read_agreement(project: CurrentProject, user: CurrentUser, db: ReadDb) -> AgreementResponse:
    """Return inter-annotator agreement, overall and by pair."""
    found = compute_agreement(db, project)
    pairs = [
        PairResponse(user=each.user, other=each.other, n=each.n, share=each.share, kappa=each.kappa)
        for each in (found.pairs if user.role in EDITORS else ())
    ]
    return AgreementResponse(
        n_records=found.n_records,
        share=found.share,
        alpha=found.alpha,
        low=found.low,
        high=found.high,
        pairs=pairs,
    )


@router.put("/goal")
def put_goal(project: AdminProject, admin: Admin, db: Db, body: GoalBody) -> ProgressResponse:
    """Set the project's goal."""
    set_goal(db, project, body.goal, body.until)
    db.flush()
    return _build_answer(db, db.get_one(Project, project.id), admin)


def _build_answer(db: Session, project: Project, user: User) -> ProgressResponse:
    found = build_report(db, project, user)
    goal = found.goal
    return ProgressResponse(
        n_records=found.n_records,
        n_labeled=found.n_labeled,
        n_last_7_days=found.n_last_week,
        goal=None if goal is None else GoalResponse(n=goal.n, words=goal.words, until=goal.until),
        done=_done(found.done),
        labels=_labels(found),
        people=_people(found),
        sessions=_sessions(found),
        ways=[
            WayProgress(seed_kind=row.seed_kind, hand=row.hand, done=_done(row.done))
            for row in found.ways
        ],
        over_time=_over_time(found),
    )


def _done(done: WorkTotals) -> DoneResponse:
    return DoneResponse(
        n_labels=done.n_labels,
        n_actions=done.n_actions,
        n_undone=done.n_undone,
        active_seconds=done.seconds,
        labels_per_minute=done.per_minute,
        actions_per_label=done.per_label,
    )


def _labels(found: Report) -> list[LabelProgress]:
    return [
        LabelProgress(
            label=row.label.name if row.label else None,
            n_labeled=row.n,
            share=row.share,
            n_suggested=row.n_suggested,
            n_last_7_days=row.n_last_week,
        )
        for row in found.labels
    ]


def _people(found: Report) -> list[PersonProgress]:
    return [
        PersonProgress(
            user=row.name,
            by_way=dict(row.by_way),
            done=_done(row.done),
            median_seconds=row.hand.seconds,
            n_shared=row.hand.n_shared,
            n_agreed=row.hand.n_agreed,
        )
        for row in found.people
    ]


def _sessions(found: Report) -> list[SessionProgress]:
    return [
        SessionProgress(
            id=row.session.id,
            title=row.session.title,
            seed_kind=row.session.seed_kind,
            started_by=row.starter if found.is_everybody else "",
            started_at=row.session.started_at,
            n_records=row.session.n_records,
            n_decided=row.n_decided,
            purity=row.purity,
            done=_done(row.done),
        )
        for row in found.sessions
    ]


def _over_time(found: Report) -> list[MomentResponse]:
    if found.timeline is None:
        return []
    points = zip(found.timeline.moments, found.timeline.n_labeled, strict=True)
    return [MomentResponse(until=moment, n_labeled=n) for moment, n in points]

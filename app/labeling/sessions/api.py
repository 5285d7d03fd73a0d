"""Sessions for programs: start one, have one chosen, and know beforehand what to expect."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from app.accounts.access import CurrentUser
from app.db.session import Db, ReadDb
from app.labeling.annotations.actions import hash_request
from app.labeling.schemas import (
    ActionResponse,
    ForecastResponse,
    SessionItemResponse,
    SessionProgressResponse,
    SessionResponse,
    build_action_response,
    build_progress_answer,
    build_session_answer,
)
from app.labeling.sessions.acceptance import MIN_SCORE, MinScore, find_obstacle
from app.labeling.sessions.bulk_accept import (
    USUAL_TARGET,
    accept_session,
    draw_sample_ranks,
    sum_up_session,
)
from app.labeling.sessions.forecast import Forecast, find_seed_label, forecast_by_version
from app.labeling.sessions.kinds import MOST_GIVEN
from app.labeling.sessions.reranking import compute_order
from app.labeling.sessions.rows import load_items
from app.labeling.sessions.session_forecast import forecast_session as forecast_session_of
from app.labeling.sessions.session_list import list_recent_sessions
from app.labeling.sessions.sessions import (
    build_seed,
    find_session,
    preview_record_ids,
    start_next,
    start_session,
)
from app.labeling.team.api import router as together_router
from app.projects.access import CurrentProject
from app.records.filters import Filters
from app.records.records import load_records
from app.records.schemas import Id
from app.web.schemas import IdempotencyKey, StrictModel

router = APIRouter()
router.include_router(together_router)


class StartBody(StrictModel):
    """What a session starts from. seed_kind given: exactly these records, in this order."""

    seed_kind: str
    record_ids: list[Id] = Field(default=[], max_length=MOST_GIVEN)
    label_id: Id | None = None
    text: str = Field(default="", max_length=20_000)
    k: int | None = None
    filters: dict[str, str] = Field(default={"state": "unlabeled"})
    title: str = Field(default="", max_length=200)


@router.get("/projects/{slug}/sessions")
def list_sessions(project: CurrentProject, db: ReadDb) -> list[SessionResponse]:
    """List the newest sessions."""
    return [
        build_session_answer(project, session) for session in list_recent_sessions(db, project.id)
    ]


@router.post("/projects/{slug}/sessions", status_code=201)
def add_session(project: CurrentProject, user: CurrentUser, body: StartBody) -> SessionResponse:
    """Start a session; its order is frozen from now on."""
    seed = build_seed(body.seed_kind, body.record_ids, body.label_id, body.text)
    filters = Filters.from_query(body.filters)
    session = start_session(
        project, user, body.seed_kind, seed=seed, k=body.k, filters=filters, title=body.title
    )
    return build_session_answer(project, session)


@router.post("/projects/{slug}/sessions/next", status_code=201)
def add_next_session(project: CurrentProject, user: CurrentUser) -> SessionResponse:
    """Start the session that brings most per action now; `why` says why it is this one."""
    return build_session_answer(project, start_next(project, user))


@router.post("/projects/{slug}/sessions/forecast")
def forecast_session(
    project: CurrentProject, user: CurrentUser, body: StartBody, db: ReadDb
) -> ForecastResponse:
    """Forecast what a session would hold, were it started now. Stores nothing."""
    seed = build_seed(body.seed_kind, body.record_ids, body.label_id, body.text)
    filters = Filters.from_query(body.filters)
    version_id, ids = preview_record_ids(
        db, project, user.id, body.seed_kind, seed, body.k, filters
    )
    return _build_forecast_answer(
        forecast_by_version(db, project, version_id, ids, find_seed_label(db, seed))
    )


@router.get("/projects/{slug}/sessions/{session_id}/forecast")
def read_forecast(
    project: CurrentProject, user: CurrentUser, session_id: int, db: ReadDb
) -> ForecastResponse:
    """Read what a session holds, by current suggestions and by what the user decided in it."""
    session = find_session(db, project.id, session_id)
    return _build_forecast_answer(forecast_session_of(db, project, session, user.id))


class OrderResponse(StrictModel):
    """The rows of a session that the user has not decided, the best first; see app.labeling's
    `Order`.

    order        ranks of the frozen order
    suggestions  rank → [label id, chance] pairs, best first; rows not named stay as they are
    cut          how many of `order` come before the proposed end; null: there is none
    """

    order: list[int]
    is_reranked: bool
    suggestions: dict[int, list[tuple[int, float]]]
    n_learned: int
    cut: int | None
    cut_label_id: int | None
    cut_sentence: str


@router.get("/projects/{slug}/sessions/{session_id}/order")
def read_order(
    project: CurrentProject, user: CurrentUser, session_id: int, db: ReadDb
) -> OrderResponse:
    """How to go on with an open session, by what is decided in it so far. Stores nothing."""
    order = compute_order(db, project, find_session(db, project.id, session_id), user.id)
    return OrderResponse(
        order=order.ranks.tolist(),
        is_reranked=order.is_reranked,
        suggestions=order.suggestions,
        n_learned=order.n_learned,
        cut=order.cut,
        cut_label_id=order.cut_label.id if order.cut_label else None,
        cut_sentence=order.cut_sentence,
    )


@router.get("/projects/{slug}/sessions/{session_id}/progress")
def read_progress(
    project: CurrentProject, user: CurrentUser, session_id: int, db: ReadDb
) -> SessionProgressResponse:
    """How far the session is."""
    return build_progress_answer(db, find_session(db, project.id, session_id), user.id)


@router.get("/projects/{slug}/sessions/{session_id}/items")
def list_items(
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: ReadDb,
    start: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[SessionItemResponse]:
    """Rows of a session, in its order."""
    session = find_session(db, project.id, session_id)
    found = load_items(db, project, session, user.id, start, limit)
    whole = load_records(db, [item.record.id for item in found])
    there = [item for item in found if item.record.id in whole]
    return [SessionItemResponse.of(item, whole[item.record.id].text) for item in there]


class SampleResponse(StrictModel):
    """The rows to label by hand, before the rest of the session can be accepted."""

    ranks: list[int]


class AcceptBody(StrictModel):
    """target: the least share of right suggestions that is asked for; min_score: suggestions below
    it stay open. Sent again with the same key, nothing more is stored; another request with the
    same key is refused (409)."""

    key: IdempotencyKey
    target: float = Field(default=USUAL_TARGET, ge=0.5, le=0.99)
    min_score: MinScore = MIN_SCORE


class AcceptanceResponse(StrictModel):
    """What accepting the rest of a session comes to, apart from the rows drawn for its audit.

    obstacle  why it cannot be accepted; empty if it can
    """

    min_score: float
    n_taken: int
    mean_score: float | None
    n_left: int
    sentence: str
    obstacle: str


@router.post("/projects/{slug}/sessions/{session_id}/sample")
def sample_session(project: CurrentProject, session_id: int, db: ReadDb) -> SampleResponse:
    """Which rows of the session its audit looks at."""
    return SampleResponse(ranks=draw_sample_ranks(find_session(db, project.id, session_id)))


@router.get("/projects/{slug}/sessions/{session_id}/accept")
def read_acceptance(
    project: CurrentProject,
    user: CurrentUser,
    session_id: int,
    db: ReadDb,
    min_score: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)] = MIN_SCORE,
) -> AcceptanceResponse:
    """Read what accepting the rest would come to: how many rows, and how sure. Stores nothing."""
    session = find_session(db, project.id, session_id)
    found = sum_up_session(db, project, session, user.id, min_score)
    return AcceptanceResponse(
        **asdict(found), sentence=found.sentence, obstacle=find_obstacle(db, session)
    )


@router.post("/projects/{slug}/sessions/{session_id}/accept")
def accept_rest(
    project: CurrentProject, user: CurrentUser, session_id: int, body: AcceptBody, db: Db
) -> ActionResponse:
    """Accept what is suggested with at least min_score in a session whose audit went well; one
    undo takes it back."""
    session = find_session(db, project.id, session_id)
    action = accept_session(
        db,
        project,
        session,
        user.id,
        key=body.key,
        target=body.target,
        min_score=body.min_score,
        request_hash=hash_request(
            "accept session", session=session.id, target=body.target, min_score=body.min_score
        ),
    )
    return build_action_response(db, project, user.id, action, session)


def _build_forecast_answer(expected: Forecast) -> ForecastResponse:
    return ForecastResponse(**asdict(expected), sentence=expected.sentence)

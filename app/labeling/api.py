"""The labeling room for programs, and for the labeling page's own script."""

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter
from pydantic import AliasChoices, Field

from app.accounts.access import CurrentUser
from app.db.session import Db, read_session, write_session
from app.labeling.annotations.actions import find_action, hash_request
from app.labeling.annotations.annotate import MAX_PER_REQUEST, AnnotationInput, annotate
from app.labeling.annotations.comments import store_comment
from app.labeling.annotations.undo import redo, undo
from app.labeling.labels.api import router as label_router
from app.labeling.schemas import ActionResponse, build_action_response
from app.labeling.sessions.acceptance import MinScore, check_session, check_suggestion_scores
from app.labeling.sessions.api import router as session_router
from app.labeling.sessions.duplicates import add_followers
from app.labeling.sessions.sessions import find_session
from app.models import LabelingSession
from app.models.enums import AnnotationSource, Verdict
from app.projects.access import CurrentProject
from app.records.schemas import Id
from app.web.schemas import IdempotencyKey, StrictModel

router = APIRouter(prefix="/api/v1", tags=["labeling"])
router.include_router(label_router)
router.include_router(session_router)


class AnnotationBody(StrictModel):
    """One judgement; see app.labeling.annotations.annotate.AnnotationInput."""

    record_id: Id
    verdict: Verdict
    label_ids: list[Id] = Field(default=[], max_length=200)
    rank: int | None = Field(default=None, ge=0, lt=2**31)
    similarity: float | None = Field(default=None, ge=-1.01, le=1.01)
    suggestion_id: Id | None = None
    suggestion_score: float | None = Field(default=None, ge=0, le=1)
    milliseconds: int | None = Field(default=None, ge=0, lt=2**31)


class AnnotateBody(StrictModel):
    """What a user says at once. Sent again with the same key, it is stored once and answered as
    before; another request with the same key is refused (409).

    min_score: the user accepts suggestions together. Each must have at least this score, and no
    first session is accepted that way.
    """

    key: IdempotencyKey
    session_id: Id | None = None
    source: Literal[AnnotationSource.SINGLE, AnnotationSource.PAGE] = AnnotationSource.SINGLE
    votes: list[AnnotationBody] = Field(
        min_length=1,
        max_length=MAX_PER_REQUEST,
        # `says`: its name in release 0.1.
        validation_alias=AliasChoices("votes", "says"),
    )
    min_score: MinScore | None = None


class TakeBackBody(StrictModel):
    """Which act to undo or redo: by id, by the key it was sent with, or (neither) the next one."""

    session_id: Id | None = None
    action_id: Id | None = Field(None, validation_alias=AliasChoices("action_id", "act_id"))
    action_key: IdempotencyKey | None = Field(
        None, validation_alias=AliasChoices("action_key", "act_key")
    )


class CommentBody(StrictModel):
    """A flag or a comment on a record."""

    key: IdempotencyKey
    record_id: Id
    kind: Literal["flag", "comment"]
    body: str = Field(default="", max_length=5_000)
    session_id: Id | None = None


def _find_session(
    db: Db, project: CurrentProject, session_id: int | None
) -> LabelingSession | None:
    return find_session(db, project.id, session_id) if session_id else None


@router.post("/projects/{slug}/annotations")
def add_annotations(
    project: CurrentProject, user: CurrentUser, body: AnnotateBody
) -> ActionResponse:
    """Say something about records, as one act."""
    # Not Db: who waits for the answer holds no lock, and the turn of the next one begins sooner.
    with write_session() as db:
        session = _find_session(db, project, body.session_id)
        version_id = session.version_id if session else None
        annotations = [_build_annotation(annotation, version_id) for annotation in body.votes]
        if body.min_score is not None:
            _check_acceptance(db, session, annotations, body.min_score)
        if session is not None:
            annotations = add_followers(db, session, user.id, annotations)
        action = annotate(
            db,
            project,
            user.id,
            annotations,
            key=body.key,
            source=body.source,
            session_id=body.session_id,
            request_hash=_hash("annotations", body),
        )
    with read_session() as db:
        return build_action_response(db, project, user.id, action, session)


def _hash(operation: str, body: AnnotateBody | CommentBody) -> str:
    return hash_request(operation, **body.model_dump(exclude={"key"}))


def _check_acceptance(
    db: Db,
    session: LabelingSession | None,
    annotations: Sequence[AnnotationInput],
    min_score: float,
) -> None:
    if session is not None:
        check_session(db, session)
    check_suggestion_scores(annotations, min_score)


def _build_annotation(body: AnnotationBody, version_id: int | None) -> AnnotationInput:
    fields = body.model_dump() | {"label_ids": tuple(body.label_ids), "version_id": version_id}
    return AnnotationInput(**fields)


@router.post("/projects/{slug}/annotations/undo")
def undo_action(
    project: CurrentProject, user: CurrentUser, body: TakeBackBody, db: Db
) -> ActionResponse:
    """Take back one's newest act, or the one named. Naming it makes the request safe to repeat."""
    session = _find_session(db, project, body.session_id)
    if (named := _find_action_id(db, project, user.id, body)) == 0:
        return build_action_response(db, project, user.id, None, session)
    action = undo(db, project, user.id, action_id=named)
    return build_action_response(db, project, user.id, action, session)


@router.post("/projects/{slug}/annotations/redo")
def redo_action(
    project: CurrentProject, user: CurrentUser, body: TakeBackBody, db: Db
) -> ActionResponse:
    """Restore the act that was undone last, or the one named."""
    session = _find_session(db, project, body.session_id)
    if (named := _find_action_id(db, project, user.id, body)) == 0:
        return build_action_response(db, project, user.id, None, session)
    action = redo(db, project, user.id, action_id=named)
    return build_action_response(db, project, user.id, action, session)


def _find_action_id(
    db: Db, project: CurrentProject, user_id: int, body: TakeBackBody
) -> int | None:
    """Find the named action's id, None for "the next one", 0 where the key never became an
    action."""
    if body.action_key is None:
        return body.action_id
    action = find_action(db, project.id, user_id, body.action_key)
    return action.id if action else 0


@router.post("/projects/{slug}/comments")
def add_comment(
    project: CurrentProject, user: CurrentUser, body: CommentBody, db: Db
) -> ActionResponse:
    """Flag a record (again: take the flag off), or comment on it."""
    session = _find_session(db, project, body.session_id)
    action = store_comment(
        db,
        project,
        user.id,
        body.record_id,
        body.kind,
        key=body.key,
        body=body.body,
        session_id=body.session_id,
        request_hash=_hash("comments", body),
    )
    return build_action_response(db, project, user.id, action, session)

"""Apply a bulk action in parts, so that other saves need not wait; undo treats it as one action.

Decision: each part is its own transaction under the same action. If the server is killed between
two parts, the action is partly applied; sending the same key again resumes it, and undo reverts
whatever was applied.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.db.session import write_session
from app.labeling.annotations.actions import begin_action, find_replay, require_action
from app.labeling.annotations.annotate import AnnotationInput
from app.labeling.annotations.consensus import update_consensus
from app.models import Annotation, Comment, Project, UserAction
from app.models.enums import AnnotationSource
from app.record_search.bulk_plan import BulkPlan
from app.search.vectors import chunks

# Keeps the write lock for only some hundredths of a second.
PART = 500


def apply_plan(
    project: Project, user_id: int, plan: BulkPlan, key: str, request_hash: str | None = None
) -> UserAction:
    """Apply the plan as one action of this user.

    With a key that was sent before, apply only the missing parts. Raises Invalid for a bad
    key, KeyReused for a key that was sent with another request.
    """
    kind = "comment" if plan.action.kind == "flag" else "page"
    user_action = _begin(project, user_id, kind, key, request_hash)
    about: Sequence[AnnotationInput | int] = plan.annotations or plan.ids.tolist()
    for part in chunks(about, PART):
        with write_session() as db:
            # Locked: the same request sent twice at once must not store a part twice.
            if db.get_one(UserAction, user_action.id, with_for_update=True).undone_at is not None:
                break
            _store(db, user_action, part)
    return user_action


def _begin(
    project: Project, user_id: int, kind: str, key: str, request_hash: str | None
) -> UserAction:
    with write_session() as db:
        user_action = find_replay(db, project.id, user_id, key, request_hash)
        user_action = user_action or begin_action(
            db, project.id, user_id, kind=kind, key=key, session_id=None, request_hash=request_hash
        )
        return user_action or require_action(db, project.id, user_id, key, request_hash)


def _store(db: Session, user_action: UserAction, part: Sequence[AnnotationInput | int]) -> None:
    flagged = [each for each in part if isinstance(each, int)]
    annotations = [each for each in part if isinstance(each, AnnotationInput)]
    if flagged:
        done = set(db.scalars(select(Comment.record_id).where(Comment.action_id == user_action.id)))
        rows = [_build_flag_row(user_action, each) for each in flagged if each not in done]
        if rows:
            db.execute(insert(Comment), rows)
        return
    ids = [annotation.record_id for annotation in annotations]
    already = select(Annotation.record_id).where(
        Annotation.action_id == user_action.id, Annotation.record_id.in_(ids)
    )
    done = set(db.scalars(already))
    rows = [
        row
        for annotation in annotations
        if annotation.record_id not in done
        for row in _build_annotation_rows(user_action, annotation)
    ]
    if rows:
        db.execute(insert(Annotation), rows)
        update_consensus(db, user_action.project_id, ids)


def _build_flag_row(user_action: UserAction, record_id: int) -> dict[str, Any]:
    return {
        "action_id": user_action.id,
        "project_id": user_action.project_id,
        "record_id": record_id,
        "user_id": user_action.user_id,
        "kind": "flag",
        "body": "",
        "commented_at": user_action.performed_at,
    }


def _build_annotation_rows(
    user_action: UserAction, annotation: AnnotationInput
) -> list[dict[str, Any]]:
    row = {
        "action_id": user_action.id,
        "project_id": user_action.project_id,
        "record_id": annotation.record_id,
        "user_id": user_action.user_id,
        "verdict": annotation.verdict,
        "source": AnnotationSource.PAGE,
        "suggestion_id": annotation.suggestion_id,
        "suggestion_score": annotation.suggestion_score,
        "version_id": annotation.version_id,
        "annotated_at": user_action.performed_at,
    }
    label_ids: Sequence[int | None] = annotation.label_ids or (None,)
    return [row | {"label_id": label_id} for label_id in label_ids]

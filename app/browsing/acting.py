"""One act on many records: stored in parts, so that nobody's label waits, and undone as one.

Decision: each part is a transaction of its own under the same act. A server that is killed between
two leaves a part of the act done; sending the same key again goes on where it stopped, and undo
takes back whatever was done.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.browsing.planning import Plan
from app.database import transaction
from app.labeling.acts import begin_act, find_replay, first_act
from app.labeling.annotations import Say
from app.labeling.consensus import settle
from app.models import Act, Annotation, Project, Remark
from app.search.vectors import chunks

# The write lock is held for some hundredths of a second.
PART = 500


def carry_out(
    project: Project, user_id: int, planned: Plan, key: str, request_hash: str | None = None
) -> Act:
    """Do what was planned, as one act of this user.

    With a key that was sent before, only what is missing of it is done. Raises Invalid for a bad
    key, KeyReused for one that was sent with another request.
    """
    kind = "remark" if planned.deed.kind == "flag" else "page"
    act = _begun(project, user_id, kind, key, request_hash)
    about: Sequence[Say | int] = planned.says or planned.ids.tolist()
    for part in chunks(about, PART):
        with transaction() as db:
            # Locked: the same request sent twice at once must not store a part twice.
            if db.get_one(Act, act.id, with_for_update=True).undone_at is not None:
                break
            _store(db, act, part)
    return act


def _begun(project: Project, user_id: int, kind: str, key: str, request_hash: str | None) -> Act:
    with transaction() as db:
        act = find_replay(db, project.id, user_id, key, request_hash)
        act = act or begin_act(
            db, project.id, user_id, kind=kind, key=key, session_id=None, request_hash=request_hash
        )
        return act or first_act(db, project.id, user_id, key, request_hash)


def _store(db: Session, act: Act, part: Sequence[Say | int]) -> None:
    flagged = [each for each in part if isinstance(each, int)]
    says = [each for each in part if isinstance(each, Say)]
    if flagged:
        done = set(db.scalars(select(Remark.record_id).where(Remark.act_id == act.id)))
        rows = [_flag(act, each) for each in flagged if each not in done]
        if rows:
            db.execute(insert(Remark), rows)
        return
    ids = [say.record_id for say in says]
    already = select(Annotation.record_id).where(
        Annotation.act_id == act.id, Annotation.record_id.in_(ids)
    )
    done = set(db.scalars(already))
    rows = [row for say in says if say.record_id not in done for row in _annotations(act, say)]
    if rows:
        db.execute(insert(Annotation), rows)
        settle(db, act.project_id, ids)


def _flag(act: Act, record_id: int) -> dict[str, Any]:
    return {
        "act_id": act.id, "project_id": act.project_id, "record_id": record_id,
        "user_id": act.user_id, "kind": "flag", "body": "", "remarked_at": act.acted_at,
    }  # fmt: skip


def _annotations(act: Act, say: Say) -> list[dict[str, Any]]:
    row = {
        "act_id": act.id, "project_id": act.project_id, "record_id": say.record_id,
        "user_id": act.user_id, "verdict": say.verdict, "source": "page",
        "suggestion_id": say.suggestion_id, "suggestion_score": say.suggestion_score,
        "encoder_id": say.encoder_id, "annotated_at": act.acted_at,
    }  # fmt: skip
    label_ids: Sequence[int | None] = say.label_ids or (None,)
    return [row | {"label_id": label_id} for label_id in label_ids]

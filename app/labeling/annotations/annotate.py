"""What people say about records: said in acts, each stored once, withdrawn and restored whole.

Decision: annotations are never changed but for their withdrawal, and never deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, insert, select
from sqlalchemy.orm import Session

from app.db.session import execute_core, id_chunks
from app.errors import Conflict, Invalid, NotFound
from app.labeling.annotations.actions import begin_action, find_replay, require_action
from app.labeling.annotations.consensus import update_consensus
from app.models import Annotation, Label, LabelingSession, Project, Record, UserAction, Version
from app.models.enums import AnnotationSource, Verdict

MAX_PER_REQUEST = 1_000
"""Records that a program or a page names in one act."""
MAX_PER_ACT = 20_000
"""With those that follow them, and when a whole session is accepted."""
_PROJECT: BindParameter[Any] = bindparam("project_id")
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_INSERT = insert(Annotation)
_COUNT_IN_PROJECT = select(func.count()).where(Record.project_id == _PROJECT, Record.id.in_(_IDS))
_LABELS = select(Label.id, Label.name, Label.retired_at).where(
    Label.project_id == _PROJECT, Label.id.in_(_IDS)
)


@dataclass(frozen=True)
class AnnotationInput:
    """One user's judgement of one record, with what the user saw when judging.

    label_ids         one in a single-label project, any number from 1 in a multi-label one;
                      empty for every verdict but label
    rank, similarity  the record's place in the session
    milliseconds      time that the record was before the user's eyes
    is_folded         nobody looked at this one: it follows a row with an equal text
    """

    record_id: int
    verdict: str
    label_ids: tuple[int, ...] = ()
    rank: int | None = None
    similarity: float | None = None
    suggestion_id: int | None = None
    suggestion_score: float | None = None
    version_id: int | None = None
    milliseconds: int | None = None
    is_folded: bool = False


def annotate(
    db: Session,
    project: Project,
    user_id: int,
    annotations: Sequence[AnnotationInput],
    *,
    key: str,
    request_hash: str | None = None,
    source: str = AnnotationSource.SINGLE,
    session_id: int | None = None,
) -> UserAction:
    """Store what a user says, as one act that undo takes back as one.

    When this user sent the same request with this key before, nothing is stored and the first act
    is returned; after another request the key is refused (KeyReused). Raises NotFound for records,
    labels and sessions that are not the project's, Conflict for a retired label, Invalid for a say
    that makes no sense.
    """
    if (done := find_replay(db, project.id, user_id, key, request_hash)) is not None:
        return done
    _check(db, project, annotations, session_id)
    action = begin_action(
        db,
        project.id,
        user_id,
        kind=source,
        key=key,
        session_id=session_id,
        request_hash=request_hash,
    )
    if action is None:
        return require_action(db, project.id, user_id, key, request_hash)
    rows = [row for annotation in annotations for row in _rows(action, annotation, source)]
    db.connection().execute(_INSERT, rows)
    update_consensus(db, project.id, [annotation.record_id for annotation in annotations])
    return action


def _rows(action: UserAction, annotation: AnnotationInput, source: str) -> list[dict[str, Any]]:
    row = {
        "action_id": action.id,
        "project_id": action.project_id,
        "record_id": annotation.record_id,
        "user_id": action.user_id,
        "verdict": annotation.verdict,
        "source": AnnotationSource.PAGE if annotation.is_folded else source,
        "session_id": action.session_id,
        "rank": annotation.rank,
        "similarity": annotation.similarity,
        "version_id": annotation.version_id,
        "suggestion_id": annotation.suggestion_id,
        "suggestion_score": annotation.suggestion_score,
        "milliseconds": annotation.milliseconds,
        "annotated_at": action.performed_at,
        "withdrawn_at": None,
    }
    label_ids: list[int | None] = [*sorted(set(annotation.label_ids))] or [None]
    return [row | {"label_id": label_id} for label_id in label_ids]


def _check(
    db: Session, project: Project, annotations: Sequence[AnnotationInput], session_id: int | None
) -> None:
    if not 0 < len(annotations) <= MAX_PER_ACT:
        raise Invalid(
            f"You can label 1 to {MAX_PER_ACT:,} records at once ({len(annotations):,} given)."
        )
    if len({annotation.record_id for annotation in annotations}) != len(annotations):
        raise Invalid("The same record is listed twice.")
    for annotation in annotations:
        _check_one(annotation, project.is_multi_label)
    check_records(db, project.id, [annotation.record_id for annotation in annotations])
    _check_labels(db, project.id, annotations)
    _check_provenance(db, project.id, annotations, session_id)


def _check_one(annotation: AnnotationInput, is_multi: bool) -> None:
    if annotation.verdict not in tuple(Verdict):
        raise Invalid(f"Unknown verdict. Use one of: {', '.join(Verdict)}.")
    if annotation.verdict != Verdict.LABEL:
        if annotation.label_ids:
            raise Invalid("Only the verdict “label” can have labels.")
    elif not annotation.label_ids:
        raise Invalid("The verdict “label” needs at least one label.")
    elif len(annotation.label_ids) > 1 and not is_multi:
        raise Invalid("Records of this project can have only one label.")


def check_records(db: Session, project_id: int, record_ids: Sequence[int]) -> None:
    """Raise NotFound unless every record is the project's."""
    for chunk in id_chunks(record_ids):
        if execute_core(db, _COUNT_IN_PROJECT, project_id=project_id, ids=chunk).scalar() != len(
            chunk
        ):
            raise NotFound("record")


def _check_labels(db: Session, project_id: int, annotations: Sequence[AnnotationInput]) -> None:
    given = {label_id for annotation in annotations for label_id in annotation.label_ids}
    suggested = {
        annotation.suggestion_id
        for annotation in annotations
        if annotation.suggestion_id is not None
    }
    named = given | suggested
    if not named:
        return
    found = execute_core(db, _LABELS, project_id=project_id, ids=sorted(named))
    labels = {label.id: label for label in found}
    if named - labels.keys():
        raise NotFound("label")
    for label_id in sorted(given):
        if labels[label_id].retired_at is not None:
            raise Conflict(f"The label “{labels[label_id].name}” is retired. Choose another.")


def _check_provenance(
    db: Session, project_id: int, annotations: Sequence[AnnotationInput], session_id: int | None
) -> None:
    if session_id is not None:
        found = db.get(LabelingSession, session_id)
        if found is None or found.project_id != project_id:
            raise NotFound("session")
    for version_id in {
        annotation.version_id for annotation in annotations if annotation.version_id is not None
    }:
        version = db.get(Version, version_id)
        if version is None or version.project_id != project_id:
            raise NotFound("version")

"""Labels of imported files: their author, and how they combine with earlier annotations.

Decision: labels of a new record become its consensus directly, since nobody else can have labeled
it; those of an existing record are combined with all earlier annotations. Manual annotations
outweigh every file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.session import write_session
from app.labeling.annotations.consensus import update_consensus
from app.models import Annotation, Base, User, utc_now
from app.models.enums import AnnotationSource, Verdict
from app.projects.label_names import name_key
from app.projects.label_resolver import load_locked_merge_targets
from app.projects.labels import add_label, list_all_labels

LABELS_AT_ONCE = 20
ANNOTATIONS = Base.metadata.tables["annotations"]
CONSENSUS = Base.metadata.tables["consensus"]
_ATTEMPTS = 3
LabelsByRecord = Mapping[int, frozenset[int]]


@dataclass(frozen=True)
class LabelAuthor:
    """The author of a file's labels. user_id None: command line; action_id: the action to undo."""

    user_id: int | None
    action_id: int


def ensure_labels(
    project_id: int, names: Iterable[str], by_id: int | None, known: dict[str, int]
) -> None:
    """Add the id of every named label to `known`, by name_key.

    Labels that the project lacks are created in the order in which the names first occur.
    Opens transactions of its own, each short, however many labels a file brings.
    """
    wanted: dict[str, str] = {}
    for name in names:
        wanted.setdefault(name_key(name), name)
    for attempt in range(_ATTEMPTS):
        try:
            while wanted.keys() - known.keys():
                _add_batch(project_id, wanted, by_id, known)
        except IntegrityError:
            # Somebody else added one of these labels at the same moment.
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _add_batch(
    project_id: int, wanted: Mapping[str, str], by_id: int | None, known: dict[str, int]
) -> None:
    with write_session() as db:
        present = {label.name_key: label.id for label in list_all_labels(db, project_id)}
        by = db.get(User, by_id) if by_id is not None else None
        missing = [name for key, name in wanted.items() if key not in present]
        for name in missing[:LABELS_AT_ONCE]:
            label = add_label(db, project_id, name, by)
            present[label.name_key] = label.id
    known |= present


def load_earlier_labels(
    db: Session, record_ids: list[int], author: LabelAuthor
) -> dict[int, frozenset[int]]:
    """Load the label ids of each record from the newest file of the same user."""
    rows = db.execute(
        select(Annotation.record_id, Annotation.action_id, Annotation.label_id).where(
            Annotation.record_id.in_(record_ids),
            Annotation.source == AnnotationSource.IMPORT,
            Annotation.user_id == author.user_id,
            Annotation.withdrawn_at.is_(None),
            Annotation.label_id.is_not(None),
        )
    )
    newest: dict[int, tuple[int, set[int]]] = {}
    for record_id, action_id, label_id in rows:
        known = newest.get(record_id)
        if known is None or known[0] < action_id:
            newest[record_id] = known = (action_id, set())
        if known[0] == action_id and label_id is not None:
            known[1].add(label_id)
    return {record_id: frozenset(labels) for record_id, (_, labels) in newest.items()}


def label_new_records(
    db: Session, project_id: int, labels_by_record: LabelsByRecord, author: LabelAuthor
) -> None:
    """Label records that were not there before: record id → label ids."""
    _insert_annotations(db, project_id, labels_by_record, author)
    _insert_consensus(db, project_id, labels_by_record, author)


def label_existing_records(
    db: Session, project_id: int, labels_by_record: LabelsByRecord, author: LabelAuthor
) -> None:
    """Label records that may already have annotations: record id → label ids."""
    _insert_annotations(
        db, project_id, _reconcile_earlier_rows(db, labels_by_record, author), author
    )
    update_consensus(db, project_id, labels_by_record)


def _insert_annotations(
    db: Session, project_id: int, labels_by_record: LabelsByRecord, author: LabelAuthor
) -> None:
    fixed = {
        "action_id": author.action_id,
        "user_id": author.user_id,
        "project_id": project_id,
        "verdict": Verdict.LABEL,
        "source": AnnotationSource.IMPORT,
        "annotated_at": utc_now(),
    }
    rows = [
        {"record_id": record_id, "label_id": label_id, **fixed}
        for record_id, labels in labels_by_record.items()
        for label_id in sorted(labels)
    ]
    if rows:
        db.execute(insert(ANNOTATIONS), rows)


def _insert_consensus(
    db: Session, project_id: int, labels_by_record: LabelsByRecord, author: LabelAuthor
) -> None:
    targets = load_locked_merge_targets(db, project_id)
    rows = [
        {
            "project_id": project_id,
            "record_id": record_id,
            "label_id": label,
            "action_id": author.action_id,
        }
        for record_id, labels in labels_by_record.items()
        for label in sorted({targets.get(label_id, label_id) for label_id in labels})
    ]
    db.execute(insert(CONSENSUS), rows)


def _reconcile_earlier_rows(
    db: Session, labels_by_record: LabelsByRecord, author: LabelAuthor
) -> dict[int, frozenset[int]]:
    """Return the labels still to store, after updating those of the same file's earlier rows.

    Within one action a label is stored once per record: a later row withdraws or restores it.
    """
    remaining = {record_id: set(labels) for record_id, labels in labels_by_record.items()}
    earlier = db.scalars(
        select(Annotation).where(
            Annotation.action_id == author.action_id, Annotation.record_id.in_(remaining)
        )
    )
    for annotation in earlier:
        wanted = remaining[annotation.record_id]
        is_wanted = annotation.label_id in wanted
        annotation.withdrawn_at = None if is_wanted else annotation.withdrawn_at or utc_now()
        wanted.discard(annotation.label_id or 0)
    db.flush()
    return {record_id: frozenset(labels) for record_id, labels in remaining.items()}

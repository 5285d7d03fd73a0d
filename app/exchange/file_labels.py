"""What a file says about labels: in whose name, and how it joins what was said before.

Decision: labels of a new record go straight into its consensus, for nobody else can have spoken
about it; those of a record that was there are settled with everything said before. What people
said by hand outweighs every file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import transaction
from app.labeling.consensus import held_targets, settle
from app.models import Annotation, Base, User, utc_now
from app.projects.labels import add_label, every_label, name_key

LABELS_AT_ONCE = 20
ANNOTATIONS = Base.metadata.tables["annotations"]
CONSENSUS = Base.metadata.tables["consensus"]
_ATTEMPTS = 3
Says = Mapping[int, frozenset[int]]


@dataclass(frozen=True)
class Voice:
    """In whose name a file speaks. user_id None: the operator; act_id: what undo takes back."""

    user_id: int | None
    act_id: int


def ensure_labels(
    project_id: int, names: Iterable[str], by_id: int | None, known: dict[str, int]
) -> None:
    """Bring the id of every named label into `known`, by name_key.

    Labels that the project lacks are added in the order in which the names first occur.
    Opens transactions of its own, each short, however many labels a file brings.
    """
    wanted: dict[str, str] = {}
    for name in names:
        wanted.setdefault(name_key(name), name)
    for attempt in range(_ATTEMPTS):
        try:
            while wanted.keys() - known.keys():
                _add_some(project_id, wanted, by_id, known)
        except IntegrityError:
            # Somebody else added one of these labels at the same moment.
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _add_some(
    project_id: int, wanted: Mapping[str, str], by_id: int | None, known: dict[str, int]
) -> None:
    with transaction() as db:
        present = {label.name_key: label.id for label in every_label(db, project_id)}
        by = db.get(User, by_id) if by_id is not None else None
        missing = [name for key, name in wanted.items() if key not in present]
        for name in missing[:LABELS_AT_ONCE]:
            label = add_label(db, project_id, name, by)
            present[label.name_key] = label.id
    known |= present


def said_before(db: Session, record_ids: list[int], voice: Voice) -> dict[int, frozenset[int]]:
    """What the newest file of the same user said about each record: label ids."""
    rows = db.execute(
        select(Annotation.record_id, Annotation.act_id, Annotation.label_id).where(
            Annotation.record_id.in_(record_ids),
            Annotation.source == "import",
            Annotation.user_id == voice.user_id,
            Annotation.withdrawn_at.is_(None),
            Annotation.label_id.is_not(None),
        )
    )
    newest: dict[int, tuple[int, set[int]]] = {}
    for record_id, act_id, label_id in rows:
        known = newest.get(record_id)
        if known is None or known[0] < act_id:
            newest[record_id] = known = (act_id, set())
        if known[0] == act_id and label_id is not None:
            known[1].add(label_id)
    return {record_id: frozenset(labels) for record_id, (_, labels) in newest.items()}


def say_of_new(db: Session, project_id: int, says: Says, voice: Voice) -> None:
    """Label records that were not there before: record id → label ids."""
    _annotate(db, project_id, says, voice)
    _agree(db, project_id, says, voice)


def say_of_old(db: Session, project_id: int, says: Says, voice: Voice) -> None:
    """Label records that people may have spoken about: record id → label ids."""
    _annotate(db, project_id, _not_yet_said(db, says, voice), voice)
    settle(db, project_id, says)


def _annotate(db: Session, project_id: int, says: Says, voice: Voice) -> None:
    fixed = {
        "act_id": voice.act_id, "user_id": voice.user_id, "project_id": project_id,
        "verdict": "label", "source": "import", "annotated_at": utc_now(),
    }  # fmt: skip
    rows = [
        {"record_id": record_id, "label_id": label_id, **fixed}
        for record_id, labels in says.items()
        for label_id in sorted(labels)
    ]
    if rows:
        db.execute(insert(ANNOTATIONS), rows)


def _agree(db: Session, project_id: int, says: Says, voice: Voice) -> None:
    targets = held_targets(db, project_id)
    rows = [
        {
            "project_id": project_id,
            "record_id": record_id,
            "label_id": label,
            "act_id": voice.act_id,
        }
        for record_id, labels in says.items()
        for label in sorted({targets.get(label_id, label_id) for label_id in labels})
    ]
    db.execute(insert(CONSENSUS), rows)


def _not_yet_said(db: Session, says: Says, voice: Voice) -> dict[int, frozenset[int]]:
    """The labels still to be said, after this same file's earlier rows were brought in line.

    Within one act a label is said of a record once: the later row withdraws or restores it.
    """
    remaining = {record_id: set(labels) for record_id, labels in says.items()}
    earlier = db.scalars(
        select(Annotation).where(
            Annotation.act_id == voice.act_id, Annotation.record_id.in_(remaining)
        )
    )
    for annotation in earlier:
        wanted = remaining[annotation.record_id]
        is_wanted = annotation.label_id in wanted
        annotation.withdrawn_at = None if is_wanted else annotation.withdrawn_at or utc_now()
        wanted.discard(annotation.label_id or 0)
    db.flush()
    return {record_id: frozenset(labels) for record_id, labels in remaining.items()}

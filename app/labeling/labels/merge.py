"""A merged label's records: which of them simply follow it, and which must be settled again.

Decision: records of which nothing but the merged label was said change in one UPDATE. Settling ten
thousand of them one by one would keep everybody else from writing for a third of a second.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.util import AliasedClass

from app.labeling.annotations.consensus import update_consensus
from app.models import Annotation, Consensus, Label
from app.models.enums import Verdict


def transfer_consensus(db: Session, label: Label, old_id: int, new_id: int) -> None:
    """Count what was labeled with this label, or one merged into it, for another one from now.

    Call it in the transaction that merged the label or gave it back, after hold_targets.
    """
    family = _find_family(db, label)
    contested = _find_contested_records(db, family)
    of_family_alone = ~exists().where(
        Annotation.record_id == Consensus.record_id, *_other_vote_conditions(family)
    )
    db.execute(
        update(Consensus)
        .where(Consensus.project_id == label.project_id, Consensus.label_id == old_id)
        .where(of_family_alone)
        .values(label_id=new_id)
        .execution_options(synchronize_session=False)
    )
    update_consensus(db, label.project_id, contested)


def _find_family(db: Session, label: Label) -> set[int]:
    family, frontier = {label.id}, {label.id}
    while frontier:
        merged = select(Label.id).where(Label.merged_into_id.in_(frontier))
        frontier = set(db.scalars(merged)) - family
        family |= frontier
    return family


def _find_contested_records(db: Session, family: set[int]) -> Sequence[int]:
    """Find records with votes for these labels and for others as well."""
    other = aliased(Annotation)
    given = select(Annotation.record_id).where(
        Annotation.label_id.in_(family),
        Annotation.withdrawn_at.is_(None),
        exists().where(
            other.record_id == Annotation.record_id, *_other_vote_conditions(family, other)
        ),
    )
    return db.scalars(given.distinct()).all()


def _other_vote_conditions(
    family: set[int], annotation: type[Annotation] | AliasedClass[Annotation] = Annotation
) -> list[ColumnElement[bool]]:
    """Return conditions: somebody votes for something other than a label of this family."""
    return [
        annotation.withdrawn_at.is_(None),
        annotation.verdict != Verdict.NOT_SIMILAR,
        annotation.label_id.is_(None) | annotation.label_id.not_in(family),
    ]

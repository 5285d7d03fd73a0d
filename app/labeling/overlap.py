"""Independent opinions: records that several people judge, each without the others' labels.

Decision: they are drawn by content_hash as the audit is (app.labeling.audit), from the other end of
its order: by chance, the same for ever, and apart from the audit until both are large. What counts
as agreed there is in app.labeling.consensus.
Decision: the session of several assignees is judged independently too, but one label is enough to
count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from app.accounts.audit import note
from app.database import answered
from app.errors import Invalid
from app.labeling.certainty import Ids
from app.labeling.consensus import hold_targets, settle
from app.labeling.says import CurrentSay, current_says, judgements
from app.models import Annotation, Assignment, Consensus, Project, Record, User
from app.records.filters import Filters
from app.records.matching import matching_ids

MOST_PEOPLE = 10
HASHES = 16**64
_ASKED_OF_SEVERAL = (
    select(Record.id, Project.overlap_n)
    .join(Project, Project.id == Record.project_id)
    .where(
        Record.id.in_(bindparam("ids", expanding=True)),
        Project.overlap_from != "",
        Record.content_hash >= Project.overlap_from,
    )
)
_N_ASSIGNED = select(func.count()).where(Assignment.session_id == bindparam("session_id"))


def overlap_share(project: Project) -> float:
    """The share of records, in [0, 1], that several people judge."""
    if not project.overlap_from:
        return 0.0
    return 1 - int(project.overlap_from, 16) / HASHES


def set_overlap(db: Session, project: Project, share: float, n_people: int, by: User) -> None:
    """From now on this share of the records counts as labeled once n_people judged each.

    Settles what was said about them anew. Raises Invalid for shares and numbers out of range.
    """
    if not 0 <= share <= 1:
        raise Invalid("The share is given in percent, from 0 to 100.")
    if not 2 <= n_people <= MOST_PEOPLE:
        raise Invalid(f"A record is judged by 2 to {MOST_PEOPLE} people.")
    hold_targets(db, project.id)
    ours = db.get_one(Project, project.id)
    before = ours.overlap_from or "g"  # Sorts after every hash.
    first = int((1 - share) * HASHES)
    ours.overlap_from = f"{first:064x}" if share > 0 else ""
    ours.overlap_n = n_people
    db.flush()
    settle(db, project.id, _judged_since(db, project.id, min(before, ours.overlap_from or "g")))
    facts = {"share": share, "n_people": n_people}
    note(db, "overlap set", user_id=by.id, project_id=project.id, **facts)


def _judged_since(db: Session, project_id: int, first_hash: str) -> Sequence[int]:
    judged = (
        select(Annotation.record_id)
        .join(Record, Record.id == Annotation.record_id)
        .where(Annotation.project_id == project_id, Record.content_hash >= first_hash)
        .distinct()
    )
    return db.scalars(judged).all()


def open_to(db: Session, project: Project, user_id: int, filters: Filters) -> Filters:
    """The same filters, without the unlabeled records that wait for others' opinions alone."""
    if not project.overlap_from or filters.state != "unlabeled":
        return filters
    ids = matching_ids(db, project.id, filters)
    return replace(filters, ids=ids[~np.isin(ids, _judged_by(db, project, user_id))])


def _judged_by(db: Session, project: Project, user_id: int) -> Ids:
    """Records of the overlap that this user labeled and that are not agreed on."""
    labeled = select(Consensus.id).where(Consensus.record_id == Record.id).exists()
    found = db.scalars(
        select(Annotation.record_id)
        .join(Record, Record.id == Annotation.record_id)
        .where(
            *judgements(project.id),
            Annotation.user_id == user_id,
            Record.content_hash >= project.overlap_from,
            ~labeled,
        )
    )
    return np.array(found.all(), np.int64)


def hidden_from(
    db: Session, user_id: int, says: Mapping[int, Sequence[CurrentSay]], session_id: int | None
) -> set[int]:
    """Of these records, those whose labels by others this user does not see before giving one."""
    watched = {i: of for i, of in says.items() if _is_others_alone(of, user_id)}
    if not watched:
        return set()
    if session_id is not None and is_independent(db, session_id):
        return set(watched)
    asked = dict(answered(db, _ASKED_OF_SEVERAL, ids=list(watched)).all())
    return {i for i, of in watched.items() if len(_people(of)) < asked.get(i, 0)}


def hidden_records(db: Session, user_id: int, record_ids: Sequence[int]) -> set[int]:
    """The same for pages outside a session."""
    return hidden_from(db, user_id, current_says(db, record_ids), None)


def _is_others_alone(says: Sequence[CurrentSay], user_id: int) -> bool:
    people = _people(says)
    return bool(people) and user_id not in people


def _people(says: Sequence[CurrentSay]) -> set[int | None]:
    return {say.user_id for say in says if say.is_person and say.verdict != "skip"}


def is_independent(db: Session, session_id: int) -> bool:
    """Whether a session is assigned to several people, who judge without each other."""
    return (answered(db, _N_ASSIGNED, session_id=session_id).scalar() or 0) > 1

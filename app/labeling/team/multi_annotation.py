"""Independent opinions: records that several people judge, each without the others' labels.

Decision: they are drawn by content_hash as the hold-out sample is (app.labeling.team.holdout), from
the other end of its order: by chance, the same for ever, and apart from it until both are large.
What counts as agreed there is in app.labeling.annotations.consensus.
Decision: the session of several assignees is judged independently too, but one label is enough to
count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from app.accounts.audit_log import log_event
from app.db.session import execute_core
from app.errors import Invalid
from app.labeling.annotations.consensus import update_consensus
from app.labeling.annotations.votes import CurrentVote, human_vote_conditions, load_current_votes
from app.ml.vectors import Ids
from app.models import Annotation, Assignment, Consensus, Project, Record, User
from app.models.enums import Verdict
from app.projects.label_resolver import lock_merge_targets
from app.records.filters import Filters
from app.records.record_ids import find_matching_ids

MOST_PEOPLE = 10
HASHES = 16**64
_IN_OVERLAP = (
    select(Record.id, Project.n_annotators_per_record)
    .join(Project, Project.id == Record.project_id)
    .where(
        Record.id.in_(bindparam("ids", expanding=True)),
        Project.multi_annotation_from != "",
        Record.content_hash >= Project.multi_annotation_from,
    )
)
_N_ASSIGNED = select(func.count()).where(Assignment.session_id == bindparam("session_id"))


def multi_annotation_share(project: Project) -> float:
    """Return the share of records, in [0, 1], that several people judge."""
    if not project.multi_annotation_from:
        return 0.0
    return 1 - int(project.multi_annotation_from, 16) / HASHES


def set_multi_annotation(
    db: Session, project: Project, share: float, n_people: int, by: User
) -> None:
    """From now on this share of the records counts as labeled once n_people judged each.

    Settles what was said about them anew. Raises Invalid for shares and numbers out of range.
    """
    if not 0 <= share <= 1:
        raise Invalid("The share of records must be 0 to 100 %.")
    if not 2 <= n_people <= MOST_PEOPLE:
        raise Invalid(f"The number of annotators per record must be 2 to {MOST_PEOPLE}.")
    lock_merge_targets(db, project.id)
    locked = db.get_one(Project, project.id)
    before = locked.multi_annotation_from or "g"  # Sorts after every hash.
    first = int((1 - share) * HASHES)
    locked.multi_annotation_from = f"{first:064x}" if share > 0 else ""
    locked.n_annotators_per_record = n_people
    db.flush()
    update_consensus(
        db,
        project.id,
        _list_judged_since(db, project.id, min(before, locked.multi_annotation_from or "g")),
    )
    facts = {"share": share, "n_people": n_people}
    log_event(db, "overlap set", user_id=by.id, project_id=project.id, **facts)


def _list_judged_since(db: Session, project_id: int, first_hash: str) -> Sequence[int]:
    judged = (
        select(Annotation.record_id)
        .join(Record, Record.id == Annotation.record_id)
        .where(Annotation.project_id == project_id, Record.content_hash >= first_hash)
        .distinct()
    )
    return db.scalars(judged).all()


def exclude_already_judged(
    db: Session, project: Project, user_id: int, filters: Filters
) -> Filters:
    """Return the same filters, without the unlabeled records that wait for others' opinions
    alone."""
    if not project.multi_annotation_from or filters.state != "unlabeled":
        return filters
    ids = find_matching_ids(db, project.id, filters)
    return replace(filters, ids=ids[~np.isin(ids, _find_judged(db, project, user_id))])


def _find_judged(db: Session, project: Project, user_id: int) -> Ids:
    """Find records of the overlap that this user labeled and that are not agreed on."""
    labeled = select(Consensus.id).where(Consensus.record_id == Record.id).exists()
    found = db.scalars(
        select(Annotation.record_id)
        .join(Record, Record.id == Annotation.record_id)
        .where(
            *human_vote_conditions(project.id),
            Annotation.user_id == user_id,
            Record.content_hash >= project.multi_annotation_from,
            ~labeled,
        )
    )
    return np.array(found.all(), np.int64)


def find_hidden_records(
    db: Session, user_id: int, votes: Mapping[int, Sequence[CurrentVote]], session_id: int | None
) -> set[int]:
    """Of these records, those whose labels by others this user does not see before giving one."""
    candidates = {
        i: record_votes
        for i, record_votes in votes.items()
        if _is_others_alone(record_votes, user_id)
    }
    if not candidates:
        return set()
    if session_id is not None and is_independent(db, session_id):
        return set(candidates)
    required = dict(execute_core(db, _IN_OVERLAP, ids=list(candidates)).all())
    return {
        i
        for i, record_votes in candidates.items()
        if len(_people(record_votes)) < required.get(i, 0)
    }


def load_hidden_records(db: Session, user_id: int, record_ids: Sequence[int]) -> set[int]:
    """Load the same for pages outside a session."""
    return find_hidden_records(db, user_id, load_current_votes(db, record_ids), None)


def _is_others_alone(votes: Sequence[CurrentVote], user_id: int) -> bool:
    people = _people(votes)
    return bool(people) and user_id not in people


def _people(votes: Sequence[CurrentVote]) -> set[int | None]:
    return {vote.user_id for vote in votes if vote.is_person and vote.verdict != Verdict.SKIP}


def is_independent(db: Session, session_id: int) -> bool:
    """Whether a session is assigned to several people, who judge without each other."""
    return (execute_core(db, _N_ASSIGNED, session_id=session_id).scalar() or 0) > 1

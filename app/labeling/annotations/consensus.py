"""What people agree on: the label of a record, recomputed from its current says.

Decision: in a single-label project the label with most voices wins, and a tie means unlabeled;
"none of these" is a voice like a label; skip is none. In a multi-label project every label that
more than half of the voters carry. Imported says and rules count only while no person has spoken.
Decision: in records that several people annotate, votes count once `n_annotators_per_record` people
have voted; until then the record is unlabeled everywhere, so that sessions offer it to the others.
Decision: action_id is the act since which they agree, so that one more voice for the same label is
not a changed label.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from app.db.session import execute_core, id_chunks
from app.labeling.annotations.votes import CurrentVote, load_current_votes
from app.models import Consensus, Project, Record
from app.models.enums import Verdict
from app.projects.label_resolver import load_locked_merge_targets, load_merge_targets

# label id (None: none of these) → the act since which it is agreed
AgreedLabels = dict[int | None, int]
_RECORDS: BindParameter[Any] = bindparam("ids", expanding=True)
_PROJECT: BindParameter[Any] = bindparam("project_id")
_RULE = select(
    Project.is_multi_label, Project.multi_annotation_from, Project.n_annotators_per_record
).where(Project.id == _PROJECT)
_MULTI_ANNOTATED = select(Record.id).where(
    Record.id.in_(_RECORDS), Record.content_hash >= bindparam("multi_annotation_from")
)
_HELD_RECORDS = (
    select(Record.id)
    .where(Record.id.in_(_RECORDS))
    .order_by(Record.id)
    .with_for_update(key_share=True)
)
_STORED = select(Consensus.id, Consensus.record_id, Consensus.label_id, Consensus.action_id).where(
    Consensus.record_id.in_(_RECORDS)
)
_DELETE = delete(Consensus).where(Consensus.id.in_(_RECORDS))
_INSERT = insert(Consensus)


@dataclass(frozen=True)
class ConsensusRule:
    """How a project's people agree; see Project for the overlap."""

    is_multi: bool
    multi_annotation_from: str = ""
    n_annotators_per_record: int = 1


def update_consensus(db: Session, project_id: int, record_ids: Iterable[int]) -> None:
    """Bring the consensus rows of these records in line with what people currently say.

    Call it in the transaction that changed annotations. A merged label counts for its target.
    """
    rule = _load_rule(db, project_id)
    targets = load_locked_merge_targets(db, project_id)
    for chunk in id_chunks(record_ids):
        # Two users who label one record at once settle it one after the other (Postgres).
        execute_core(db, _HELD_RECORDS, ids=chunk)
        _store(db, project_id, chunk, compute_consensus(db, chunk, targets, rule))


def compute_consensus(
    db: Session, record_ids: Iterable[int], targets: Mapping[int, int], rule: ConsensusRule
) -> dict[int, AgreedLabels]:
    """Compute the consensus of these records; records without consensus are missing."""
    votes = load_current_votes(db, record_ids)
    in_multi_annotation = _find_multi_annotated(db, votes, rule)
    found = {
        record_id: compute_agreed_labels(
            record_votes,
            targets,
            rule.is_multi,
            rule.n_annotators_per_record if record_id in in_multi_annotation else 1,
        )
        for record_id, record_votes in votes.items()
    }
    return {record_id: labels for record_id, labels in found.items() if labels}


def recompute_consensus(
    db: Session, project_id: int, record_ids: Iterable[int]
) -> dict[int, AgreedLabels]:
    """Return the consensus that these records should have, for comparing with what is stored."""
    targets = load_merge_targets(db, project_id)
    return compute_consensus(db, record_ids, targets, _load_rule(db, project_id))


def compute_agreed_labels(
    votes: Sequence[CurrentVote], targets: Mapping[int, int], is_multi: bool, least: int = 1
) -> AgreedLabels:
    """Compute the labels that these votes agree on, each with the action since which they do.

    says     oldest act first
    targets  merged label → the label that it now counts for
    least    people count once so many of them have spoken
    """
    valid_votes = [vote for vote in votes if vote.verdict != Verdict.SKIP]
    since: AgreedLabels = {}
    for n, newest in enumerate(valid_votes, 1):
        ballots = [_candidates(vote, targets) for vote in _select_counted(valid_votes[:n], least)]
        winners = _find_winners(ballots, is_multi)
        since = {label_id: since.get(label_id, newest.action_id) for label_id in winners}
    return since


def _select_counted(valid_votes: Sequence[CurrentVote], least: int) -> Sequence[CurrentVote]:
    people = [vote for vote in valid_votes if vote.is_person]
    return people if len(people) >= least else [vote for vote in valid_votes if not vote.is_person]


def _candidates(vote: CurrentVote, targets: Mapping[int, int]) -> frozenset[int | None]:
    if vote.verdict == Verdict.NONE:
        return frozenset({None})
    return frozenset(targets.get(label_id, label_id) for label_id in vote.label_ids)


def _find_winners(ballots: Sequence[frozenset[int | None]], is_multi: bool) -> set[int | None]:
    counts = Counter(label_id for candidates in ballots for label_id in candidates)
    if is_multi:
        return {label_id for label_id, n in counts.items() if 2 * n > len(ballots)}
    best = counts.most_common(2)
    if not best or (len(best) == 2 and best[0][1] == best[1][1]):
        return set()
    return {best[0][0]}


def _load_rule(db: Session, project_id: int) -> ConsensusRule:
    found = execute_core(db, _RULE, project_id=project_id).one_or_none()
    return ConsensusRule(*found) if found else ConsensusRule(is_multi=False)


def _find_multi_annotated(db: Session, record_ids: Iterable[int], rule: ConsensusRule) -> set[int]:
    if not rule.multi_annotation_from:
        return set()
    rows = execute_core(
        db, _MULTI_ANNOTATED, ids=list(record_ids), multi_annotation_from=rule.multi_annotation_from
    )
    return set(rows.scalars())


def _store(
    db: Session, project_id: int, record_ids: Sequence[int], wanted: Mapping[int, AgreedLabels]
) -> None:
    missing = {
        (record_id, label_id, action_id)
        for record_id, labels in wanted.items()
        for label_id, action_id in labels.items()
    }
    stale = []
    for row_id, *row in execute_core(db, _STORED, ids=record_ids):
        if tuple(row) in missing:
            missing.discard((row[0], row[1], row[2]))
        else:
            stale.append(row_id)
    for chunk in id_chunks(stale):
        execute_core(db, _DELETE, ids=chunk)
    if missing:
        ordered = sorted(missing, key=lambda row: (row[0], row[1] or 0))
        db.connection().execute(_INSERT, [_row(project_id, *row) for row in ordered])


def _row(
    project_id: int, record_id: int, label_id: int | None, action_id: int
) -> dict[str, object]:
    return {
        "project_id": project_id,
        "record_id": record_id,
        "label_id": label_id,
        "action_id": action_id,
    }

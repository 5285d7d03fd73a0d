"""Plan a bulk action: which records it changes, and how."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.labeling.annotations.annotate import AnnotationInput
from app.labeling.sessions.acceptance import MIN_SCORE, Acceptance, is_sure_enough, sum_up
from app.labeling.sessions.rows import find_suggestions
from app.ml.vectors import Ids
from app.models import Comment, Consensus, Label, Project, Record
from app.models.enums import Verdict
from app.projects.label_resolver import NONE_OF_THESE
from app.projects.labels import label_set
from app.record_search.pagination import sort_matches
from app.records.filters import Filters
from app.records.record_ids import find_matching_ids, is_among, load_id_columns
from app.search.matches import find_matches
from app.search.request import SearchRequest
from app.search.versions import find_active_version

BulkActionKind = Literal["label", "none", "accept", "withdraw", "flag"]
# This many annotations can be stored or undone in a few seconds without delaying other saves.
MOST_AT_ONCE = 50_000
_ACTION_PATTERN = re.compile(
    r"(none|accept|withdraw|flag)|label:(\d{1,9})|accept:([01](?:\.\d{1,4})?)"
)


@dataclass(frozen=True)
class BulkAction:
    """A bulk action.

    label      the label to assign
    min_score  minimum probability of accepted suggestions
    """

    kind: BulkActionKind
    label: Label | None = None
    min_score: float = MIN_SCORE

    @property
    def written(self) -> str:
        """Return the value used in forms and URLs."""
        if self.kind == "accept":
            return f"accept:{self.min_score:g}"
        return self.kind if self.label is None else f"label:{self.label.id}"


@dataclass(frozen=True)
class BulkPlan:
    """The effect of a bulk action.

    ids          the records that it changes, (n,) int64
    annotations  the annotations to store; empty for flags
    n_chosen     the number of selected records
    n_otherwise  records among `ids` that now have another label, or several
    n_already    records among `ids` that already have this label
    by_label     label id → number of records that get it
    acceptance   number and mean probability of accepted suggestions; None for other actions
    fingerprint  equal for plans that have the same effect on the same records
    """

    action: BulkAction
    ids: Ids
    annotations: Sequence[AnnotationInput]
    n_chosen: int
    n_otherwise: int
    n_already: int
    by_label: dict[int, int]
    fingerprint: str
    acceptance: Acceptance | None = None


def parse_action(db: Session, project: Project, written: str) -> BulkAction:
    """Parse label:ID, none, accept, accept:SCORE, withdraw or flag.

    Raises Invalid, or Conflict for a label that was removed.
    """
    found = _ACTION_PATTERN.fullmatch(written)
    if found is None or float(found[3] or 0) > 1:
        raise Invalid("Choose a bulk action.")
    if found[3] is not None:
        return BulkAction("accept", min_score=float(found[3]))
    if found[2] is None:
        kinds: dict[str, BulkActionKind] = {
            "none": "none",
            "accept": "accept",
            "withdraw": "withdraw",
            "flag": "flag",
        }
        return BulkAction(kinds[found[1]])
    label = next((each for each in label_set(db, project.id) if each.id == int(found[2])), None)
    if label is None:
        raise Conflict("This label was removed or merged. Choose another one.")
    return BulkAction("label", label)


def resolve_ids(
    db: Session, project: Project, search: SearchRequest | None, ticked: Sequence[int], most: int
) -> Ids:
    """Return the selected records of this project, or all results of a search, in their order.

    search  None: use the selected records. Raises Invalid for no records or more than `most`.
    """
    if search is not None:
        ids = sort_matches(db, project, find_matches(db, project, search), search.sort).ids
    else:
        wanted = np.array(list(dict.fromkeys(ticked)), np.int64)
        ours = select(Record.id).where(Record.project_id == project.id, Record.id.in_(ticked))
        ids = wanted[np.isin(wanted, load_id_columns(db, ours)[0])]
    if len(ids) == 0:
        raise Invalid("No record is selected. Select some, or apply the action to all results.")
    if len(ids) > most:
        raise Invalid(f"At most {most:,} records at once ({len(ids):,} selected).")
    return ids


def build_plan(
    db: Session, project: Project, user_id: int, action: BulkAction, ids: Ids
) -> BulkPlan:
    """Compute the effect of this user's action on these records."""
    acceptance = None
    if action.kind == "flag":
        changed, annotations = _select_unflagged(db, project, user_id, ids), []
    elif action.kind == "accept":
        found = _build_accepted(db, project, ids)
        annotations = [
            annotation
            for annotation in found
            if is_sure_enough(annotation.suggestion_score, action.min_score)
        ]
        acceptance = sum_up(
            [annotation.suggestion_score or 0.0 for annotation in found], action.min_score
        )
        changed = np.array([annotation.record_id for annotation in annotations], np.int64)
    else:
        changed = (
            ids if action.kind != "withdraw" else _select_annotated_by(db, project, user_id, ids)
        )
        annotations = [_build_annotation(action, int(each)) for each in changed]
    given = Counter(label_id for annotation in annotations for label_id in annotation.label_ids)
    n_otherwise, n_already = (
        _compare_with_consensus(db, project, annotations) if annotations else (0, 0)
    )
    return BulkPlan(
        action,
        changed,
        annotations,
        len(ids),
        n_otherwise,
        n_already,
        dict(given.most_common()),
        _compute_fingerprint(action, changed, annotations),
        acceptance,
    )


def _build_annotation(action: BulkAction, record_id: int) -> AnnotationInput:
    if action.label is not None:
        return AnnotationInput(record_id, Verdict.LABEL, (action.label.id,))
    # A skip replaces the user's earlier annotation and does not count as a vote.
    return AnnotationInput(record_id, Verdict.SKIP if action.kind == "withdraw" else Verdict.NONE)


def _select_unflagged(db: Session, project: Project, user_id: int, ids: Ids) -> Ids:
    flags = select(Comment.record_id).where(
        Comment.project_id == project.id,
        Comment.user_id == user_id,
        Comment.kind == "flag",
        Comment.withdrawn_at.is_(None),
    )
    return ids[~np.isin(ids, load_id_columns(db, flags)[0])]


def _select_annotated_by(db: Session, project: Project, user_id: int, ids: Ids) -> Ids:
    return ids[is_among(ids, find_matching_ids(db, project.id, Filters(user_id=user_id)))]


def _build_accepted(db: Session, project: Project, ids: Ids) -> list[AnnotationInput]:
    version = find_active_version(db, project.id)
    found = find_suggestions(db, project, version.id if version else None, ids.tolist())
    return [
        AnnotationInput(
            each,
            Verdict.LABEL,
            tuple(suggestion.label_id for suggestion in found[each]),
            suggestion_id=found[each][0].label_id,
            suggestion_score=found[each][0].score,
            version_id=version.id if version else None,
        )
        for each in ids.tolist()
        if each in found
    ]


def _compare_with_consensus(
    db: Session, project: Project, annotations: Sequence[AnnotationInput]
) -> tuple[int, int]:
    """Count the records to be labeled that now have another label, and those that have the same."""
    agreed = select(Consensus.record_id, func.coalesce(Consensus.label_id, NONE_OF_THESE))
    record_ids, label_ids = load_id_columns(db, agreed.where(Consensus.project_id == project.id))
    now: dict[int, set[int]] = {}
    for record_id, label_id in zip(record_ids.tolist(), label_ids.tolist(), strict=True):
        now.setdefault(record_id, set()).add(label_id)
    labeled = [
        annotation
        for annotation in annotations
        if annotation.verdict != Verdict.SKIP and annotation.record_id in now
    ]
    wanted = [set(annotation.label_ids) or {NONE_OF_THESE} for annotation in labeled]
    n_same = sum(
        now[annotation.record_id] == each for annotation, each in zip(labeled, wanted, strict=True)
    )
    return len(labeled) - n_same, n_same


def _compute_fingerprint(
    action: BulkAction, ids: Ids, annotations: Sequence[AnnotationInput]
) -> str:
    labels = "|".join(
        f"{annotation.record_id}:{annotation.label_ids}" for annotation in annotations
    )
    same = f"{action.written} {sorted(ids.tolist())} {labels if action.kind == 'accept' else ''}"
    return hashlib.sha256(same.encode()).hexdigest()

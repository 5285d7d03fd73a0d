"""Which label counts now for one that was merged or retired: the only place that follows merges.

Votes and suggestions keep the label that they were made with. A merged label counts for the one it
was merged into in the end; a retired one still counts, but nobody can give it any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session

from app.db.session import execute_core
from app.models import Label, Project

NONE_OF_THESE = 0
"""The verdict "none of these" where a label's id stands for it: no label has this id."""

_PROJECT: BindParameter[Any] = bindparam("project_id")
_MERGED = select(Label.id, Label.merged_into_id).where(
    Label.project_id == _PROJECT, Label.merged_into_id.is_not(None)
)
_OFFERED = select(Label.id).where(
    Label.project_id == _PROJECT, Label.merged_into_id.is_(None), Label.retired_at.is_(None)
)
_SHARE_PROJECT = select(Project.id).where(Project.id == _PROJECT).with_for_update(read=True)
_LOCK_PROJECT = select(Project.id).where(Project.id == _PROJECT).with_for_update(key_share=True)


@dataclass(frozen=True)
class LabelResolver:
    """Maps the label of a suggestion to a label in use.

    targets  merged label → the label that it counts for in the end
    offered  the labels that can be given
    """

    targets: Mapping[int, int]
    offered: frozenset[int]

    def resolve(self, label_id: int) -> int | None:
        """Return the label in use to replace this one (or itself); None if it is retired."""
        target = self.targets.get(label_id, label_id)
        return target if target in self.offered else None


def load_label_resolver(db: Session, project_id: int) -> LabelResolver:
    """Build the resolver from the project's current labels."""
    offered = execute_core(db, _OFFERED, project_id=project_id).scalars()
    return LabelResolver(load_merge_targets(db, project_id), frozenset(offered))


def load_merge_targets(db: Session, project_id: int) -> dict[int, int]:
    """Map merged labels to their final target, following chains."""
    merged = execute_core(db, _MERGED, project_id=project_id)
    into = {label_id: target for label_id, target in merged if target is not None}
    return {label_id: _follow_merges(into, target) for label_id, target in into.items()}


def load_locked_merge_targets(db: Session, project_id: int) -> dict[int, int]:
    """Load the same, and no label is merged or given back before this transaction ends
    (Postgres)."""
    execute_core(db, _SHARE_PROJECT, project_id=project_id)
    return load_merge_targets(db, project_id)


def lock_merge_targets(db: Session, project_id: int) -> None:
    """Wait for those who count by the present targets, so that they may change (Postgres)."""
    execute_core(db, _LOCK_PROJECT, project_id=project_id)


def _follow_merges(into: Mapping[int, int], label_id: int) -> int:
    while label_id in into:
        label_id = into[label_id]
    return label_id

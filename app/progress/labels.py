"""Progress by label: labeled records, suggestions and recent labels."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.models import Consensus, Label, Project
from app.projects.label_resolver import load_merge_targets
from app.projects.labels import is_offered, list_all_labels
from app.search.indexes import NotIndexed, open_version
from app.search.versions import find_active_version
from app.storage import CorruptFile


@dataclass(frozen=True)
class LabelRow:
    """One label; label None is "none of these".

    n            records whose consensus carries it
    share        of all labels that records carry
    n_suggested  of all records, how many the active version takes for it; None: no suggestions
    n_lately     of n, those that came since the moment that was asked
    """

    label: Label | None
    n: int
    share: float
    n_suggested: int | None
    n_last_week: int


def build_label_rows(db: Session, project: Project, since_act_id: int) -> list[LabelRow]:
    """Build the offered labels by position, retired ones that records carry, then "none of
    these"."""
    counts = _count_by_label(db, project.id)
    lately = _count_by_label(db, project.id, Consensus.action_id > since_act_id)
    suggested = _count_suggested(db, project)
    total = sum(counts.values())
    labels: list[Label | None] = [
        label
        for label in list_all_labels(db, project.id)
        if is_offered(label) or counts.get(label.id)
    ]
    rows = []
    for label in [*labels, *([None] if counts.get(None) else [])]:
        key = None if label is None else label.id
        n = counts.get(key, 0)
        expected = None if key is None or not suggested else suggested.get(key, 0)
        rows.append(LabelRow(label, n, n / total if total else 0.0, expected, lately.get(key, 0)))
    return rows


def _count_by_label(
    db: Session, project_id: int, *lately: ColumnElement[bool]
) -> dict[int | None, int]:
    rows = db.execute(
        select(Consensus.label_id, func.count())
        .where(Consensus.project_id == project_id, *lately)
        .group_by(Consensus.label_id)
    )
    return {row[0]: row[1] for row in rows}


def _count_suggested(db: Session, project: Project) -> dict[int, int]:
    version = find_active_version(db, project.id)
    if version is None:
        return {}
    try:
        suggestions = open_version(db, version.id).suggestions
    except (NotIndexed, CorruptFile):
        return {}
    targets = load_merge_targets(db, project.id)
    counts: dict[int, int] = {}
    for label_id, n in (
        suggestions.n_likely if project.is_multi_label else suggestions.n_best
    ).items():
        into = targets.get(label_id, label_id)
        counts[into] = counts.get(into, 0) + n
    return counts

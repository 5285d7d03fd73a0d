"""Pages of equal suggestions: one glance, one accept, and a key for each row that is wrong.

Decision: a page goes on for as long as one more row is expected to cost less than a record costs
on average so far. So sure pages are long and unsure ones short, and no threshold has to be chosen.
Decision: a label is offered so once it has five labeled records. Before, a version that knows one
record of it takes everything for it, and is sure of that.
"""

from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.labeling.annotations.counts import count_by_label
from app.labeling.sessions.suggestion_scores import NO_LABEL, SuggestionScores
from app.ml.vectors import Ids
from app.models import Project

USUAL_LENGTH = 50
LEAST_LABELED = 5
"""Labeled records of a label before a page of its suggestions is offered."""


@dataclass(frozen=True)
class SuggestionBatch:
    """Open records that are all suggested one label, the surest first.

    expected   how many of them a person is expected to agree with
    per_action  records that one action labels: the accept, and one more for each expected mistake
    """

    label_id: int
    ids: Ids
    expected: float
    per_action: float


def list_offered_batches(
    db: Session, project: Project, scores: SuggestionScores, length: int = USUAL_LENGTH
) -> list[SuggestionBatch]:
    """Return the pages of labels with enough labeled records, the most profitable first."""
    counts = count_by_label(db, project.id)
    pages = build_batches(scores, length)
    return [page for page in pages if counts.get(page.label_id, 0) >= LEAST_LABELED]


def build_batches(scores: SuggestionScores, length: int = USUAL_LENGTH) -> list[SuggestionBatch]:
    """Build the page of each label that is suggested anywhere, the most profitable first."""
    labels = np.unique(scores.best[scores.best != NO_LABEL])
    pages = [_build_batch(scores, int(label_id), length) for label_id in labels]
    return sorted(pages, key=lambda page: (-page.per_action, page.label_id))


def _build_batch(scores: SuggestionScores, label_id: int, length: int) -> SuggestionBatch:
    rows = np.flatnonzero(scores.best == label_id)
    rows = rows[np.argsort(-scores.agreement[rows], kind="stable")[:length]]
    agreement = scores.agreement[rows].astype(np.float64)
    per_action = np.arange(1, len(rows) + 1) / (1 + np.cumsum(1 - agreement))
    n = int(per_action.argmax()) + 1
    return SuggestionBatch(
        label_id, scores.ids[rows[:n]], float(agreement[:n].sum()), float(per_action[n - 1])
    )

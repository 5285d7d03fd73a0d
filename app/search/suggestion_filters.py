"""Resolve filters on suggestions into ids, since suggestions are stored in a file."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.ml.vectors import Ids
from app.models import Project
from app.projects.label_resolver import LabelResolver, load_label_resolver
from app.records.filters import DIGITS, Filters
from app.search.suggestions import LIKELY, NONE, Shares, Suggestions
from app.search.versions import SearchVersions

NO_LABEL = 0


@dataclass(frozen=True)
class BestSuggestions:
    """The best suggestion of each record that has one.

    ids (n,) int64, ascending; label_ids (n,) int64, labels that can be given now; scores (n,)
    float32, the chance of each, in [0, 1]
    """

    ids: Ids
    label_ids: Ids
    scores: Shares

    def scores_of(self, record_ids: Ids) -> Shares:
        """In the order asked; NaN for a record without a suggestion."""
        found = np.full(len(record_ids), np.nan, np.float32)
        if len(self.ids):
            places = np.minimum(np.searchsorted(self.ids, record_ids), len(self.ids) - 1)
            has = self.ids[places] == record_ids
            found[has] = self.scores[places[has]]
        return found


def resolve_suggestion_filters(
    db: Session, project: Project, filters: Filters, versions: SearchVersions | None = None
) -> Filters:
    """Return the same filters, with the ids that the suggestions of the active version come to.

    versions  those that the request has open
    """
    if not filters.uses_suggestions or filters.ids is not None:
        return filters
    suggestions = (versions or SearchVersions(db, project.id)).suggestions
    resolver = load_label_resolver(db, project.id)
    best = _select_best(suggestions, resolver)
    if filters.suggested_id is not None and project.is_multi_label:
        best = _select_likely(suggestions, resolver, filters.suggested_id)
    fits = np.ones(len(best.ids), bool)
    scores = np.round(best.scores.astype(np.float64), DIGITS)
    if filters.suggested_id is not None:
        fits &= best.label_ids == filters.suggested_id
    if filters.least is not None:
        fits &= scores >= filters.least
    if filters.most is not None:
        fits &= scores <= filters.most
    return replace(filters, ids=best.ids[fits])


def load_best_suggestions(versions: SearchVersions) -> BestSuggestions:
    """Load the active version's best suggestion for each record."""
    resolver = load_label_resolver(versions.db, versions.project_id)
    return _select_best(versions.suggestions, resolver)


def _select_best(suggestions: Suggestions, resolver: LabelResolver) -> BestSuggestions:
    if len(suggestions.ids) == 0 or not suggestions.label_ids:
        return BestSuggestions(NONE.ids, NONE.ids, np.empty(0, np.float32))
    first = suggestions.chances.argmax(axis=1)
    labels = _resolve_labels(suggestions, resolver)[first]
    scores = np.take_along_axis(suggestions.chances, first[:, None], axis=1)[:, 0]
    known = labels != NO_LABEL
    return BestSuggestions(suggestions.ids[known], labels[known], scores[known].astype(np.float32))


def _select_likely(
    suggestions: Suggestions, resolver: LabelResolver, label_id: int
) -> BestSuggestions:
    """Select every record that the label is suggested for, best or not."""
    columns = np.flatnonzero(_resolve_labels(suggestions, resolver) == label_id)
    if len(columns) == 0:
        return BestSuggestions(NONE.ids, NONE.ids, np.empty(0, np.float32))
    scores = suggestions.chances[:, columns].max(axis=1).astype(np.float32)
    is_likely = scores >= LIKELY
    ids = suggestions.ids[is_likely]
    return BestSuggestions(ids, np.full(len(ids), label_id, np.int64), scores[is_likely])


def _resolve_labels(suggestions: Suggestions, resolver: LabelResolver) -> NDArray[np.int64]:
    """By column of the suggestions: the label that can be given now, NO_LABEL if none can."""
    given = [resolver.resolve(label_id) or NO_LABEL for label_id in suggestions.label_ids]
    return np.array(given, np.int64)

"""How sure the active version is of the records that are still open: what page accepts live on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.ml.vectors import Ids
from app.models import Project
from app.projects.label_resolver import LabelResolver, load_label_resolver
from app.search.suggestions import LIKELY, Suggestions

Floats = NDArray[np.float32]

NO_LABEL = -1


@dataclass(frozen=True)
class SuggestionScores:
    """What would be accepted for each record, and the chance that a person agrees with it.

    ids        (n,) int64
    label_ids  (K,) int64, labels that can be given now
    shares     (n, K) float32, the chance of each label
    best       (n,) int64: the label suggested first, NO_LABEL where none is
    agreement  (n,) float32: the chance that all that is suggested is right, and nothing is missing
    """

    ids: Ids
    label_ids: Ids
    shares: Floats
    best: Ids
    agreement: Floats


def score_suggestions(
    db: Session, project: Project, suggestions: Suggestions, ids: Ids
) -> SuggestionScores:
    """How sure these suggestions are of those records that they know, in the order given."""
    known = ids[np.isin(ids, suggestions.ids)]
    resolver = load_label_resolver(db, project.id)
    labels, shares = _compute_offered_probabilities(resolver, suggestions, known)
    if len(labels) == 0 or len(known) == 0:
        nothing = np.full(len(known), NO_LABEL, np.int64)
        return SuggestionScores(known, labels, shares, nothing, np.zeros(len(known), np.float32))
    top = shares.max(axis=1)
    best = labels[shares.argmax(axis=1)]
    if project.is_multi_label:
        best = np.where(top >= LIKELY, best, NO_LABEL)
        top = np.maximum(shares, 1 - shares).prod(axis=1)
    return SuggestionScores(known, labels, shares, best, np.asarray(top, np.float32))


def compute_all_probabilities(
    db: Session, project: Project, suggestions: Suggestions, ids: Ids
) -> tuple[Ids, Floats]:
    """Every label that can be given now, (K,) ascending, and its chances, (n, K): zeros for those
    that nothing suggests."""
    resolver = load_label_resolver(db, project.id)
    suggested, shares = _compute_offered_probabilities(resolver, suggestions, ids)
    labels = np.array(sorted(resolver.offered), np.int64)
    wide = np.zeros((len(ids), len(labels)), np.float32)
    wide[:, np.isin(labels, suggested)] = shares
    return labels, wide


def _compute_offered_probabilities(
    resolver: LabelResolver, suggestions: Suggestions, ids: Ids
) -> tuple[Ids, Floats]:
    """Labels that can be given now, (K,), and their chances, (n, K): a merged label counts for its
    target, a retired one for nothing."""
    into = [resolver.resolve(each) for each in suggestions.label_ids]
    labels = sorted({each for each in into if each is not None})
    place = {label_id: column for column, label_id in enumerate(labels)}
    probabilities = suggestions.probabilities(ids)
    shares = np.zeros((len(ids), len(labels)), np.float32)
    for column, label_id in enumerate(into):
        if label_id is not None:
            shares[:, place[label_id]] += probabilities[:, column]
    return np.array(labels, np.int64), np.minimum(shares, 1.0)

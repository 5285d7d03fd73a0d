"""What the sessions page offers: the next best session, pages of equal suggestions, every kind."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import AppError
from app.labeling.annotations.counts import count_labeled
from app.labeling.sessions.kinds import SESSION_KINDS, KindDefinition, Requirement
from app.labeling.sessions.next_best import (
    LabelingOptions,
    NextBest,
    choose_next_best,
    load_options,
)
from app.labeling.sessions.suggestion_batches import SuggestionBatch
from app.models import Project


@dataclass(frozen=True)
class OfferedKind:
    """A button of the sessions page; missing: why it cannot be pressed yet, else empty."""

    kind: KindDefinition
    missing: str


@dataclass(frozen=True)
class SessionOffers:
    """best  None when nothing is left to label; pages  the most profitable first"""

    best: NextBest | None
    pages: list[SuggestionBatch]
    kinds: list[OfferedKind]


def load_offers(db: Session, project: Project, user_id: int) -> SessionOffers:
    """What this user can start now."""
    options = load_options(db, project, user_id)
    version = options.version
    available = {
        Requirement.NOTHING: True,
        Requirement.LABELS: version is not None and count_labeled(db, project.id) > 0,
        Requirement.SUGGESTIONS: version is not None and len(version.suggestions.ids) > 0,
    }
    kinds = [
        OfferedKind(each, "" if available[each.requires] else each.requires.value)
        for each in SESSION_KINDS.values()
        if each.description
    ]
    return SessionOffers(_find_best(db, project, options), options.pages, kinds)


def _find_best(db: Session, project: Project, options: LabelingOptions) -> NextBest | None:
    try:
        return choose_next_best(db, project, options)
    except AppError:
        return None

"""What the sessions page offers: the next best session, pages of equal suggestions, every way."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import AppError
from app.labeling.annotations.counts import count_labeled
from app.labeling.sessions.next_best import (
    LabelingOptions,
    NextBest,
    choose_next_best,
    load_options,
)
from app.labeling.sessions.suggestion_batches import SuggestionBatch
from app.models import Project

NEEDS = {
    "": "",
    "labels": "Comes with the first label, once all records are embedded.",
    "suggestions": "Comes with the first suggestions.",
}
# kind, title, one sentence, what it needs
SESSION_KINDS = (
    (
        "cold_start",
        "Representative",
        "One record from the middle of each group of similar ones: the best way to begin.",
        "",
    ),
    (
        "uncertain",
        "Uncertain",
        "What the suggestions are least sure about: each of these labels teaches most.",
        "suggestions",
    ),
    (
        "coverage",
        "Far from any label",
        "Records that nothing labeled is like: new kinds hide there.",
        "labels",
    ),
    ("recent", "New", "What the last import brought, as it stood in the file.", ""),
    (
        "suspects",
        "Suspects",
        "Labels that most of their nearest labeled neighbours disagree with.",
        "labels",
    ),
    (
        "contradictions",
        "Contradictions",
        "Records that read nearly the same and are labeled differently.",
        "labels",
    ),
    (
        "random",
        "Random",
        "Unlabeled records by chance: there while records are still being embedded.",
        "",
    ),
    (
        "audit",
        "Audit",
        "Drawn by chance, shown without suggestions and never learned from: they "
        "measure how often suggestions are right.",
        "",
    ),
)
# Not what chance draws anew each time, and not the first labels, of which nothing is known.
FORECAST_KINDS = ("uncertain", "coverage", "recent", "suspects", "contradictions")


@dataclass(frozen=True)
class SessionKind:
    """A button of the sessions page; missing: why it cannot be pressed yet, else empty."""

    kind: str
    title: str
    sentence: str
    missing: str

    @property
    def has_forecast(self) -> bool:
        """Whether the page says beforehand what the session will hold."""
        return self.kind in FORECAST_KINDS


@dataclass(frozen=True)
class SessionOffers:
    """best  None when nothing is left to label; pages  the most profitable first"""

    best: NextBest | None
    pages: list[SuggestionBatch]
    ways: list[SessionKind]


def load_offers(db: Session, project: Project, user_id: int) -> SessionOffers:
    """What this user can start now."""
    found = load_options(db, project, user_id)
    is_searchable = found.version is not None
    available = {
        "": True,
        "labels": is_searchable and count_labeled(db, project.id) > 0,
        "suggestions": found.version is not None and len(found.version.suggestions.ids) > 0,
    }
    ways = [
        SessionKind(kind, title, words, "" if available[needs] else NEEDS[needs])
        for kind, title, words, needs in SESSION_KINDS
    ]
    return SessionOffers(_find_best(db, project, found), found.pages, ways)


def _find_best(db: Session, project: Project, found: LabelingOptions) -> NextBest | None:
    try:
        return choose_next_best(db, project, found)
    except AppError:
        return None

"""What the sessions page offers: the next best session, pages of equal suggestions, every way."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import AppError
from app.labeling.certainty import certainty_of
from app.labeling.counts import n_labeled
from app.labeling.next_best import NextBest, next_best, searchable_version
from app.labeling.suggested import SurePage, sure_pages
from app.labeling.titles import UNLABELED
from app.models import Project
from app.records.matching import matching_ids

# kind, title, one sentence, what it needs: nothing, suggestions or labels
WAYS = (
    ("cold_start", "Representative", "One record from the middle of each group of similar ones: "
     "the best way to begin.", ""),
    ("uncertain", "Uncertain", "What the suggestions are least sure about: each of these labels "
     "teaches most.", "suggestions"),
    ("coverage", "Far from any label", "Records that nothing labeled is like: new kinds hide "
     "there.", "labels"),
    ("recent", "New", "What the last import brought, as it stood in the file.", ""),
    ("suspects", "Suspects", "Labels that most of their nearest labeled neighbours disagree "
     "with.", "labels"),
    ("contradictions", "Contradictions", "Records that read nearly the same and are labeled "
     "differently.", "labels"),
    ("random", "Random", "Unlabeled records by chance: there while records are still being "
     "embedded.", ""),
    ("audit", "Audit", "Drawn by chance, shown without suggestions and never learned from: they "
     "measure how often suggestions are right.", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A button of the sessions page."""

    kind: str
    title: str
    sentence: str
    can_start: bool


@dataclass(frozen=True)
class Offers:
    """best  None when nothing is left to label; pages  the most profitable first"""

    best: NextBest | None
    pages: list[SurePage]
    ways: list[Way]


def offers(db: Session, project: Project) -> Offers:
    """What can be started now."""
    version = searchable_version(db, project)
    pages = []
    if version is not None and len(version.suggestions.ids):
        open_ids = matching_ids(db, project.id, UNLABELED)
        pages = sure_pages(certainty_of(db, project, version.suggestions, open_ids))
    there = {
        "": True,
        "labels": version is not None and n_labeled(db, project.id) > 0,
        "suggestions": version is not None and len(version.suggestions.ids) > 0,
    }
    ways = [Way(kind, title, words, there[needs]) for kind, title, words, needs in WAYS]
    return Offers(_best(db, project), pages, ways)


def _best(db: Session, project: Project) -> NextBest | None:
    try:
        return next_best(db, project)
    except AppError:
        return None

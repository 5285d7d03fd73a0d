"""The next best session: what brings most per action now, and why, in a sentence."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.errors import AppError, Conflict
from app.labeling.annotations.counts import count_labeled
from app.labeling.sessions.forecast import forecast_records
from app.labeling.sessions.kinds import (
    SESSION_KINDS,
    UNLABELED,
    KindDefinition,
    Requirement,
    SessionKind,
)
from app.labeling.sessions.suggestion_batches import (
    LEAST_LABELED,
    SuggestionBatch,
    list_offered_batches,
)
from app.labeling.sessions.suggestion_scores import NO_LABEL, SuggestionScores, score_suggestions
from app.labeling.team.multi_annotation import exclude_already_judged
from app.ml.vectors import Ids
from app.models import Project
from app.records.record_ids import find_matching_ids
from app.search.indexes import LoadedVersion, NotIndexed, open_version
from app.search.versions import find_active_version
from app.web.wording import format_count

# Below this many records for one action, a page saves too little over one key each: then a key is
# better spent on what teaches most.
LEAST_PER_ACTION = 1.25
N_TEACHING = 10


@dataclass(frozen=True)
class NextBest:
    """A session to start: its kind, its label if it is one of equal suggestions, its length."""

    kind: SessionKind
    k: int
    why: str
    label_id: int | None = None


@dataclass(frozen=True)
class LabelingOptions:
    """What there is to choose the next session from.

    open_ids   (n,) int64, records that the user can label
    version    None before its first index
    certainty  what is suggested for them, None where nothing is
    pages      of labels with enough labeled records, the best first
    """

    open_ids: Ids
    loaded: LoadedVersion | None
    certainty: SuggestionScores | None
    pages: list[SuggestionBatch]


def load_options(db: Session, project: Project, user_id: int) -> LabelingOptions:
    """Load what this user could label now."""
    open_ids = find_matching_ids(
        db, project.id, exclude_already_judged(db, project, user_id, UNLABELED)
    )
    loaded = find_searchable_version(db, project)
    if loaded is None or len(loaded.suggestions.ids) == 0 or len(open_ids) == 0:
        return LabelingOptions(open_ids, loaded, None, [])
    certainty = score_suggestions(db, project, loaded.suggestions, open_ids)
    return LabelingOptions(
        open_ids, loaded, certainty, list_offered_batches(db, project, certainty)
    )


def find_next_best(db: Session, project: Project, user_id: int) -> NextBest:
    """Find what to label now. Raises Conflict when there is nothing left to label."""
    return choose_next_best(db, project, load_options(db, project, user_id))


def choose_next_best(db: Session, project: Project, options: LabelingOptions) -> NextBest:
    """Choose the next best of these options."""
    loaded = options.loaded
    if len(options.open_ids) == 0:
        raise Conflict(SESSION_KINDS[SessionKind.RANDOM].explain_empty(UNLABELED))
    if loaded is None:
        why = "Records are still being embedded. You can label random records meanwhile."
        return NextBest(SessionKind.RANDOM, project.min_labels, why)
    if (missing := project.min_labels - count_labeled(db, project.id)) > 0:
        return NextBest(SessionKind.COLD_START, missing, _explain_cold_start(missing))
    if options.certainty is None or (options.certainty.best == NO_LABEL).all():
        return _propose_without_suggestions(project, loaded)
    if not options.pages:
        n = min(N_TEACHING, len(options.certainty.ids))
        return NextBest(SessionKind.UNCERTAIN, n, _teaches_untaught(n))
    best = options.pages[0]
    if best.per_action < LEAST_PER_ACTION and _is_worth_asking(options.certainty):
        return NextBest(SessionKind.UNCERTAIN, N_TEACHING, _explain_uncertain(best))
    return _propose_batch(db, project, loaded, best)


def find_searchable_version(db: Session, project: Project) -> LoadedVersion | None:
    """Find the active version, open, or None before its first index."""
    version = find_active_version(db, project.id)
    try:
        return None if version is None else open_version(db, version.id)
    except NotIndexed:
        return None


def _explain_cold_start(n: int) -> str:
    records = format_count(n, "representative record")
    return f"{records}, one for each group of similar ones: suggestions are learned from them."


def _propose_without_suggestions(project: Project, loaded: LoadedVersion) -> NextBest:
    if len(loaded.suggestions.ids):
        why = "No suggestions left: these records are far from any label."
        return NextBest(SessionKind.COVERAGE, project.min_labels, why)
    why = "The first suggestions are being computed. Meanwhile: records far from any label."
    return NextBest(SessionKind.COVERAGE, N_TEACHING, why)


def _is_worth_asking(certainty: SuggestionScores) -> bool:
    """Whether many records would still profit from what a few labels teach."""
    return len(certainty.ids) > 20 * N_TEACHING


def _explain_uncertain(page: SuggestionBatch) -> str:
    return (
        "No batch of suggestions is reliable enough to accept: the best is about "
        f"{100 * page.expected / len(page.ids):.0f} % correct. Labeling these {N_TEACHING} "
        "improves suggestions most."
    )


def _teaches_untaught(n: int) -> str:
    these = "this one" if n == 1 else f"these {n}"
    return (
        f"No suggested label has {LEAST_LABELED} labeled records yet. Labeling {these} improves "
        "suggestions most."
    )


def _propose_batch(
    db: Session, project: Project, loaded: LoadedVersion, page: SuggestionBatch
) -> NextBest:
    expected = forecast_records(db, project, loaded.suggestions, np.sort(page.ids))
    n = len(page.ids)
    if n == 1:
        why = f"This record is probably {expected.label}: check it, then accept."
        return NextBest(SessionKind.SUGGESTED, 1, why, page.label_id)
    share, low, high = (
        f"{100 * each:.0f}" for each in (expected.share, expected.low, expected.high)
    )
    words = f"About {share} % of these {n} are {expected.label} (95 % interval {low} to {high} %)"
    if share == "100":
        words = f"Nearly all of these {n} are {expected.label}, at least {low} %"
    why = f"{words}: correct the wrong ones, then accept the rest."
    return NextBest(SessionKind.SUGGESTED, n, why, page.label_id)


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
    """Load what this user can start now."""
    options = load_options(db, project, user_id)
    loaded = options.loaded
    available = {
        Requirement.NOTHING: True,
        Requirement.LABELS: loaded is not None and count_labeled(db, project.id) > 0,
        Requirement.SUGGESTIONS: loaded is not None and len(loaded.suggestions.ids) > 0,
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

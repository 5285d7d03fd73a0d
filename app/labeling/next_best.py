"""The next best session: what brings most per action now, and why, in a sentence."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.labeling.certainty import NO_LABEL, Certainty, Ids, certainty_of
from app.labeling.counts import n_labeled
from app.labeling.forecast import forecast
from app.labeling.overlap import open_to
from app.labeling.suggested import LEAST_LABELED, SurePage, offered_pages
from app.labeling.titles import UNLABELED, nothing_left
from app.models import Project
from app.records.matching import matching_ids
from app.search.encoders import active_encoder
from app.search.indexes import NotIndexed, Version, open_version

# Below this many records for one action, a page saves too little over one key each: then a key is
# better spent on what teaches most.
LEAST_PER_ACTION = 1.25
N_TEACHING = 10


@dataclass(frozen=True)
class NextBest:
    """A session to start: its kind, its label if it is one of equal suggestions, its length."""

    kind: str
    k: int
    why: str
    label_id: int | None = None


@dataclass(frozen=True)
class Outlook:
    """What there is to choose the next session from.

    open_ids   (n,) int64, records that the user can label
    version    None before its first index
    certainty  what is suggested for them, None where nothing is
    pages      of labels with enough labeled records, the best first
    """

    open_ids: Ids
    version: Version | None
    certainty: Certainty | None
    pages: list[SurePage]


def outlook(db: Session, project: Project, user_id: int) -> Outlook:
    """What this user could label now."""
    open_ids = matching_ids(db, project.id, open_to(db, project, user_id, UNLABELED))
    version = searchable_version(db, project)
    if version is None or len(version.suggestions.ids) == 0 or len(open_ids) == 0:
        return Outlook(open_ids, version, None, [])
    certainty = certainty_of(db, project, version.suggestions, open_ids)
    return Outlook(open_ids, version, certainty, offered_pages(db, project, certainty))


def next_best(db: Session, project: Project, user_id: int) -> NextBest:
    """What to label now. Raises Conflict when there is nothing left to label."""
    return best_of(db, project, outlook(db, project, user_id))


def best_of(db: Session, project: Project, there: Outlook) -> NextBest:
    """The same, of what there is to choose from."""
    version = there.version
    if len(there.open_ids) == 0:
        raise Conflict(nothing_left("random", UNLABELED))
    if version is None:
        why = "Records are still being embedded: random ones can be labeled meanwhile."
        return NextBest("random", project.min_labels, why)
    if (missing := project.min_labels - n_labeled(db, project.id)) > 0:
        return NextBest("cold_start", missing, _stands_for_all(missing))
    if there.certainty is None or (there.certainty.best == NO_LABEL).all():
        return _without_suggestions(project, version)
    if not there.pages:
        n = min(N_TEACHING, len(there.certainty.ids))
        return NextBest("uncertain", n, _teaches_untaught(n))
    best = there.pages[0]
    if best.per_action < LEAST_PER_ACTION and _is_worth_asking(there.certainty):
        return NextBest("uncertain", N_TEACHING, _teaches(best))
    return _page(db, project, version, best)


def searchable_version(db: Session, project: Project) -> Version | None:
    """The active version, open, or None before its first index."""
    encoder = active_encoder(db, project.id)
    try:
        return None if encoder is None else open_version(db, encoder.id)
    except NotIndexed:
        return None


def _stands_for_all(n: int) -> str:
    records = "1 record" if n == 1 else f"{n} records"
    return f"{records} from the middle of groups of similar ones: suggestions grow from them."


def _without_suggestions(project: Project, version: Version) -> NextBest:
    if len(version.suggestions.ids):
        why = "Nothing more is suggested: these are far from any label."
        return NextBest("coverage", project.min_labels, why)
    why = "The first suggestions are on their way: meanwhile, records far from any label."
    return NextBest("coverage", N_TEACHING, why)


def _is_worth_asking(certainty: Certainty) -> bool:
    """Whether many records would still profit from what a few labels teach."""
    return len(certainty.ids) > 20 * N_TEACHING


def _teaches(page: SurePage) -> str:
    return (
        f"No page of suggestions is sure enough to be accepted: the best is about "
        f"{100 * page.expected / len(page.ids):.0f} % right. These {N_TEACHING} teach most."
    )


def _teaches_untaught(n: int) -> str:
    these = "This one teaches" if n == 1 else f"These {n} teach"
    return f"No label that is suggested has {LEAST_LABELED} labeled records yet. {these} most."


def _page(db: Session, project: Project, version: Version, page: SurePage) -> NextBest:
    expected = forecast(db, project, version.suggestions, np.sort(page.ids))
    n = len(page.ids)
    if n == 1:
        why = f"This one is probably {expected.label}: accept it after a look."
        return NextBest("suggested", 1, why, page.label_id)
    share, low, high = (
        f"{100 * each:.0f}" for each in (expected.share, expected.low, expected.high)
    )
    words = f"About {share} % of these {n} are {expected.label}, {low} to {high} %"
    if share == "100":
        words = f"Nearly all of these {n} are {expected.label}, at least {low} %"
    why = f"{words}: label the wrong ones, then accept the rest."
    return NextBest("suggested", n, why, page.label_id)

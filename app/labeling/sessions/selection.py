"""Which records a session holds, and in what order: one function for each way to begin.

Decision: records that the seed names come first, whatever was said about them, for they show what
the others are similar to; the filters apply to the others.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.labeling.annotations.annotate import check_records
from app.labeling.sessions.kinds import TOO_FEW_LABELED, KindDefinition, SessionKind
from app.labeling.sessions.label_issues import (
    LabeledRecords,
    find_conflicting_duplicates,
    find_likely_mislabeled,
    list_latest_import,
    load_labeled_records,
    select_k_center,
    select_most_doubtful,
)
from app.labeling.sessions.suggestion_batches import build_batches, list_offered_batches
from app.labeling.sessions.suggestion_scores import score_suggestions
from app.labeling.sessions.version_access import (
    build_embedding_error,
    require_active_version,
    require_open_version,
    require_suggestions,
)
from app.labeling.team.holdout import draw_holdout
from app.ml.query_strategies import select_representatives
from app.ml.vectors import Ids
from app.models import Project
from app.records.filters import Filters
from app.records.record_ids import find_matching_ids
from app.records.records import load_records
from app.search.index_revisions import find_base_version_id
from app.search.indexes import LoadedVersion, NotIndexed
from app.search.similar import Seed, find_neighbours
from app.search.suggestion_filters import resolve_suggestion_filters
from app.search.versions import find_active_version

# Clusters hardly move when more records than this are looked at, and the page would wait: then so
# many are drawn.
MOST_CLUSTERED = 20_000
N_CLUSTERED = 10_000
# How like the nearest labeled record an open one is: so many cosines take a fifth of a second.
MOST_LABELED = 8_000
MOST_COMPARED = 16_000_000


@dataclass(frozen=True)
class Selection:
    """Records in their order, each with its similarity to the seed where there is one.

    label_id  the label that all of them are suggested, in a session of that kind
    """

    records: list[tuple[int, float | None]]
    version_id: int | None
    label_id: int | None = None


@dataclass(frozen=True)
class SelectionRequest:
    """What to select: at most k records beside those that the seed names, under these filters."""

    seed: Seed | None
    k: int
    filters: Filters


Strategy = Callable[[Session, Project, SelectionRequest], Selection]


def select_records(
    db: Session,
    project: Project,
    kind: KindDefinition,
    seed: Seed | None,
    k: int,
    filters: Filters,
) -> Selection:
    """At most k records (beside those that the seed names) for a session of this kind.

    Call it within write_session() for a kind that is_drawn_at_start.

    Raises Conflict, with a sentence, when that kind cannot be had yet or nothing is left, NotFound
    for foreign records.
    """
    filters = resolve_suggestion_filters(db, project, filters)
    selection = STRATEGIES[kind.kind](db, project, SelectionRequest(seed, k, filters))
    if not selection.records:
        raise Conflict(kind.explain_empty(filters))
    return selection


def _select_holdout(db: Session, project: Project, request: SelectionRequest) -> Selection:
    """Select the next records of the hold-out sample, which grows."""
    version = find_active_version(db, project.id)
    record_ids = draw_holdout(db, project, request.k)
    return Selection(
        [(record_id, None) for record_id in record_ids], version.id if version else None
    )


def _select_random(db: Session, project: Project, request: SelectionRequest) -> Selection:
    ids = find_matching_ids(db, project.id, request.filters)
    picked = np.random.default_rng().permutation(ids)[: request.k]
    version = find_active_version(db, project.id)
    return Selection(_without_similarity(picked), version.id if version else None)


def _select_given(db: Session, project: Project, request: SelectionRequest) -> Selection:
    """Select the named records themselves: neither k nor a filter changes what somebody picked."""
    seed = _require_seed(request)
    check_records(db, project.id, seed.record_ids)
    version = find_active_version(db, project.id)
    return Selection(
        [(record_id, None) for record_id in seed.record_ids], version.id if version else None
    )


def _select_similar(db: Session, project: Project, request: SelectionRequest) -> Selection:
    seed = _require_seed(request)
    version = require_active_version(db, project)
    found = load_records(db, seed.record_ids)
    named = [i for i in seed.record_ids if i in found and found[i].project_id == project.id]
    try:
        hits = find_neighbours(db, project, seed, request.k, request.filters, version.id)
    except NotIndexed:
        raise build_embedding_error(db, project) from None
    first: list[tuple[int, float | None]] = [(record_id, None) for record_id in named]
    others = [(hit.record_id, hit.similarity) for hit in hits if hit.record_id not in found]
    return Selection([*first, *others], version.id)


def _select_cold_start(db: Session, project: Project, request: SelectionRequest) -> Selection:
    version = require_active_version(db, project)
    loaded = require_open_version(db, project, find_base_version_id(version))
    ids = _keep_indexed(find_matching_ids(db, project.id, request.filters), loaded)
    if len(ids) > MOST_CLUSTERED:
        ids = _sample(ids, N_CLUSTERED, project)
    if len(ids) == 0:
        return Selection([], version.id)
    rows = select_representatives(loaded.index.vectors(ids), min(request.k, project.min_labels))
    return Selection(_without_similarity(ids[rows]), version.id)


def _select_uncertain(db: Session, project: Project, request: SelectionRequest) -> Selection:
    version = require_active_version(db, project)
    suggestions = require_suggestions(db, project, version)
    is_open = np.isin(suggestions.ids, find_matching_ids(db, project.id, request.filters))
    order = np.argsort(-suggestions.uncertainty[is_open], kind="stable")[: request.k]
    return Selection(_without_similarity(suggestions.ids[is_open][order]), version.id)


def _select_suggested(db: Session, project: Project, request: SelectionRequest) -> Selection:
    """Select the surest open records of one label; without a label, of the one that brings most
    among those that are offered."""
    version = require_active_version(db, project)
    suggestions = require_suggestions(db, project, version)
    open_ids = find_matching_ids(db, project.id, request.filters)
    certainty = score_suggestions(db, project, suggestions, open_ids)
    every_page = build_batches(certainty, request.k)
    if request.seed is not None:
        pages = [page for page in every_page if page.label_id == request.seed.label_id]
    else:
        pages = list_offered_batches(db, project, certainty, request.k)
    if every_page and not pages and request.seed is None:
        raise Conflict(TOO_FEW_LABELED)
    if not pages:
        return Selection([], version.id)
    return Selection(_without_similarity(pages[0].ids), version.id, pages[0].label_id)


def _select_coverage(db: Session, project: Project, request: SelectionRequest) -> Selection:
    version = require_active_version(db, project)
    raw = require_open_version(db, project, find_base_version_id(version))
    labeled = _sample(load_labeled_records(db, project, raw).ids, MOST_LABELED, project)
    n_compared = min(N_CLUSTERED, MOST_COMPARED // max(len(labeled), 1))
    open_ids = _keep_indexed(find_matching_ids(db, project.id, request.filters), raw)
    open_ids = _sample(open_ids, n_compared, project)
    found = select_k_center(raw, labeled, open_ids, min(request.k, project.min_labels))
    return Selection(_without_similarity(found), version.id)


def _select_recent(db: Session, project: Project, request: SelectionRequest) -> Selection:
    version = find_active_version(db, project.id)
    newest = list_latest_import(db, project.id)
    found = newest[np.isin(newest, find_matching_ids(db, project.id, request.filters))][: request.k]
    return Selection(_without_similarity(found), version.id if version else None)


def _build_issue_strategy(
    find_issues: Callable[[LoadedVersion, LabeledRecords, Ids], Ids],
) -> Strategy:
    """Build a strategy that chooses labeled records: the filter "unlabeled" does not apply."""

    def strategy(db: Session, project: Project, request: SelectionRequest) -> Selection:
        version = require_active_version(db, project)
        raw = require_open_version(db, project, find_base_version_id(version))
        labeled = load_labeled_records(db, project, raw)
        among = find_matching_ids(db, project.id, replace(request.filters, state="labeled"))
        suggestions = require_open_version(db, project, version.id).suggestions
        found = find_issues(raw, labeled, select_most_doubtful(labeled, suggestions, among))
        return Selection(_without_similarity(found[: request.k]), version.id)

    return strategy


def _require_seed(request: SelectionRequest) -> Seed:
    if request.seed is None:
        raise Invalid("Choose the records, label or text that the session starts from.")
    return request.seed


def _keep_indexed(ids: Ids, loaded: LoadedVersion) -> Ids:
    return ids[np.isin(ids, loaded.index.ids)]


def _sample(ids: Ids, n: int, project: Project) -> Ids:
    """Sample at most n of the ids, the same each time."""
    if len(ids) <= n:
        return ids
    return np.sort(np.random.default_rng(project.id).choice(ids, n, replace=False))


def _without_similarity(ids: Ids) -> list[tuple[int, float | None]]:
    return [(int(record_id), None) for record_id in ids]


STRATEGIES: dict[str, Strategy] = {
    SessionKind.RECORD: _select_similar,
    SessionKind.SELECTION: _select_similar,
    SessionKind.LABEL: _select_similar,
    SessionKind.TEXT: _select_similar,
    SessionKind.GIVEN: _select_given,
    SessionKind.COLD_START: _select_cold_start,
    SessionKind.SUGGESTED: _select_suggested,
    SessionKind.UNCERTAIN: _select_uncertain,
    SessionKind.COVERAGE: _select_coverage,
    SessionKind.RECENT: _select_recent,
    SessionKind.LIKELY_MISLABELED: _build_issue_strategy(find_likely_mislabeled),
    SessionKind.CONFLICTS: _build_issue_strategy(find_conflicting_duplicates),
    SessionKind.RANDOM: _select_random,
    SessionKind.HOLDOUT: _select_holdout,
}
"""Kind → the function that selects its records."""

"""Which records a search finds, and how well each fits: by words, by meaning, or by both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy.orm import Session

from app.models import Project
from app.records.filters import Ids
from app.records.record_ids import find_matching_ids
from app.search.bm25 import score_bm25
from app.search.indexes import LoadedVersion
from app.search.request import SearchRequest
from app.search.similar import MAX_HITS, Seed, open_pinned_version, rank_neighbours
from app.search.suggestion_filters import resolve_suggestion_filters
from app.search.versions import find_version


@dataclass(frozen=True)
class Matches:
    """What a search finds.

    ids           (n,) int64, ascending
    scores        id → how well it fits, larger is better; an id that is missing counts as 0
    similarities  id → cosine to what was searched, in [-1, 1]
    word_ranks, meaning_ranks  id → its place in either ranking, from 1, where both were asked
    loaded        the version that the similarities are of
    is_cut        only the nearest k were looked for, and there may be more
    """

    ids: Ids
    scores: dict[int, float] = field(default_factory=dict)
    similarities: dict[int, float] = field(default_factory=dict)
    word_ranks: dict[int, int] = field(default_factory=dict)
    meaning_ranks: dict[int, int] = field(default_factory=dict)
    loaded: LoadedVersion | None = None
    is_cut: bool = False


def find_matches(db: Session, project: Project, search: SearchRequest) -> Matches:
    """All that match; of those ranked by similarity, the k nearest.

    Every search of page, API and command comes here. Raises as app.search.similar does.
    """
    if search.seed is None:
        return _match_words(db, project, search)
    if search.mode == "both" and search.near is None:
        return _match_both(db, project, search, search.seed)
    return _match_meaning(db, project, search, search.seed)


def _match_words(db: Session, project: Project, search: SearchRequest) -> Matches:
    ids = find_matching_ids(
        db, project.id, resolve_suggestion_filters(db, project, search.narrowed_to)
    )
    is_scored = search.sort == "score" and bool(search.wanted.include)
    return Matches(ids, score_bm25(db, ids, search.wanted.include) if is_scored else {})


def _match_meaning(db: Session, project: Project, search: SearchRequest, seed: Seed) -> Matches:
    version_id = None if search.version is None else find_version(db, project.id, search.version).id
    loaded = open_pinned_version(db, project, version_id)
    hits = rank_neighbours(db, project, loaded, seed, search.k, search.narrowed_to)
    cosines = {hit.record_id: hit.similarity for hit in hits}
    return Matches(
        _sort_ids(cosines), cosines, cosines, loaded=loaded, is_cut=len(hits) == search.k
    )


def _match_both(db: Session, project: Project, search: SearchRequest, seed: Seed) -> Matches:
    meaning = _match_meaning(db, project, search, seed)
    filters = resolve_suggestion_filters(db, project, search.filters_with_words)
    relevant = score_bm25(db, find_matching_ids(db, project.id, filters), search.wanted.include)
    by_words, by_meaning = rank_scores(relevant)[:MAX_HITS], rank_scores(meaning.scores)
    fused = reciprocal_rank_fusion([by_words, by_meaning])
    return Matches(
        _sort_ids(fused),
        fused,
        meaning.similarities,
        _places(by_words),
        _places(by_meaning),
        meaning.loaded,
        meaning.is_cut,
    )


def rank_scores(scores: dict[int, float]) -> list[int]:
    """The ids, the largest score first."""
    return sorted(scores, key=lambda each: (-scores[each], each))


def _places(ranking: list[int]) -> dict[int, int]:
    return {each: rank for rank, each in enumerate(ranking, start=1)}


def _sort_ids(scores: dict[int, float]) -> Ids:
    return np.array(sorted(scores), np.int64)


DAMPING = 60


def reciprocal_rank_fusion(
    rankings: Iterable[Sequence[int]], damping: int = DAMPING
) -> dict[int, float]:
    """Each id's score, the sum over the rankings that hold it of 1 / (damping + rank), rank from 1.

    Scores of different kinds need not be compared: only places count.
    Source: Cormack, Clarke and Büttcher 2009, Reciprocal Rank Fusion outperforms Condorcet and
    individual Rank Learning Methods, with their damping of 60.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, each in enumerate(ranking, start=1):
            scores[each] = scores.get(each, 0.0) + 1 / (damping + rank)
    return scores

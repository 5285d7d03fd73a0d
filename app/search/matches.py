"""Match and score records by words, by meaning, or by both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy.orm import Session

from app.ml.vectors import Ids
from app.models import Label, Project, Record
from app.projects.label_resolver import load_label_resolver
from app.projects.labels import list_all_labels
from app.records.record_ids import find_matching_ids
from app.records.records import load_consensus, load_records
from app.search.bm25 import score_bm25
from app.search.indexes import LoadedVersion
from app.search.request import SearchRequest
from app.search.similar import MAX_HITS, Seed, rank_neighbours
from app.search.suggestion_filters import resolve_suggestion_filters
from app.search.versions import SearchVersions


@dataclass(frozen=True)
class Matches:
    """The matches of a search.

    ids           (n,) int64, ascending
    scores        id → how well it fits, larger is better; an id that is missing counts as 0
    similarities  id → cosine to what was searched, in [-1, 1], most similar first
    word_ranks, meaning_ranks  id → its place in either ranking, from 1, where both were asked
    version       what the similarities are of
    versions      those that the search opened
    is_cut        only the nearest k were looked for, and there may be more
    """

    ids: Ids
    versions: SearchVersions
    scores: dict[int, float] = field(default_factory=dict)
    similarities: dict[int, float] = field(default_factory=dict)
    word_ranks: dict[int, int] = field(default_factory=dict)
    meaning_ranks: dict[int, int] = field(default_factory=dict)
    version: LoadedVersion | None = None
    is_cut: bool = False


def find_matches(db: Session, project: Project, search: SearchRequest) -> Matches:
    """Find all matching records; if ranked by similarity, the k nearest.

    Raises NotFound, NotIndexed and what else app.search.similar raises.
    """
    versions = SearchVersions(db, project.id, search.version)
    if search.seed is None:
        return _match_words(db, project, search, versions)
    if search.mode == "both" and search.near is None:
        return _match_both(db, project, search, search.seed, versions)
    return _match_meaning(db, project, search, search.seed, versions)


def _match_words(
    db: Session, project: Project, search: SearchRequest, versions: SearchVersions
) -> Matches:
    filters = resolve_suggestion_filters(db, project, search.narrowed_to, versions)
    ids = find_matching_ids(db, project.id, filters)
    is_scored = search.sort == "score" and bool(search.wanted.include)
    return Matches(ids, versions, score_bm25(db, ids, search.wanted.include) if is_scored else {})


def _match_meaning(
    db: Session, project: Project, search: SearchRequest, seed: Seed, versions: SearchVersions
) -> Matches:
    version = versions.ranking
    cosines = rank_neighbours(db, project, version, seed, search.k, search.narrowed_to, versions)
    return Matches(
        np.array(sorted(cosines), np.int64),
        versions,
        cosines,
        cosines,
        version=version,
        is_cut=len(cosines) == search.k,
    )


def _match_both(
    db: Session, project: Project, search: SearchRequest, seed: Seed, versions: SearchVersions
) -> Matches:
    meaning = _match_meaning(db, project, search, seed, versions)
    filters = resolve_suggestion_filters(db, project, search.filters_with_words, versions)
    relevant = score_bm25(db, find_matching_ids(db, project.id, filters), search.wanted.include)
    by_words, by_meaning = _rank(relevant)[:MAX_HITS], _rank(meaning.scores)
    fused = reciprocal_rank_fusion([by_words, by_meaning])
    return Matches(
        np.array(sorted(fused), np.int64),
        versions,
        fused,
        meaning.similarities,
        _places(by_words),
        _places(by_meaning),
        meaning.version,
        meaning.is_cut,
    )


def _rank(scores: dict[int, float]) -> list[int]:
    return sorted(scores, key=lambda each: (-scores[each], each))


def _places(ranking: list[int]) -> dict[int, int]:
    return {each: rank for rank, each in enumerate(ranking, start=1)}


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


@dataclass(frozen=True)
class SimilarRecord:
    """A neighbour with its labels and suggestion.

    rank        from 1; similarity: its cosine to the seed, in [-1, 1]
    labels      consensus; None means "none of these"; empty: unlabeled
    suggestion  a label that is available now, and its probability
    """

    rank: int
    similarity: float
    record: Record
    labels: tuple[Label | None, ...]
    suggestion: tuple[Label, float] | None


def load_similar_records(
    db: Session, project: Project, search: SearchRequest
) -> tuple[LoadedVersion, list[SimilarRecord]]:
    """Return the ranking version and the results of a similarity search, most similar first."""
    found = find_matches(db, project, search)
    version, ranking = found.versions.ranking, list(found.similarities)
    records, agreed = load_records(db, ranking), load_consensus(db, ranking)
    labels = {label.id: label for label in list_all_labels(db, project.id)}
    suggested = version.suggestions.resolve(ranking, load_label_resolver(db, project.id))
    return version, [
        SimilarRecord(
            rank,
            found.similarities[each],
            records[each],
            tuple(labels.get(label_id or 0) for label_id in agreed.get(each, ())),
            next(((labels[best.label_id], best.score) for best in suggested.get(each, ())), None),
        )
        for rank, each in enumerate(ranking, start=1)
        if each in records
    ]

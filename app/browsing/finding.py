"""Which records a search finds, and how well each fits: by words, by meaning, or by both."""

from dataclasses import dataclass, field

import numpy as np
from sqlalchemy.orm import Session

from app.browsing.asked import Asked
from app.browsing.relevance import relevance
from app.models import Project
from app.records.filters import Ids
from app.records.matching import matching_ids
from app.search.encoders import find_version
from app.search.indexes import Version
from app.search.narrowing import narrowed
from app.search.similar import MOST, Seed, pinned_version, similar
from app.similarity.fusion import reciprocal_rank_fusion


@dataclass(frozen=True)
class Found:
    """What a search finds.

    ids           (n,) int64, ascending
    scores        id → how well it fits, larger is better; an id that is missing counts as 0
    similarities  id → cosine to what was searched, in [-1, 1]
    word_ranks, meaning_ranks  id → its place in either ranking, from 1, where both were asked
    version       what the similarities are of
    is_cut        only the nearest MOST were looked for, and there may be more
    """

    ids: Ids
    scores: dict[int, float] = field(default_factory=dict)
    similarities: dict[int, float] = field(default_factory=dict)
    word_ranks: dict[int, int] = field(default_factory=dict)
    meaning_ranks: dict[int, int] = field(default_factory=dict)
    version: Version | None = None
    is_cut: bool = False


def find(db: Session, project: Project, asked: Asked) -> Found:
    """All that match; of those ranked by similarity, the MOST nearest.

    Raises NotFound, NotIndexed and what else app.search.similar raises.
    """
    if asked.seed is None:
        return _by_words(db, project, asked)
    if asked.mode == "both" and asked.near is None:
        return _by_both(db, project, asked, asked.seed)
    return _by_meaning(db, project, asked, asked.seed)


def _by_words(db: Session, project: Project, asked: Asked) -> Found:
    ids = matching_ids(db, project.id, narrowed(db, project, asked.narrowed_to))
    is_scored = asked.sort == "score" and bool(asked.wanted.include)
    return Found(ids, relevance(db, ids, asked.wanted.include) if is_scored else {})


def _by_meaning(db: Session, project: Project, asked: Asked, seed: Seed) -> Found:
    encoder_id = None if asked.version is None else find_version(db, project.id, asked.version).id
    version = pinned_version(db, project, encoder_id)
    hits = similar(db, project, seed, MOST, asked.narrowed_to, version.encoder.id)
    cosines = {hit.record_id: hit.similarity for hit in hits}
    return Found(_ascending(cosines), cosines, cosines, version=version, is_cut=len(hits) == MOST)


def _by_both(db: Session, project: Project, asked: Asked, seed: Seed) -> Found:
    meaning = _by_meaning(db, project, asked, seed)
    filters = narrowed(db, project, asked.filters_with_words)
    relevant = relevance(db, matching_ids(db, project.id, filters), asked.wanted.include)
    by_words, by_meaning = _ranked(relevant)[:MOST], _ranked(meaning.scores)
    fused = reciprocal_rank_fusion([by_words, by_meaning])
    return Found(
        _ascending(fused), fused, meaning.similarities, _places(by_words), _places(by_meaning),
        meaning.version, meaning.is_cut,
    )  # fmt: skip


def _ranked(scores: dict[int, float]) -> list[int]:
    return sorted(scores, key=lambda each: (-scores[each], each))


def _places(ranking: list[int]) -> dict[int, int]:
    return {each: rank for rank, each in enumerate(ranking, start=1)}


def _ascending(scores: dict[int, float]) -> Ids:
    return np.array(sorted(scores), np.int64)

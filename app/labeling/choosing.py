"""Which records a session holds, and in what order: one function for each way to begin.

Decision: records that the seed names come first, whatever was said about them, for they show what
the others are similar to; the filters apply to the others.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict, Invalid
from app.labeling.annotations import check_records
from app.labeling.audit import audit_records
from app.labeling.availability import embedded, opened, still_embedding, suggested_by
from app.labeling.certainty import Ids, certainty_of
from app.labeling.doubts import (
    Labeled,
    contradictions,
    labeled_records,
    latest_arrivals,
    most_doubtful,
    suspects,
    uncovered,
)
from app.labeling.suggested import offered_pages, sure_pages
from app.labeling.titles import TOO_FEW_LABELED, UNLABELED, nothing_left
from app.models import Project
from app.records.filters import Filters
from app.records.matching import matching_ids
from app.records.records import records_of
from app.search.encoders import active_encoder
from app.search.indexes import NotIndexed, Version
from app.search.narrowing import narrowed
from app.search.revisions import raw_encoder_id
from app.search.similar import Seed, similar
from app.similarity.sampling import representatives

# Clusters hardly move when more records than this are looked at, and the page would wait: then so
# many are drawn.
MOST_CLUSTERED = 20_000
N_CLUSTERED = 10_000
# How like the nearest labeled record an open one is: so many cosines take a fifth of a second.
MOST_LABELED = 8_000
MOST_COMPARED = 16_000_000


@dataclass(frozen=True)
class Chosen:
    """Records in their order, each with its similarity to the seed where there is one.

    label_id  the label that all of them are suggested, in a session of that kind
    """

    records: list[tuple[int, float | None]]
    encoder_id: int | None
    label_id: int | None = None


Way = Callable[[Session, Project, int, Filters], Chosen]


def choose(
    db: Session, project: Project, kind: str, seed: Seed | None, k: int, filters: Filters
) -> Chosen:
    """At most k records (beside those that the seed names) for a session of this kind.

    Raises Conflict, with a sentence, when that kind cannot be had yet or nothing is left, NotFound
    for foreign records.
    """
    filters = narrowed(db, project, filters)
    if kind == "suggested":
        chosen = _suggested(db, project, seed, k, filters)
    elif seed is not None and seed.kind == "given":
        chosen = _given(db, project, seed)
    elif seed is not None:
        chosen = _similar(db, project, seed, k, filters)
    elif kind in _WAYS:
        chosen = _WAYS[kind](db, project, k, filters)
    else:
        raise Invalid("A session starts from records, a label, words, or as one of these: " + KINDS)
    if not chosen.records:
        raise Conflict(nothing_left(kind, filters))
    return chosen


def audited(db: Session, project: Project, k: int) -> Chosen:
    """The next k records of the audit stream, which widens: call it within transaction()."""
    encoder = active_encoder(db, project.id)
    found = audit_records(db, project, k)
    if not found:
        raise Conflict(nothing_left("audit", UNLABELED))
    return Chosen([(each, None) for each in found], encoder.id if encoder else None)


def _random(db: Session, project: Project, k: int, filters: Filters) -> Chosen:
    ids = matching_ids(db, project.id, filters)
    picked = np.random.default_rng().permutation(ids)[:k]
    encoder = active_encoder(db, project.id)
    return Chosen(_without_similarity(picked), encoder.id if encoder else None)


def _given(db: Session, project: Project, seed: Seed) -> Chosen:
    """The named records themselves: neither k nor a filter changes what somebody picked."""
    check_records(db, project.id, seed.record_ids)
    encoder = active_encoder(db, project.id)
    return Chosen([(each, None) for each in seed.record_ids], encoder.id if encoder else None)


def _similar(db: Session, project: Project, seed: Seed, k: int, filters: Filters) -> Chosen:
    encoder = embedded(db, project)
    found = records_of(db, seed.record_ids)
    named = [i for i in seed.record_ids if i in found and found[i].project_id == project.id]
    try:
        hits = similar(db, project, seed, k, filters, encoder.id)
    except NotIndexed:
        raise still_embedding(db, project) from None
    first: list[tuple[int, float | None]] = [(record_id, None) for record_id in named]
    others = [(hit.record_id, hit.similarity) for hit in hits if hit.record_id not in found]
    return Chosen([*first, *others], encoder.id)


def _cold_start(db: Session, project: Project, k: int, filters: Filters) -> Chosen:
    encoder = embedded(db, project)
    version = opened(db, project, raw_encoder_id(encoder))
    ids = _held(matching_ids(db, project.id, filters), version)
    if len(ids) > MOST_CLUSTERED:
        ids = _at_most(ids, N_CLUSTERED, project)
    if len(ids) == 0:
        return Chosen([], encoder.id)
    rows = representatives(version.index.vectors(ids), min(k, project.min_labels))
    return Chosen(_without_similarity(ids[rows]), encoder.id)


def _uncertain(db: Session, project: Project, k: int, filters: Filters) -> Chosen:
    encoder = embedded(db, project)
    suggestions = suggested_by(db, project, encoder)
    is_open = np.isin(suggestions.ids, matching_ids(db, project.id, filters))
    order = np.argsort(-suggestions.uncertainty[is_open], kind="stable")[:k]
    return Chosen(_without_similarity(suggestions.ids[is_open][order]), encoder.id)


def _suggested(
    db: Session, project: Project, seed: Seed | None, k: int, filters: Filters
) -> Chosen:
    """The surest open records of one label; without a label, of the one that brings most among
    those that are offered."""
    encoder = embedded(db, project)
    suggestions = suggested_by(db, project, encoder)
    open_ids = matching_ids(db, project.id, filters)
    certainty = certainty_of(db, project, suggestions, open_ids)
    every_page = sure_pages(certainty, k)
    if seed is not None:
        pages = [page for page in every_page if page.label_id == seed.label_id]
    else:
        pages = offered_pages(db, project, certainty, k)
    if every_page and not pages and seed is None:
        raise Conflict(TOO_FEW_LABELED)
    if not pages:
        return Chosen([], encoder.id)
    return Chosen(_without_similarity(pages[0].ids), encoder.id, pages[0].label_id)


def _coverage(db: Session, project: Project, k: int, filters: Filters) -> Chosen:
    encoder = embedded(db, project)
    raw = opened(db, project, raw_encoder_id(encoder))
    labeled = _at_most(labeled_records(db, project, raw).ids, MOST_LABELED, project)
    n_compared = min(N_CLUSTERED, MOST_COMPARED // max(len(labeled), 1))
    open_ids = _held(matching_ids(db, project.id, filters), raw)
    open_ids = _at_most(open_ids, n_compared, project)
    found = uncovered(raw, labeled, open_ids, min(k, project.min_labels))
    return Chosen(_without_similarity(found), encoder.id)


def _recent(db: Session, project: Project, k: int, filters: Filters) -> Chosen:
    encoder = active_encoder(db, project.id)
    newest = latest_arrivals(db, project.id)
    found = newest[np.isin(newest, matching_ids(db, project.id, filters))][:k]
    return Chosen(_without_similarity(found), encoder.id if encoder else None)


def _doubted(doubt: Callable[[Version, Labeled, Ids], Ids]) -> Way:
    """A way to choose labeled records: "unlabeled", the usual filter of a session, is not meant."""

    def way(db: Session, project: Project, k: int, filters: Filters) -> Chosen:
        encoder = embedded(db, project)
        raw = opened(db, project, raw_encoder_id(encoder))
        labeled = labeled_records(db, project, raw)
        among = matching_ids(db, project.id, replace(filters, state="labeled"))
        suggestions = opened(db, project, encoder.id).suggestions
        found = doubt(raw, labeled, most_doubtful(labeled, suggestions, among))
        return Chosen(_without_similarity(found[:k]), encoder.id)

    return way


def _held(ids: Ids, version: Version) -> Ids:
    return ids[np.isin(ids, version.index.ids)]


def _at_most(ids: Ids, n: int, project: Project) -> Ids:
    """The ids, or n of them, the same each time, where more are more than a page can wait for."""
    if len(ids) <= n:
        return ids
    return np.sort(np.random.default_rng(project.id).choice(ids, n, replace=False))


def _without_similarity(ids: Ids) -> list[tuple[int, float | None]]:
    return [(int(record_id), None) for record_id in ids]


_WAYS: dict[str, Way] = {
    "cold_start": _cold_start,
    "uncertain": _uncertain,
    "random": _random,
    "coverage": _coverage,
    "recent": _recent,
    "suspects": _doubted(suspects),
    "contradictions": _doubted(contradictions),
}
KINDS = f"{', '.join(('given', 'suggested', 'audit', *_WAYS))}."

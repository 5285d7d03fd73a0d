"""Which records a session holds, and in what order: one function for each way to begin.

Decision: records that the seed names come first, whatever was said about them, for they show what
the others are similar to; the filters apply to the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import AppError, Conflict, Invalid
from app.models import Encoder, Project
from app.records.filters import Filters, matching_ids
from app.records.records import records_of
from app.search.embedding import progress
from app.search.encoders import active_encoder
from app.search.indexes import NotIndexed, Version, open_version
from app.search.similar import Seed, similar
from app.similarity.sampling import representatives

# Clusters hardly move when more records than this are looked at, and the page would wait.
MOST_CLUSTERED = 20_000


@dataclass(frozen=True)
class Chosen:
    """Records in their order, each with its similarity to the seed where there is one."""

    records: list[tuple[int, float | None]]
    encoder_id: int | None


def choose(
    db: Session, project: Project, kind: str, seed: Seed | None, k: int, filters: Filters
) -> Chosen:
    """At most k records (beside those that the seed names) for a session of this kind.

    Raises Conflict, with a sentence, when that kind cannot be had yet or nothing is left.
    """
    if seed is not None:
        chosen = _similar(db, project, seed, k, filters)
    elif kind in _WAYS:
        chosen = _WAYS[kind](db, project, k, filters)
    else:
        raise Invalid("A session starts from records, a label, words, or as one of these: " + KINDS)
    if not chosen.records:
        raise Conflict(_nothing_left(filters))
    return chosen


def _nothing_left(filters: Filters) -> str:
    if filters == Filters(state="unlabeled"):
        return "There is nothing left to label: every record of this project has its label."
    return "No record matches these filters."


def _random(db: Session, project: Project, k: int, filters: Filters) -> Chosen:
    ids = matching_ids(db, project.id, filters)
    picked = np.random.default_rng().permutation(ids)[:k]
    encoder = active_encoder(db, project.id)
    return Chosen(_without_similarity(picked), encoder.id if encoder else None)


def _similar(db: Session, project: Project, seed: Seed, k: int, filters: Filters) -> Chosen:
    encoder = _embedded(db, project)
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
    encoder = _embedded(db, project)
    version = _version(db, project, encoder.raw_encoder_id or encoder.id)
    ids = np.intersect1d(matching_ids(db, project.id, filters), version.index.ids)
    if len(ids) > MOST_CLUSTERED:
        sampled = np.random.default_rng(project.id).choice(ids, MOST_CLUSTERED, replace=False)
        ids = np.sort(sampled)
    if len(ids) == 0:
        return Chosen([], encoder.id)
    rows = representatives(version.index.vectors(ids), min(k, project.min_labels))
    return Chosen(_without_similarity(ids[rows]), encoder.id)


def _uncertain(db: Session, project: Project, k: int, filters: Filters) -> Chosen:
    encoder = _embedded(db, project)
    suggestions = _version(db, project, encoder.id).suggestions
    if len(suggestions.ids) == 0:
        raise Conflict(
            "There are no suggestions to be unsure about yet: they come with the first tuned "
            "version. Begin with representative or random records."
        )
    is_open = np.isin(suggestions.ids, matching_ids(db, project.id, filters))
    order = np.argsort(-suggestions.uncertainty[is_open], kind="stable")[:k]
    return Chosen(_without_similarity(suggestions.ids[is_open][order]), encoder.id)


def _without_similarity(ids: NDArray[np.int64]) -> list[tuple[int, float | None]]:
    return [(int(record_id), None) for record_id in ids]


def _embedded(db: Session, project: Project) -> Encoder:
    encoder = active_encoder(db, project.id)
    if encoder is None:
        raise still_embedding(db, project)
    return encoder


def _version(db: Session, project: Project, encoder_id: int) -> Version:
    try:
        return open_version(db, encoder_id)
    except NotIndexed:
        raise still_embedding(db, project) from None


def still_embedding(db: Session, project: Project) -> AppError:
    """Why similarity is not to be had yet, and what can be done meanwhile."""
    so_far = progress(db, project)
    if so_far.n_total == 0:
        return Conflict("This project has no records yet: import some first.")
    return Conflict(
        f"Records are still being embedded: {so_far.n_done:,} of {so_far.n_total:,}. Random "
        "records can be labeled at once; the similar ones follow when that is done."
    )


_WAYS: dict[str, Callable[[Session, Project, int, Filters], Chosen]] = {
    "cold_start": _cold_start,
    "uncertain": _uncertain,
    "random": _random,
}
KINDS = f"{', '.join(_WAYS)}."

"""Find the nearest neighbours of a record, several records, a label or a text."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import id_chunks
from app.errors import Conflict, Invalid, NotFound
from app.metrics import SEARCHES
from app.ml.vectors import SHORTEST_ROW, Ids, Vectors
from app.models import Consensus, Label, Project, Record
from app.records.filters import Filters
from app.records.record_ids import find_matching_ids, load_id_columns
from app.search.index_revisions import find_base_version_id
from app.search.indexes import LoadedVersion, NotIndexed, open_version
from app.search.model_cache import load_text_encoder
from app.search.suggestion_filters import resolve_suggestion_filters
from app.search.vectors import load_vectors
from app.search.versions import (
    SearchVersions,
    check_not_deleted,
    find_active_version,
    find_version_by_id,
)

MAX_HITS = 1000
LONGEST_TEXT = 20_000

SeedKind = Literal["record", "selection", "label", "text", "given"]


@dataclass(frozen=True)
class Seed:
    """The query of a similarity search.

    kind        record, selection: record_ids; label: label_id; text: text; given: record_ids,
                which are meant themselves, in this order, and no neighbour of theirs
    record_ids  several are represented by the mean of their vectors
    """

    kind: SeedKind
    record_ids: tuple[int, ...] = ()
    label_id: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Hit:
    """A neighbour: its cosine to the seed in [-1, 1], and its rank from 1."""

    record_id: int
    similarity: float
    rank: int


def find_neighbours(
    db: Session,
    project: Project,
    seed: Seed,
    k: int,
    filters: Filters | None = None,
    version_id: int | None = None,
    *,
    with_seed: bool = False,
) -> list[Hit]:
    """Find the k records nearest to the seed by exact cosine, most similar first.

    filters     hold inside the search: fewer than k come back only if fewer match
    version_id  a version of this project; None means the active one
    with_seed   whether the seed's own records may be among them

    Raises NotFound for a record, label or version that is unknown or another project's, Invalid
    for an empty text, Conflict when the seed has no vector yet (NotIndexed: when nothing has),
    CorruptFile, BaseModelMissing.
    """
    version = open_pinned_version(db, project, version_id)
    found = rank_neighbours(db, project, version, seed, k, filters, with_seed=with_seed)
    return [Hit(each, similarity, rank) for rank, (each, similarity) in enumerate(found.items(), 1)]


def rank_neighbours(
    db: Session,
    project: Project,
    version: LoadedVersion,
    seed: Seed,
    k: int,
    filters: Filters | None = None,
    versions: SearchVersions | None = None,
    *,
    with_seed: bool = False,
) -> dict[int, float]:
    """Rank the same by a version that is open: record id → cosine, most similar first.

    versions  those that the request has open, for filters by suggestion
    """
    SEARCHES.labels(seed.kind).inc()
    query = _build_query(db, project, version, seed)
    among = None
    if filters is not None and not filters.is_empty:
        resolved = resolve_suggestion_filters(db, project, filters, versions)
        among = find_matching_ids(db, project.id, resolved)
    without = [] if with_seed else list(seed.record_ids)
    while True:
        ids, similarities = version.index.search(
            query, k, among=among, without=np.array(without, np.int64) if without else None
        )
        present = _find_present(db, project.id, ids[0])
        if len(present) == ids.shape[1]:
            break
        # Deleted since the index was written: ask for others in their place.
        without += [each for each in ids[0].tolist() if each not in present]
    return dict(zip(ids[0].tolist(), similarities[0].tolist(), strict=True))


def open_pinned_version(
    db: Session, project: Project, version_id: int | None = None
) -> LoadedVersion:
    """Open the version with this id, or the active one. Raises NotFound, NotIndexed,
    CorruptFile."""
    if version_id is not None:
        check_not_deleted(pinned := find_version_by_id(db, project.id, version_id))
        return open_version(db, pinned.id)
    version = find_active_version(db, project.id)
    if version is None:
        raise NotIndexed
    return open_version(db, version.id)


def _build_query(db: Session, project: Project, version: LoadedVersion, seed: Seed) -> Vectors:
    """Return the seed's vector by the version: (1, d) float32."""
    if seed.kind == "text":
        return _query_from_text(db, version, seed.text)
    if seed.kind == "label":
        return _query_from_label(db, project, version, seed.label_id)
    return _query_from_records(db, project, version, seed.record_ids)


def _query_from_text(db: Session, version: LoadedVersion, text: str) -> Vectors:
    if not text.strip():
        raise Invalid("Enter a text to search for.")
    if len(text) > LONGEST_TEXT:
        raise Invalid(f"Search texts can have at most {LONGEST_TEXT:,} characters.")
    return version.head.tune(load_text_encoder(db, version.version).encode([text.strip()]))


def _query_from_label(
    db: Session, project: Project, version: LoadedVersion, label_id: int | None
) -> Vectors:
    label = db.scalar(
        select(Label).where(Label.project_id == project.id, Label.id == (label_id or 0))
    )
    if label is None:
        raise NotFound("label")
    [labeled] = load_id_columns(
        db,
        select(Consensus.record_id)
        .where(Consensus.project_id == project.id, Consensus.label_id == label.id)
        .order_by(Consensus.record_id),
    )
    ids = labeled[np.isin(labeled, version.index.ids)]
    if len(ids) == 0:
        raise Conflict(f"No embedded record has the label {label.name} yet.")
    return _compute_mean(version.index.vectors(ids))


def _query_from_records(
    db: Session, project: Project, version: LoadedVersion, record_ids: tuple[int, ...]
) -> Vectors:
    wanted = np.unique(np.array(record_ids, np.int64))
    if len(wanted) == 0:
        raise Invalid("Choose at least one record.")
    if len(_find_present(db, project.id, wanted)) < len(wanted):
        raise NotFound("record")
    indexed = wanted[np.isin(wanted, version.index.ids)]
    vectors = [version.index.vectors(indexed)]
    # Embedded after the revision was written: its vector is in the database already.
    late, raw = load_vectors(
        db, find_base_version_id(version.version), np.setdiff1d(wanted, indexed).tolist()
    )
    if late:
        vectors.append(version.head.tune(raw))
    if len(indexed) + len(late) == 0:
        raise Conflict("This record has not been embedded yet. Try again shortly.")
    return _compute_mean(np.concatenate(vectors))


def _compute_mean(vectors: Vectors) -> Vectors:
    mean = np.asarray(vectors.mean(axis=0, keepdims=True), np.float32)
    if np.linalg.norm(mean) < SHORTEST_ROW:
        raise Invalid("The embeddings of these records cancel out. Choose fewer records.")
    return mean


def _find_present(db: Session, project_id: int, ids: Ids) -> set[int]:
    """Return which of these are records of the project."""
    present: set[int] = set()
    for some in id_chunks(ids):
        in_project = select(Record.id).where(Record.project_id == project_id, Record.id.in_(some))
        present |= set(db.scalars(in_project))
    return present

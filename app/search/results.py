"""What a search found, with all that a row of its page shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.models import Label, Project, Record
from app.projects.label_resolver import load_label_resolver
from app.projects.labels import list_all_labels
from app.records.records import load_consensus, load_records
from app.search.indexes import LoadedVersion
from app.search.request import SimilarityRequest
from app.search.similar import Hit, find_neighbours, open_pinned_version
from app.search.versions import find_version


@dataclass(frozen=True)
class SimilarRecord:
    """A neighbour as people see it.

    labels      what is agreed about it; None in it means "none of these"; empty: unlabeled
    suggestion  a label that can be given now, and the chance that it is right
    """

    rank: int
    similarity: float
    record: Record
    labels: tuple[Label | None, ...]
    suggestion: tuple[Label, float] | None


@dataclass(frozen=True)
class SimilarityResults:
    """The neighbours, and the version that found them."""

    version: LoadedVersion
    found: tuple[SimilarRecord, ...]


def find_similar_records(
    db: Session, project: Project, search: SimilarityRequest
) -> SimilarityResults:
    """Carry out a search that has a seed. Raises as similar() does."""
    assert search.seed is not None
    version_id = None
    if search.version is not None:
        version_id = find_version(db, project.id, search.version).id
    version = open_pinned_version(db, project, version_id)
    hits = find_neighbours(
        db, project, search.seed, search.k, search.filters, version_id=version.encoder.id
    )
    return SimilarityResults(version, _describe(db, project, version, hits))


def _describe(
    db: Session, project: Project, version: LoadedVersion, hits: Sequence[Hit]
) -> tuple[SimilarRecord, ...]:
    ids = [hit.record_id for hit in hits]
    records = load_records(db, ids)
    agreed = load_consensus(db, ids)
    labels = {label.id: label for label in list_all_labels(db, project.id)}
    resolver = load_label_resolver(db, project.id)
    suggested = {
        record_id: (labels[label_id], best.score)
        for record_id, best in version.suggestions.of(ids).items()
        if (label_id := resolver.resolve(best.label_id)) is not None
    }
    return tuple(
        SimilarRecord(
            rank=hit.rank,
            similarity=hit.similarity,
            record=records[hit.record_id],
            labels=tuple(labels.get(each or 0) for each in agreed.get(hit.record_id, ())),
            suggestion=suggested.get(hit.record_id),
        )
        for hit in hits
        if hit.record_id in records
    )

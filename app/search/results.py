"""What a search found, with all that a row of its page shows."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import Invalid
from app.models import Label, Project, Record
from app.projects.label_resolver import load_label_resolver
from app.projects.labels import list_all_labels
from app.records.records import load_consensus, load_records
from app.search.indexes import LoadedVersion
from app.search.matches import Matches, find_matches, rank_scores
from app.search.request import SearchRequest


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

    loaded: LoadedVersion
    found: tuple[SimilarRecord, ...]


def find_similar_records(db: Session, project: Project, search: SearchRequest) -> SimilarityResults:
    """Carry out a search that ranks by similarity, whole texts included. Raises as find_matches."""
    matches = find_matches(db, project, search)
    if matches.loaded is None:
        raise Invalid("Name what the records shall be similar to.")
    return SimilarityResults(matches.loaded, _describe(db, project, matches.loaded, matches))


def _describe(
    db: Session, project: Project, loaded: LoadedVersion, matches: Matches
) -> tuple[SimilarRecord, ...]:
    ids = rank_scores(matches.scores)
    records = load_records(db, ids)
    agreed = load_consensus(db, ids)
    labels = {label.id: label for label in list_all_labels(db, project.id)}
    resolver = load_label_resolver(db, project.id)
    suggested = {
        record_id: (labels[label_id], best.score)
        for record_id, best in loaded.suggestions.of(ids).items()
        if (label_id := resolver.resolve(best.label_id)) is not None
    }
    return tuple(
        SimilarRecord(
            rank=rank,
            similarity=matches.similarities[record_id],
            record=records[record_id],
            labels=tuple(labels.get(each or 0) for each in agreed.get(record_id, ())),
            suggestion=suggested.get(record_id),
        )
        for rank, record_id in enumerate(ids, start=1)
        if record_id in records
    )

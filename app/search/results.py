"""What a search found, with all that a row of its page shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.models import Label, Project, Record
from app.projects.labels import every_label, is_offered
from app.records.records import consensus_of, records_of
from app.search.asking import Asked
from app.search.encoders import find_version
from app.search.indexes import Version
from app.search.narrowing import merged_end
from app.search.similar import Hit, pinned_version, similar
from app.search.suggestions import Suggestion


@dataclass(frozen=True)
class Found:
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
class Results:
    """The neighbours, and the version that found them."""

    version: Version
    found: tuple[Found, ...]


def find(db: Session, project: Project, asked: Asked) -> Results:
    """Carry out a search that has a seed. Raises as similar() does."""
    assert asked.seed is not None
    encoder_id = None
    if asked.version is not None:
        encoder_id = find_version(db, project.id, asked.version).id
    version = pinned_version(db, project, encoder_id)
    hits = similar(db, project, asked.seed, asked.k, asked.filters, encoder_id=version.encoder.id)
    return Results(version, _described(db, project, version, hits))


def _described(
    db: Session, project: Project, version: Version, hits: Sequence[Hit]
) -> tuple[Found, ...]:
    ids = [hit.record_id for hit in hits]
    records = records_of(db, ids)
    agreed = consensus_of(db, ids)
    labels = {label.id: label for label in every_label(db, project.id)}
    suggested = version.suggestions.of(ids)
    return tuple(
        Found(
            rank=hit.rank,
            similarity=hit.similarity,
            record=records[hit.record_id],
            labels=tuple(labels.get(each or 0) for each in agreed.get(hit.record_id, ())),
            suggestion=_offered(suggested.get(hit.record_id), labels),
        )
        for hit in hits
        if hit.record_id in records
    )


def _offered(suggestion: Suggestion | None, labels: dict[int, Label]) -> tuple[Label, float] | None:
    """The suggestion in a label that can be given now: a merged one stands for its target."""
    if suggestion is None:
        return None
    label = labels.get(suggestion.label_id)
    label = None if label is None else merged_end(label, labels)
    return (label, suggestion.score) if label is not None and is_offered(label) else None

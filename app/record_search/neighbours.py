"""Compare a record's nearest neighbours before and after tuning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from app.errors import AppError
from app.models import Label, Project, Record
from app.projects.labels import list_all_labels
from app.records.records import RecordExcerpt, load_consensus, load_excerpts
from app.search.index_revisions import find_base_version_id
from app.search.similar import Hit, Seed, find_neighbours
from app.search.versions import find_active_version

SHOWN = 10
CHARACTERS = 240
# Depth to which the other ranking is searched for a record's rank.
SEARCH_DEPTH = 100

Move = Literal["", "entered", "left", "up", "down", "same"]


@dataclass(frozen=True)
class Neighbour:
    """A neighbour in one ranking; `other_rank` is its rank in the other, None beyond SEARCH_DEPTH.

    move  from the base to the tuned ranking; empty if there is only one ranking
    """

    rank: int
    similarity: float
    record: RecordExcerpt
    labels: tuple[Label | None, ...]
    move: Move
    other_rank: int | None


@dataclass(frozen=True)
class NeighbourComparison:
    """The nearest SHOWN records by the base vectors, and by the active version if it is tuned."""

    raw: list[Neighbour]
    tuned: list[Neighbour] | None
    version: int
    trouble: str = ""


def compare_neighbours(db: Session, project: Project, record: Record) -> NeighbourComparison:
    """Compute both rankings; `trouble` explains why there are none yet."""
    active = find_active_version(db, project.id)
    if active is None:
        return NeighbourComparison(
            [], None, 0, "No neighbours yet: this project's records have not been embedded."
        )
    raw_id, seed = find_base_version_id(active), Seed("record", record_ids=(record.id,))
    try:
        raw = find_neighbours(db, project, seed, SEARCH_DEPTH, None, raw_id)
        is_tuned = raw_id != active.id
        tuned = (
            find_neighbours(db, project, seed, SEARCH_DEPTH, None, active.id) if is_tuned else None
        )
    except AppError as trouble:
        return NeighbourComparison([], None, active.number, trouble.sentence)
    if tuned is None:
        return NeighbourComparison(
            _describe(db, project, raw, lambda hit: ("", None)), None, active.number
        )
    before, after = _ranks(raw), _ranks(tuned)
    return NeighbourComparison(
        _describe(db, project, raw, lambda hit: _fate(after.get(hit.record_id))),
        _describe(db, project, tuned, lambda hit: _origin(hit.rank, before.get(hit.record_id))),
        active.number,
    )


def _ranks(hits: Sequence[Hit]) -> dict[int, int]:
    return {hit.record_id: hit.rank for hit in hits}


def _fate(rank_after: int | None) -> tuple[Move, int | None]:
    has_left = rank_after is None or rank_after > SHOWN
    return ("left" if has_left else ""), rank_after


def _origin(rank: int, rank_before: int | None) -> tuple[Move, int | None]:
    if rank_before is None or rank_before > SHOWN:
        return "entered", rank_before
    if rank_before == rank:
        return "same", rank_before
    return ("up" if rank_before > rank else "down"), rank_before


def _describe(
    db: Session,
    project: Project,
    hits: Sequence[Hit],
    moved: Callable[[Hit], tuple[Move, int | None]],
) -> list[Neighbour]:
    shown = hits[:SHOWN]
    records = load_excerpts(db, [hit.record_id for hit in shown], CHARACTERS)
    agreed = load_consensus(db, records)
    labels = {label.id: label for label in list_all_labels(db, project.id)}
    return [
        Neighbour(
            hit.rank,
            hit.similarity,
            records[hit.record_id],
            tuple(labels.get(each or 0) for each in agreed.get(hit.record_id, ())),
            *moved(hit),
        )
        for hit in shown
        if hit.record_id in records
    ]

"""A record's neighbours before and after tuning, side by side: who entered, left and moved."""

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
# How far the other ranking is looked through for where a record came from, or went.
SEARCH_DEPTH = 100

Move = Literal["", "entered", "left", "up", "down", "same"]


@dataclass(frozen=True)
class Neighbour:
    """A record's place in one ranking; `other_rank` is its place in the other, None beyond SOUGHT.

    move  towards the tuned ranking; empty where there is only one
    """

    rank: int
    similarity: float
    record: RecordExcerpt
    labels: tuple[Label | None, ...]
    move: Move
    other_rank: int | None


@dataclass(frozen=True)
class NeighbourComparison:
    """The nearest SHOWN by the raw vectors, and by the active version if that is a tuned one."""

    raw: list[Neighbour]
    tuned: list[Neighbour] | None
    version: int
    trouble: str = ""


def compare_neighbours(db: Session, project: Project, record: Record) -> NeighbourComparison:
    """Both rankings; `trouble` says why there is none yet."""
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

"""The map keeps up with the records: drawn by the worker for every version, in its own time.

Decision: what is due is derived, never noted: a version whose index is newer than its map. Maps are
drawn once a project's records are all embedded, that of the raw version first, for the others begin
with it and are aligned to it.
Decision: records that arrive later are placed among their neighbours, and the others stay. When
there are half as many again, the map is laid out anew, beginning with where everything lay.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import read_session
from app.maps.drawing_status import DrawingStatus, find_failure_time, write_status
from app.maps.map_files import MAP, SKETCH, Map, list_maps, open_map, publish_map
from app.maps.numba_cache import configure_numba_cache
from app.ml.heads.storage import load_head
from app.ml.map import (
    COMPONENTS,
    Points,
    compute_layout_of_components,
    compute_principal_components,
    compute_sketch,
    ignore_progress,
    place_missing,
)
from app.ml.vectors import Ids, Vectors
from app.models import Artifact, Embedding, Project, Version, utc_now
from app.search.embedding import count_missing
from app.search.index_revisions import find_base_version_id
from app.search.vector_lock import hold_vectors
from app.search.vectors import gather_blocks, list_embedded_ids, read_blocks
from app.search.versions import find_active_version, find_raw_version
from app.settings import settings
from app.storage import CorruptFile, verified_path

log = structlog.get_logger()

GROWTH = 1.5
RETRY_SECONDS = 600.0
REPORT_STEP = 0.02


def list_due_maps(db: Session) -> list[int]:
    """Ids of the versions whose map can and should be drawn now, the most wanted first."""
    lacking = _find_outdated(db)
    due = []
    for project in db.scalars(select(Project).order_by(Project.id)):
        wanted = [
            candidate for candidate in _list_candidates(db, project) if candidate.id in lacking
        ]
        if wanted and count_missing(db, project) == 0:
            due += [
                each.id for each in _prioritize(db, project, wanted) if not _is_backing_off(each.id)
            ]
    return due


def _find_outdated(db: Session) -> set[int]:
    """Versions with an index, and no whole map that is as new. One query: asked all the time."""
    named = select(Artifact).where(Artifact.kind.in_(("index", MAP))).order_by(Artifact.revision)
    newest = {(file.version_id, file.kind): file for file in db.scalars(named)}
    return {
        version_id
        for (version_id, kind), index in newest.items()
        if kind == "index" and not _is_as_new(newest.get((version_id, MAP)), index)
    }


def _is_as_new(drawn: Artifact | None, index: Artifact) -> bool:
    if drawn is None or drawn.created_at < index.created_at:
        return False
    path = settings().data_dir / drawn.file
    return path.is_file() and path.stat().st_size == drawn.n_bytes


def _list_candidates(db: Session, project: Project) -> list[Version]:
    ours = select(Version).where(Version.project_id == project.id, Version.number > 0)
    return list(db.scalars(ours.order_by(Version.number.desc())))


def _prioritize(db: Session, project: Project, wanted: list[Version]) -> list[Version]:
    """Return the raw version alone while it is among them; then the active one, then the newest."""
    raw, active = find_raw_version(db, project), find_active_version(db, project.id)
    if raw is not None and raw in wanted:
        return [raw]
    return sorted(wanted, key=lambda each: active is None or each.id != active.id)


def _is_backing_off(version_id: int) -> bool:
    failed_at = find_failure_time(version_id)
    return failed_at is not None and utc_now() - failed_at < timedelta(seconds=RETRY_SECONDS)


def draw_sketch(version_id: int, check_stopped: Callable[[float], None] = ignore_progress) -> None:
    """First step: where there is no map yet, its two principal components, within seconds.

    go_on  is called while another job holds the vectors, and may raise to stop
    """
    with read_session() as db:
        if list_maps(db, version_id):
            return
    with _only_holder(version_id, check_stopped):
        read_at = utc_now()
        sketched = _load_sketch(version_id)
    if sketched is not None:
        publish_map(version_id, sketched, SKETCH, read_at)


def _load_sketch(version_id: int) -> Map | None:
    ids, vectors = _load_tuned_vectors(version_id)
    return Map(ids, compute_sketch(vectors), len(ids)) if len(ids) else None


def draw_map(version_id: int, check_stopped: Callable[[float], None] = ignore_progress) -> None:
    """Second step: lay the records out, or place the new ones, and publish that as the map.

    go_on  is told the share done, and may raise to stop
    """
    with _only_holder(version_id, check_stopped):
        read_at, began = utc_now(), time.monotonic()
        drawn = _place_or_reduce(version_id)
    if drawn is None:
        return
    if isinstance(drawn, _Reduced):
        configure_numba_cache()
        report = _make_reporter(version_id, check_stopped)
        laid = compute_layout_of_components(drawn.components, before=drawn.points, report=report)
        drawn = Map(drawn.ids, laid, len(drawn.ids))
    publish_map(version_id, drawn, MAP, read_at)
    log.info(
        "map.drawn",
        version_id=version_id,
        n_records=len(drawn.ids),
        seconds=round(time.monotonic() - began, 1),
    )


@dataclass(frozen=True)
class _Reduced:
    """What laying out takes: the records, their principal components, and where they lay."""

    ids: Ids
    components: Vectors
    points: Points


def _place_or_reduce(version_id: int) -> Map | _Reduced | None:
    """All that needs the vectors themselves, for laying out takes minutes without them."""
    ids, vectors = _load_tuned_vectors(version_id)
    if len(ids) == 0:
        return None
    own, points = _load_previous(version_id, ids)
    if own is not None and _can_be_placed(own, points):
        return Map(ids, place_missing(vectors, points), own.n_drawn)
    return _Reduced(ids, compute_principal_components(vectors, COMPONENTS), points)


def _only_holder(
    version_id: int, check_stopped: Callable[[float], None]
) -> AbstractContextManager[None]:
    with read_session() as db:
        project_id = db.get_one(Version, version_id).project_id
    return hold_vectors(project_id, lambda: check_stopped(0.0))


def note_failure(version_id: int, sentence: str) -> None:
    """Tell the page why the map is not drawn; it is tried again after a while."""
    log.warning("map.not_drawn", version_id=version_id, why=sentence)
    write_status(version_id, DrawingStatus(error=sentence))


def _load_tuned_vectors(version_id: int) -> tuple[Ids, Vectors]:
    """Record ids (n,), ascending, and their vectors by this version (n, d). Raises Damaged."""
    with read_session() as db:
        version = db.get_one(Version, version_id)
        file = db.scalar(
            select(Artifact).where(Artifact.version_id == version_id, Artifact.kind == "head")
        )
        ids = list_embedded_ids(db, find_base_version_id(version))
    tune = None if file is None else load_head(verified_path(file.file, file.sha256)).tune
    return gather_blocks(read_blocks(find_base_version_id(version), ids), len(ids), tune)


def _load_previous(version_id: int, ids: Ids) -> tuple[Map | None, Points]:
    """Load the version's own map, and where these records lay: on that, else on the raw version's.

    A record that was embedded since has no place: its text is another one.
    """
    with read_session() as db:
        version = db.get_one(Version, version_id)
        own = _open_newest(list_maps(db, version_id))
        if own is None:
            raw = find_raw_version(db, db.get_one(Project, version.project_id))
            of_raw = None if raw is None else _open_newest(list_maps(db, raw.id))
            return None, _empty_points(ids) if of_raw is None else of_raw[1].find_points(ids)
        since = select(Embedding.record_id).where(
            Embedding.version_id == find_base_version_id(version),
            Embedding.embedded_at > own[0].created_at,
        )
        renewed = np.fromiter(db.scalars(since), np.int64)
    points = own[1].find_points(ids)
    points[np.isin(ids, renewed)] = np.nan
    return own[1], points


def _open_newest(artifacts: Iterable[Artifact]) -> tuple[Artifact, Map] | None:
    for artifact in artifacts:
        try:
            if artifact.kind == MAP:
                return artifact, open_map(artifact)
        except CorruptFile:
            log.error("map.damaged", file=artifact.file)
    return None


def _empty_points(ids: Ids) -> Points:
    return np.full((len(ids), 2), np.nan, np.float32)


def _can_be_placed(own: Map, points: Points) -> bool:
    n_known = int(np.isfinite(points).all(axis=1).sum())
    return n_known > 0 and len(points) < GROWTH * own.n_drawn and len(points) < GROWTH * n_known


def _make_reporter(
    version_id: int, check_stopped: Callable[[float], None]
) -> Callable[[float], None]:
    latest = -1.0

    def report(share: float) -> None:
        nonlocal latest
        check_stopped(share)
        if share >= latest + REPORT_STEP:
            latest = share
            write_status(version_id, DrawingStatus(share), is_progress=True)

    return report

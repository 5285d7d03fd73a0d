"""Compute missing embeddings, for raw and deep versions.

Decision: what is missing is derived, never stored: a record without an embedding of its current
text. So embedding resumes after any failure, and a changed text is embedded again automatically.
Decision: only the speed is kept elsewhere, in a small file that the worker replaces and pages
read, because nothing depends on it.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.jobs.steps import failpoint
from app.ml.encoding.multi_gpu import count_gpus
from app.ml.vectors import Ids, Vectors
from app.models import Embedding, Project, Record, Version
from app.search.base_versions import list_followed_versions
from app.search.embedding_progress import EmbeddingPace, read_status
from app.search.embedding_speed import record_speed
from app.search.model_cache import load_text_encoder
from app.search.runtimes import settle_runtime
from app.search.vectors import (
    as_bytes,
    chunks,
    gather_blocks,
    id_blocks,
    list_embedded_ids,
    load_vectors_by_hash,
    read_block,
    store_vectors,
)
from app.search.versions import get_or_create_raw_version
from app.settings import settings

# Texts that go to the encoder at once. They are of like length, so little goes into padding, and
# few enough that a killed worker loses seconds.
SLICE = 256
SLICE_PER_GPU = 4_096
# Counting reads every record of the project, so in between what was stored is added up.
SLICES_PER_COUNT = 100
# What one round looks at: enough to sort by length well, little enough to hold in memory.
ROUND = 20_000

Report = Callable[[int, int], None]
Missing = tuple[int, str]


@dataclass(frozen=True)
class EmbeddingProgress:
    """Progress of embedding. per_second counts records; None while nothing is running.

    error  why the worker stopped embedding, if it did; it retries automatically
    """

    n_done: int
    n_total: int
    per_second: float | None
    seconds_left: float | None
    error: str | None

    @property
    def is_done(self) -> bool:
        """Whether every record has the vector of its current text."""
        return self.n_done >= self.n_total


def load_embedding_progress(db: Session, project: Project) -> EmbeddingProgress:
    """Load the progress: counts from the database, speed and error as last reported by the worker.

    While the worker is at it, or in trouble, a vector of a former text counts as missing; otherwise
    as the vector that it is: to compare all texts takes half of a page's time in a large project.
    """
    n_total = _count_records(db, project.id)
    status = read_status(db, project.id)
    is_exact = status.per_second is not None or status.error is not None
    n_left = count_missing(db, project) if is_exact else _count_without(db, project, n_total)
    rate = status.per_second if n_left else None
    return EmbeddingProgress(
        n_done=n_total - n_left,
        n_total=n_total,
        per_second=rate,
        seconds_left=n_left / rate if rate else None,
        error=status.error if n_left else None,
    )


def count_missing(db: Session, project: Project) -> int:
    """Count records without a vector of their current text, by the raw or the active version."""
    followed = list_followed_versions(db, project)
    if not followed:
        return _count_records(db, project.id)
    return max(count_missing_for(db, version) for version in followed)


def _count_without(db: Session, project: Project, n_total: int) -> int:
    """Count records without any vector, by the raw or the active version."""
    followed = list_followed_versions(db, project)
    return n_total - min((_count_embedded(db, each) for each in followed), default=0)


def _count_embedded(db: Session, version: Version) -> int:
    of_version = select(func.count()).select_from(Embedding)
    return db.scalar(of_version.where(Embedding.version_id == version.id)) or 0


def count_missing_for(db: Session, version: Version) -> int:
    """Count records of the project without a vector of their current text by this version."""
    n_total = _count_records(db, version.project_id)
    if n_total == 0:
        return 0
    # Joined from the embeddings' side, both databases read indexes alone and no vectors.
    present = (
        select(func.count())
        .select_from(Embedding)
        .join(
            Record,
            and_(Record.id == Embedding.record_id, Record.content_hash == Embedding.content_hash),
        )
        .where(Embedding.version_id == version.id, Record.project_id == version.project_id)
    )
    return n_total - (db.scalar(present) or 0)


def load_all_vectors(
    db: Session, base_version_id: int, *, among: Ids | None = None
) -> tuple[Ids, Vectors]:
    """Load all raw vectors: record ids (n,) int64, ascending, and vectors (n, d) float32, length 1.

    among  only those of these records that have one

    (0,) and (0, 0) before the first one. A record whose text just changed has its old vector; one
    that is deleted meanwhile may be missing, and one that arrives meanwhile is.

    The vectors of a large project take gigabytes: jobs read them within
    app.search.vector_lock.hold_vectors.
    """
    wanted = list_embedded_ids(db, base_version_id)
    if among is not None:
        wanted = wanted[np.isin(wanted, among)]
    blocks = (read_block(db, base_version_id, some) for some in id_blocks(wanted))
    return gather_blocks(blocks, len(wanted))


def embed_missing(project_id: int, report: Report, at_most: int | None = None) -> None:
    """Give records that lack one their raw vector, and that of the version in use if it is a deep
    one: all of them, or at most so many.

    report  called with (n_done, n_total) before each slice and at the end; may raise to stop;
            vectors stored so far are kept

    Equal texts are embedded once. Raises BaseModelMissing.
    """
    with write_session() as db:
        project = db.get_one(Project, project_id)
        get_or_create_raw_version(db, project)
        followed = list_followed_versions(db, project)
    for version in followed:
        embed_with(version, report, at_most)


def embed_with(version: Version, report: Report, at_most: int | None = None) -> None:
    """Embed the missing records by one version, raw or deep."""
    n_timed, n_done, n_total, began = 0, 0, 0, 0.0
    with EmbeddingPace(version.project_id) as pace:
        for number, some in enumerate(_list_slices(version, at_most)):
            if number % SLICES_PER_COUNT == 0:
                n_done, n_total = _count_done(version)
            report(n_done, n_total)
            version = settle_runtime(version)
            n_stored = _embed(version, some)
            pace.add(n_stored)
            n_done = min(n_total, n_done + n_stored)
            # The first slice paid for loading the model.
            n_timed += len(some) if number else 0
            began = began or time.monotonic()
        report(*_count_done(version))
    if n_timed:
        record_speed(
            version.project_id, n_timed, time.monotonic() - began, has_gpu=count_gpus() > 0
        )


def _list_slices(version: Version, at_most: int | None) -> Iterator[Sequence[Missing]]:
    """Yield the missing records in slices of texts of similar length."""
    n_left = at_most
    while n_left is None or n_left > 0:
        missing = _list_missing(version, ROUND if n_left is None else min(n_left, ROUND))
        if not missing:
            return
        saved_searches = list(chunks(missing, max(SLICE, SLICE_PER_GPU * count_gpus())))
        # In any order, so that the first ones tell how long all will take: nothing to guess here.
        random.Random(len(missing)).shuffle(saved_searches)  # noqa: S311
        yield from saved_searches
        n_left = None if n_left is None else n_left - len(missing)


# (database URL, encoder id) → an id up to which no record lacked a vector when we looked. A hint,
# so that each round need not walk past all records that have one.
_complete_up_to: dict[tuple[str, int], int] = {}


def _list_missing(version: Version, at_most: int) -> list[Missing]:
    """(id, content hash) of the oldest records that lack a vector, the shortest text first.

    Those that changed behind the hint, or were committed late, come once the others are done.
    """
    key = (settings().database_url, version.id)
    after = _complete_up_to.get(key, 0)
    found = _missing_after(version, after, at_most)
    if after and len(found) < at_most:
        found = _missing_after(version, 0, at_most)
    if found:
        _complete_up_to[key] = min(record_id for record_id, _ in found) - 1
    return found


def _missing_after(version: Version, record_id: int, at_most: int) -> list[Missing]:
    oldest = (
        select(Record.id, Record.content_hash, func.length(Record.text).label("length"))
        .where(*_missing_conditions(version), Record.id > record_id)
        .order_by(Record.id)
        .limit(at_most)
        .subquery()
    )
    with read_session() as db:
        rows = db.execute(select(oldest.c.id, oldest.c.content_hash).order_by(oldest.c.length))
        return [(each, content_hash) for each, content_hash in rows]


def _embed(version: Version, some: Sequence[Missing]) -> int:
    """Store the vectors of a slice; return the number of records embedded."""
    with read_session() as db:
        vectors = load_vectors_by_hash(db, version.id, {content_hash for _, content_hash in some})
        texts = _load_texts(
            db, [each for each, content_hash in some if content_hash not in vectors]
        )
    if texts:
        with read_session() as db:
            model = load_text_encoder(db, version)
        encoded = model.encode(list(texts.values()))
        vectors |= dict(zip(texts, as_bytes(encoded), strict=True))
    # A text that changed since we looked is not among them, and its record is still missing.
    known = [(each, content_hash) for each, content_hash in some if content_hash in vectors]
    failpoint("embed.before_store")
    store_vectors(version.id, known, vectors)
    failpoint("embed.after_store")
    return len(known)


def _load_texts(db: Session, record_ids: list[int]) -> dict[str, str]:
    """Load one current text per content hash."""
    rows = db.execute(select(Record.content_hash, Record.text).where(Record.id.in_(record_ids)))
    return {row.content_hash: row.text for row in rows}


def _count_done(version: Version) -> tuple[int, int]:
    with read_session() as db:
        n_total = _count_records(db, version.project_id)
        return n_total - count_missing_for(db, version), n_total


def _count_records(db: Session, project_id: int) -> int:
    counted = select(func.count()).select_from(Record).where(Record.project_id == project_id)
    return db.scalar(counted) or 0


def _missing_conditions(version: Version) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Build conditions on Record: of this project, without an embedding of the current text."""
    has_vector = exists().where(
        Embedding.version_id == version.id,
        Embedding.record_id == Record.id,
        Embedding.content_hash == Record.content_hash,
    )
    return Record.project_id == version.project_id, ~has_vector

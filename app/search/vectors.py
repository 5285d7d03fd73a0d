"""Raw vectors in the database: reading them as matrices, storing them in short transactions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import Insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db.session import id_chunks, read_session, write_session
from app.ml.vectors import Ids, Vectors, split_blocks
from app.models import Embedding, Record, utc_now

# With vectors of 1.5 kB, half a megabyte per write: the lock is held for some milliseconds.
ROWS_PER_WRITE = 500
# What is held at once beside the array that is filled: some 8 MB, three times over.
ROWS_PER_READ = 5_000
STORED = np.dtype("<f4")

T = TypeVar("T")


def load_vectors(
    db: Session, base_version_id: int, record_ids: Iterable[int]
) -> tuple[list[int], Vectors]:
    """Load the ids of those records that have a raw vector, ascending, and their vectors (n, d)."""
    found: dict[int, bytes] = {}
    for some in id_chunks(record_ids):
        rows = db.execute(
            select(Embedding.record_id, Embedding.vector).where(
                Embedding.version_id == base_version_id, Embedding.record_id.in_(some)
            )
        )
        found |= {row.record_id: row.vector for row in rows}
    ids = sorted(found)
    return ids, as_matrix([found[each] for each in ids])


def list_embedded_ids(db: Session, version_id: int) -> Ids:
    """Return the ids of all records that have a vector by this encoder, (n,) int64, ascending."""
    of_version = select(Embedding.record_id).where(Embedding.version_id == version_id)
    ids = db.execute(of_version.order_by(Embedding.record_id)).yield_per(ROWS_PER_READ).scalars()
    return np.fromiter(ids, np.int64)


def vector_dimension(db: Session, version_id: int) -> int:
    """Return the length of this encoder's stored vectors; 0 while there is none."""
    one = select(Embedding.vector).where(Embedding.version_id == version_id).limit(1)
    stored = db.scalar(one)
    return 0 if stored is None else len(stored) // STORED.itemsize


def id_blocks(record_ids: Ids) -> list[Ids]:
    """Return these ids, in their order, in parts that are read at once."""
    return [record_ids[block] for block in split_blocks(len(record_ids), ROWS_PER_READ)]


def read_block(db: Session, version_id: int, record_ids: Ids) -> tuple[Ids, Vectors]:
    """Those of these records, ascending, that still have a vector, and their vectors (n, d).

    One range of ids, so that both databases read it along their index, however many there are.
    """
    rows = db.execute(
        select(Embedding.record_id, Embedding.vector)
        .where(
            Embedding.version_id == version_id,
            Embedding.record_id.between(int(record_ids[0]), int(record_ids[-1])),
        )
        .order_by(Embedding.record_id)
    ).all()
    ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
    vectors = as_matrix([row[1] for row in rows])
    wanted = np.isin(ids, record_ids, assume_unique=True)
    return (ids, vectors) if wanted.all() else (ids[wanted], vectors[wanted])


def read_blocks(version_id: int, record_ids: Ids) -> Iterator[tuple[Ids, Vectors]]:
    """All of these records, ascending, block by block, each read in a short look of its own.

    A record that loses its vector meanwhile is left out; what arrives meanwhile is not read.
    """
    for some in id_blocks(record_ids):
        with read_session() as db:
            block = read_block(db, version_id, some)
        yield block


def gather_blocks(
    blocks: Iterable[tuple[Ids, Vectors]],
    n_most: int,
    change: Callable[[Vectors], Vectors] | None = None,
) -> tuple[Ids, Vectors]:
    """Gather the blocks one after the other in one array, ids (n,) and vectors (n, d), held only
    once.

    n_most  how many records they hold at most
    change  what is kept of the vectors of a block, row by row, such as what a head makes of them
    """
    ids, vectors, n = np.empty(n_most, np.int64), np.empty((0, 0), np.float32), 0
    for some, read in blocks:
        if len(some) == 0:
            continue
        kept = read if change is None else change(read)
        if n == 0:
            vectors = np.empty((n_most, kept.shape[1]), np.float32)
        ids[n : n + len(some)], vectors[n : n + len(some)] = some, kept
        n += len(some)
    return ids[:n], vectors[:n]


def as_matrix(stored: Sequence[bytes]) -> Vectors:
    """(n, d) float32 of n vectors as bytes; (0, 0) of none."""
    if not stored:
        return np.empty((0, 0), np.float32)
    return np.frombuffer(b"".join(stored), STORED).reshape(len(stored), -1).astype(np.float32)


def as_bytes(vectors: Vectors) -> list[bytes]:
    """One value for the database per row."""
    return [row.tobytes() for row in vectors.astype(STORED)]


def load_vectors_by_hash(
    db: Session, base_version_id: int, hashes: Iterable[str]
) -> dict[str, bytes]:
    """Load the vectors that texts with these content hashes already have."""
    same = select(Embedding.content_hash, Embedding.vector).where(
        Embedding.version_id == base_version_id, Embedding.content_hash.in_(list(hashes))
    )
    return {row.content_hash: row.vector for row in db.execute(same)}


def store_vectors(
    base_version_id: int, rows: Sequence[tuple[int, str]], vectors: Mapping[str, bytes]
) -> None:
    """Give each (record id, content hash) the vector of its hash, in place of an older one."""
    for some in chunks(rows, ROWS_PER_WRITE):
        with write_session() as db:
            present = _lock_existing(db, [record_id for record_id, _ in some])
            values = [
                {
                    "version_id": base_version_id,
                    "record_id": record_id,
                    "content_hash": content_hash,
                    "embedded_at": utc_now(),
                    "vector": vectors[content_hash],
                }
                for record_id, content_hash in some
                if record_id in present
            ]
            if values:
                db.execute(_upsert(db), values)


def _lock_existing(db: Session, record_ids: list[int]) -> set[int]:
    """Lock the records that still exist, until their vectors are stored."""
    present = select(Record.id).where(Record.id.in_(record_ids)).order_by(Record.id)
    return set(db.scalars(present.with_for_update(read=True, key_share=True)))


def _upsert(db: Session) -> Insert:
    insert: Any = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(Embedding)
    new = {name: statement.excluded[name] for name in ("content_hash", "embedded_at", "vector")}
    return statement.on_conflict_do_update(  # type: ignore[no-any-return]
        index_elements=["version_id", "record_id"], set_=new
    )


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive parts of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]

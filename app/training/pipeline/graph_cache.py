"""The neighbour graph that a project's runs share: dear to build, and the same for all labels.

It is an artifact of the raw encoder, kept under the fingerprint of the vectors that it was built
from, so that a run uses it exactly when it would have built the same one.
"""

import hashlib
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save
from sqlalchemy import delete, func, select

from app.db.session import read_session, write_session
from app.ml.graph import build_neighbour_graph
from app.ml.vectors import Vectors
from app.models import Artifact, utc_now
from app.settings import settings
from app.storage import CorruptFile, store_file, verified_path

KIND = "graph"
ARRAYS = ("data", "indices", "indptr")


def load_or_build_graph(
    raw_encoder_id: int, ids: NDArray[np.int64], vectors: Vectors, k: int
) -> sp.csr_matrix:
    """`neighbour_graph(vectors, k)`, from the kept file if it is of these vectors, else built.

    ids (n,) int64 and vectors (n, d) are those of the raw encoder's embeddings.
    """
    fingerprint = _compute_fingerprint(ids, vectors, k)
    kept = _load_cached(raw_encoder_id, fingerprint)
    if kept is not None:
        return kept
    graph = build_neighbour_graph(vectors, k)
    _store_graph(raw_encoder_id, graph, fingerprint)
    return graph


def _compute_fingerprint(ids: NDArray[np.int64], vectors: Vectors, k: int) -> str:
    content = hashlib.sha256(str(k).encode())
    content.update(np.ascontiguousarray(ids).data)
    content.update(np.ascontiguousarray(vectors).data)
    return content.hexdigest()


def _load_cached(raw_encoder_id: int, fingerprint: str) -> sp.csr_matrix | None:
    with read_session() as db:
        row = db.scalar(
            select(Artifact)
            .where(Artifact.encoder_id == raw_encoder_id, Artifact.kind == KIND)
            .order_by(Artifact.revision.desc())
            .limit(1)
        )
    if row is None:
        return None
    try:
        return _read_graph(verified_path(row.file, row.sha256), fingerprint)
    except CorruptFile:
        # Nothing is lost: it is built again, and the new file takes the damaged one's place.
        return None


def _read_graph(path: Path, fingerprint: str) -> sp.csr_matrix | None:
    with safe_open(path, framework="numpy") as opened:
        facts = opened.metadata()
        if facts["fingerprint"] != fingerprint:
            return None
        arrays = tuple(opened.get_tensor(name) for name in ARRAYS)
    return sp.csr_matrix(arrays, shape=(int(facts["n"]), int(facts["n"])))


def _store_graph(raw_encoder_id: int, graph: sp.csr_matrix, fingerprint: str) -> None:
    facts = {"fingerprint": fingerprint, "n": str(graph.shape[0])}
    arrays = {name: np.ascontiguousarray(getattr(graph, name)) for name in ARRAYS}

    def write(part: Path) -> None:
        part.write_bytes(save(arrays, metadata=facts))

    stored = store_file(KIND, write)
    of_encoder = (Artifact.encoder_id == raw_encoder_id, Artifact.kind == KIND)
    with write_session() as db:
        older = db.scalars(select(Artifact.file).where(*of_encoder)).all()
        newest = db.scalar(select(func.max(Artifact.revision)).where(*of_encoder)) or 0
        db.execute(delete(Artifact).where(*of_encoder))
        db.add(
            Artifact(
                encoder_id=raw_encoder_id,
                kind=KIND,
                revision=newest + 1,
                file=stored.file,
                sha256=stored.sha256,
                n_bytes=stored.n_bytes,
                n_records=graph.shape[0],
                created_at=utc_now(),
            )
        )
    for file in older:
        (settings().data_dir / file).unlink(missing_ok=True)

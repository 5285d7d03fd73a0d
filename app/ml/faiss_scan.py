"""How an index uses FAISS: its half-precision rows, its search with ties in order, and its file."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from app.ml.vectors import Ids, Vectors, unit_rows


def build_scan(blocks: Iterable[tuple[Ids, Vectors]], dimension: int, n_expected: int) -> Any:
    """Build the FAISS index of blocks of (ids, vectors), with room for n_expected rows."""
    scan = faiss.IndexScalarQuantizer(
        dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    # Cleared, the codes keep their room. Grown block by block, they would double each time, and be
    # held twice meanwhile.
    scan.codes.resize(n_expected * scan.code_size)
    scan.codes.clear()
    index = faiss.IndexIDMap2(scan)
    for ids, vectors in blocks:
        index.add_with_ids(unit_rows(vectors), np.ascontiguousarray(ids, dtype=np.int64))
    return index


def filter_ids(ids: Ids, among: Ids | None, without: Ids | None) -> Ids | None:
    """Select the ids that a search may return; None for all of them."""
    if among is None and without is None:
        return None
    # Not intersect1d and setdiff1d, which look for duplicates first: half a second at 200,000.
    left = ids if among is None else ids[np.isin(ids, among)]
    if without is not None:
        left = left[~np.isin(left, without)]
    return np.ascontiguousarray(left, dtype=np.int64)


def search_sorted(
    index: Any, queries: Vectors, k: int, n_left: int, allowed: Ids | None
) -> tuple[Ids, Vectors]:
    """Search a little further than k until no tie straddles the cut, then sort by similarity and
    id."""
    wanted = min(n_left, k + 8)
    while True:
        similarities, ids = _scan(index, queries, wanted, allowed)
        ties = similarities[:, k - 1] == similarities[:, -1]
        if wanted == n_left or not ties.any():
            break
        wanted = min(n_left, wanted * 4)
    order = np.lexsort((ids, -similarities), axis=1)[:, :k]
    rows = np.arange(len(queries))[:, None]
    return ids[rows, order], similarities[rows, order]


def _scan(index: Any, queries: Vectors, k: int, allowed: Ids | None) -> tuple[Vectors, Ids]:
    if allowed is None:
        similarities, ids = index.search(queries, k)
    else:
        chosen = faiss.IDSelectorBatch(allowed)
        parameters = faiss.SearchParameters(sel=chosen)  # type: ignore[call-arg]
        similarities, ids = index.search(queries, k, params=parameters)
    return similarities, ids


def write_index(index: Any, path: Path) -> None:
    """Write to path and wait until it is on the disk."""
    with path.open("wb") as written:
        # The writer of FAISS reports no error when the disk fills at the last bytes.
        faiss.write_index(index, faiss.PyCallbackIOWriter(written.write))  # type: ignore[attr-defined]
        written.flush()
        os.fsync(written.fileno())


def read_index(path: Path) -> Any:
    """Map a written index into memory. Raises ValueError if it is not one."""
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise ValueError(f"{Path(path).name} is not a complete index.") from error
    if not isinstance(index, faiss.IndexIDMap2):
        raise ValueError(f"{Path(path).name} is not an index of records.")
    return index

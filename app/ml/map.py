"""All records on one sheet: (n, d) → (n, 2), near where they are alike, aligned to the map before.

Decision: PaCMAP on the 50 principal components. It keeps neighbours as UMAP does, in a tenth of its
time, and clusters where they are to each other. Its own loop is taken over here, so that whoever
waits sees how far it is, and may stop it.
Decision: above 50,000 records a sample is laid out, and the others are placed among their nearest
of the sample; so the time grows with the number of records, not faster.
"""

import logging
from collections.abc import Callable

import faiss
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes

from app.ml.vectors import Vectors

Points = NDArray[np.float32]
"""(n, 2) float32 in [-1, 1]; NaN where a record has no place yet."""
Report = Callable[[float], None]

COMPONENTS = 50
FEWEST = 50
MOST_DRAWN = 50_000
N_PLACING_NEIGHBOURS = 8
ITERATIONS = (100, 100, 250)
# The first map leaves a margin, so that later ones, aligned to it, need not shrink.
EXTENT = 0.9
BLOCK_ROWS = 20_000


def ignore_progress(_share: float) -> None:
    """Ignore the progress."""


def compute_layout(
    vectors: Vectors,
    *,
    before: Points | None = None,
    seed: int = 0,
    report: Report = ignore_progress,
) -> Points:
    """Where each record lies on the map, (n, 2) float32 in [-1, 1]; the same for the same seed.

    vectors  (n, d) float32, finite
    before   (n, 2) float32: where these records lay, NaN for those that did not. The map begins
             there, and is turned, mirrored, moved and scaled as a whole to lie on it, so that what
             still moves has moved for a reason.
    report   called with the share done in [0, 1]; may raise to stop

    Distances across the map mean little: near is alike, far is only not near. Fewer than 50 records
    or vectors in one line are their two principal components. Above 50,000, see place().
    Source: PaCMAP (Wang et al. 2021); alignment: Schönemann 1966.
    """
    reduced = compute_principal_components(vectors, COMPONENTS)
    return compute_layout_of_components(reduced, before=before, seed=seed, report=report)


def compute_layout_of_components(
    reduced: Vectors,
    *,
    before: Points | None = None,
    seed: int = 0,
    report: Report = ignore_progress,
) -> Points:
    """`layout` of vectors of which only these are left: `principal_components(vectors,
    COMPONENTS)`, an eighth of what the vectors take."""
    known = np.full((len(reduced), 2), np.nan, np.float32) if before is None else before
    if len(reduced) < FEWEST or not (np.ptp(reduced, axis=0) > 0)[1]:
        return align_to(reduced[:, :2], known)
    rows = _sample_rows(len(reduced), seed)
    start = _place_by_neighbours(reduced, known) if _is_known(known).any() else reduced[:, :2]
    points = np.full((len(reduced), 2), np.nan, np.float32)
    points[rows] = _run_pacmap(reduced[rows], start[rows], seed, report)
    return align_to(_place_by_neighbours(reduced, points), known)


def compute_sketch(vectors: Vectors) -> Points:
    """Compute the two principal components, (n, 2) float32 in [-1, 1]: at once, and good enough to
    wait with."""
    return align_to(
        compute_principal_components(vectors, 2), np.full((len(vectors), 2), np.nan, np.float32)
    )


def place_missing(vectors: Vectors, points: Points) -> Points:
    """Return the same map with a place for those that have none: near its 8 nearest among the
    others.

    vectors  (n, d) float32
    points   (n, 2) float32, NaN where a place is wanted; the others stay where they are

    A place is the mean of the neighbours' places, each weighted by the inverse of its squared
    distance, so that a twin lies on its twin. Raises ValueError when nobody has a place.
    """
    if not _is_known(points).any():
        raise ValueError("This map has no records yet.")
    if _is_known(points).all():
        return points
    return _place_by_neighbours(compute_principal_components(vectors, COMPONENTS), points)


def align_to(points: Points, before: Points) -> Points:
    """Return these points, turned, mirrored, moved and scaled as a whole to lie on the map before.

    points  (n, 2); before  (n, 2), NaN for those that it lacks

    With fewer than 3 in common, or all at one place, the map fills its square by itself. A map that
    would leave [-1, 1] shrinks as a whole.
    """
    common = _is_known(before)
    if common.sum() < 3 or not (np.ptp(before[common], axis=0) > 0).any():
        return _fit_to_square(points)
    current, previous = points[common].astype(np.float64), before[common].astype(np.float64)
    current_mean, previous_mean = current.mean(axis=0), previous.mean(axis=0)
    current, previous = current - current_mean, previous - previous_mean
    if not current.any():
        return _fit_to_square(points)
    turn, _ = orthogonal_procrustes(current, previous)
    # The spread is kept rather than fitted: maps with little in common would shrink to a dot.
    scale = np.linalg.norm(previous) / np.linalg.norm(current)
    laid = (points - current_mean) @ turn * scale + previous_mean
    return np.asarray(laid / max(1.0, float(np.abs(laid).max())), np.float32)


def compute_principal_components(vectors: Vectors, k: int) -> Vectors:
    """Each row along the k directions in which the rows differ most, (n, k) float32; fewer where
    d < k, but never fewer than 2.

    Signs are settled, so that the same vectors always lie the same way; missing ones are zero.
    """
    n, d = vectors.shape if vectors.size else (len(vectors), 0)
    reduced = np.zeros((n, max(2, min(k, d))), np.float32)
    if n < 2 or d == 0:
        return reduced
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = np.zeros((d, d))
    for start in range(0, n, BLOCK_ROWS):
        some = vectors[start : start + BLOCK_ROWS] - mean
        spread += some.T @ some
    _, directions = np.linalg.eigh(spread)
    axes = directions[:, ::-1][:, : min(k, d)]
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1, 1)
    for start in range(0, n, BLOCK_ROWS):
        some = vectors[start : start + BLOCK_ROWS] - mean
        reduced[start : start + BLOCK_ROWS, : axes.shape[1]] = some @ axes.astype(np.float32)
    # What differs by rounding alone does not differ.
    reduced[:, np.ptp(reduced, axis=0) < 1e-5] = 0
    return reduced


def _is_known(points: Points) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(points).all(axis=1))


def _sample_rows(n: int, seed: int) -> NDArray[np.int64]:
    if n <= MOST_DRAWN:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MOST_DRAWN, replace=False))


def _fit_to_square(points: Points) -> Points:
    if len(points) == 0:
        return points.astype(np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max()) / 2
    moved = points - (low + high) / 2
    return np.asarray(moved * (EXTENT / extent) if extent > 0 else moved * 0, np.float32)


def _place_by_neighbours(reduced: Vectors, points: Points) -> Points:
    known = _is_known(points)
    if known.all():
        return points
    laid, found = points[known], points.copy()
    wanted = np.flatnonzero(~known)
    index = faiss.IndexFlatL2(reduced.shape[1])
    index.add(np.ascontiguousarray(reduced[known]))
    for start in range(0, len(wanted), BLOCK_ROWS):
        rows = wanted[start : start + BLOCK_ROWS]
        squared, near = index.search(reduced[rows], min(N_PLACING_NEIGHBOURS, len(laid)))
        weights = 1 / np.maximum(squared, 1e-9)
        weights /= weights.sum(axis=1, keepdims=True)
        found[rows] = (laid[near] * weights[:, :, None]).sum(axis=1)
    return found


def _run_pacmap(reduced: Vectors, start: Points, seed: int, report: Report) -> Points:
    """PaCMAP's own three phases, from `start`, which counts as a shape, not as a scale."""
    # Compiling its kernels takes seconds, once per machine; only the worker comes here.
    import numba
    from pacmap import PaCMAP
    from pacmap.pacmap import find_weight, pacmap_grad, update_embedding_adam

    numba.set_num_threads(1)  # Its long kernel has one thread anyway; the others only wait.

    report(0.0)
    pairs = _build_pairs(PaCMAP, reduced, seed)
    report(0.1)
    spread = np.maximum(start.std(axis=0), 1e-9)
    y = np.ascontiguousarray((start - start.mean(axis=0)) / spread * 1e-4, dtype=np.float32)
    first, second = np.zeros_like(y), np.zeros_like(y)
    n_steps = sum(ITERATIONS)
    for step in range(n_steps):
        w_far, w_near, w_apart = find_weight(1000.0, step, num_iters=ITERATIONS)
        gradient = pacmap_grad(y, *pairs, w_near, w_far, w_apart)
        update_embedding_adam(y, gradient, first, second, 0.9, 0.999, 1.0, step)
        report(0.1 + 0.85 * (step + 1) / n_steps)
    return y


def _build_pairs(kind: type, reduced: Vectors, seed: int) -> tuple[NDArray[np.int32], ...]:
    """Which rows attract and repel each other: near, mid-near and further pairs, (m, 2) each."""
    logging.getLogger("pacmap").setLevel(logging.ERROR)  # It warns of being seeded.
    n_threads = faiss.omp_get_max_threads()
    try:
        model = kind(apply_pca=False, random_state=seed)
        model.decide_num_pairs(len(reduced))
        model.sample_pairs(np.ascontiguousarray(reduced), False)
    finally:
        faiss.omp_set_num_threads(n_threads)  # Seeded, it searches on one thread, and stays there.
    return model.pair_neighbors, model.pair_MN, model.pair_FP

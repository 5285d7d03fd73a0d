"""The neighbour graph over raw vectors, and labels that travel along it: few labels become many
soft ones.

The graph depends on the raw vectors alone, so it is built once and kept; labels travel in about a
second.
"""

import faiss
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.vectors import Vectors, unit_rows

EXACT_UP_TO = 50_000
"""Above this many rows, all pairs take minutes: nearest rows are then sought in a few cells of an
inverted file."""

VISITED = 24

LEAST_FLOW = 1e-20
"""Less than this is nothing: no label reaches the record."""


def neighbour_graph(vectors: Vectors, k: int = 15) -> sp.csr_matrix:
    """Who is near whom: S = D^-1/2 W D^-1/2, (n, n) float32, symmetric, no record its own
    neighbour.

    W holds max(cosine, 0)^3 between each record and its k nearest others, made symmetric by the
    larger of the two. Duplicates are neighbours like any others; with n <= k everybody is
    everybody's neighbour.

    Raises ValueError for NaN or zero rows, or k < 1.
    Source: Zhou et al. 2003, Learning with Local and Global Consistency.
    """
    if k < 1:
        raise ValueError(f"A graph needs at least 1 neighbour, not {k}.")
    rows = unit_rows(vectors)
    n = len(rows)
    k = min(k, n - 1)
    if k < 1:
        return sp.csr_matrix((n, n), dtype=np.float32)
    similarities, near = nearest_others(rows, k)
    weights = np.maximum(similarities, 0).ravel() ** 3
    w = sp.csr_matrix((weights, near.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    return _normalised(w.maximum(w.T).tocsr())


def parted(graph: sp.csr_matrix, apart: NDArray[np.int64]) -> sp.csr_matrix:
    """The graph without the edges between these rows, (p, 2) int64: somebody said that they are
    not alike. What the other edges carry stays as it is.
    """
    if len(apart) == 0:
        return graph
    both = np.concatenate([apart, apart[:, ::-1]])
    cut = sp.csr_matrix((np.ones(len(both), np.float32), both.T), shape=graph.shape)
    kept = graph - graph.multiply(cut > 0)
    kept.eliminate_zeros()
    return kept.tocsr()


def nearest_others(rows: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Cosine and row of each row's k nearest others, both (n, k); exact up to EXACT_UP_TO rows."""
    if len(rows) > EXACT_UP_TO:
        similarities, near = _search_cells(rows, k + 1)
    else:
        similarities, near = faiss.knn(rows, rows, k + 1, metric=faiss.METRIC_INNER_PRODUCT)
    # Among duplicates a row need not find itself first, or at all: then its last neighbour goes
    # instead.
    own = near == np.arange(len(rows))[:, None]
    own[~own.any(axis=1), -1] = True
    similarities = np.where(near < 0, 0.0, similarities)
    near = np.where(near < 0, np.arange(len(rows))[:, None], near)
    shape = (len(rows), k)
    return similarities[~own].reshape(shape).astype(np.float32), near[~own].reshape(shape)


def _search_cells(rows: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Nearest rows by visiting VISITED of about 2 sqrt(n) cells; rows of -1 where a cell ran out."""
    n_cells = int(2 * np.sqrt(len(rows)))
    quantizer = faiss.IndexFlatIP(rows.shape[1])
    index = faiss.IndexIVFFlat(quantizer, rows.shape[1], n_cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = 64
    index.cp.niter = 10
    index.train(rows)
    index.add(rows)
    index.nprobe = min(VISITED, n_cells)
    similarities, near = index.search(rows, k)
    return similarities, near


def _normalised(w: sp.csr_matrix) -> sp.csr_matrix:
    degree = np.asarray(w.sum(axis=1)).ravel()
    scale = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1e-12)), 0).astype(np.float32)
    w = w.multiply(scale[:, None]).multiply(scale[None, :]).tocsr()
    w.eliminate_zeros()
    return w.astype(np.float32)


def propagate(
    graph: sp.csr_matrix,
    rows: NDArray[np.int64],
    classes: NDArray[np.int64],
    n_classes: int,
    *,
    weights: NDArray[np.float32] | None = None,
    alpha: float = 0.99,
    steps: int = 60,
    prior_power: float = 0.0,
) -> NDArray[np.float32]:
    """Soft labels, (n, n_classes) float32: each row the shares of the classes, summing to 1.

    rows, classes  (m,) int64: example i says that record rows[i] is of class classes[i]; a record
                   may be named twice, with different classes too
    weights        (m,) float32, how much each example counts; 1 if not given
    prior_power    how often a class was named tells how common it is: 0 not at all (all classes
                   equally common), 1 exactly so

    A record that no label reaches gets the prior; a class without examples gets 0 everywhere.

    Raises ValueError if there are no examples, or one lies outside the graph or the classes.
    Source: Zhou et al. 2003; class mass normalisation from Zhu et al. 2003.
    """
    counts = _given(graph, rows, classes, n_classes, weights)
    named = np.flatnonzero(counts.sum(axis=0) > 0)
    total = counts[:, named].sum(axis=0)
    prior = (total / total.sum()) ** prior_power
    flow = _flow(graph, counts[:, named] / total, alpha, steps)
    mass = flow.sum(axis=0, dtype=np.float64).astype(np.float32)
    soft = np.zeros((graph.shape[0], n_classes), np.float32)
    soft[:, named] = _shares(flow / mass * prior.astype(np.float32), prior / prior.sum())
    return soft


def propagate_binary(
    graph: sp.csr_matrix,
    rows: NDArray[np.int64],
    targets: NDArray[np.bool_],
    *,
    weights: NDArray[np.float32] | None = None,
    alpha: float = 0.99,
    steps: int = 60,
) -> NDArray[np.float32]:
    """The chance of each label on each record, labels independent of each other, (n, K) float32 in
    [0, 1].

    targets  (m, K) bool: which labels example i carries; a row without any is an example of "none"

    Each label is a propagation of its own, yes against no, whose prior is the share of yes among
    the examples. A label that no example carries gets 0 everywhere. Raises ValueError as
    `propagate` does.
    """
    if len(rows) != len(targets):
        raise ValueError("Labels travel from at least one example, each a row with its answers.")
    nobody = np.zeros(len(rows), np.int64)
    every = _given(graph, rows, nobody, 1, weights)
    yes = np.zeros((graph.shape[0], targets.shape[1]), np.float32)
    np.add.at(yes, rows, targets * (1.0 if weights is None else weights[:, None]))
    # What is not yes is no, and flows add up: so one more column stands for all of the noes.
    flow = _flow(graph, np.concatenate([yes, every], axis=1), alpha, steps)
    said_no = np.maximum(flow[:, -1:] - flow[:, :-1], 0)
    return _chances(flow[:, :-1], said_no, yes.sum(axis=0) / every.sum())


def _chances(
    said_yes: NDArray[np.float32], said_no: NDArray[np.float32], common: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Yes against no, by label, each as heavy as it is common; a label nobody carries gets 0."""
    yes = said_yes / np.maximum(said_yes.sum(axis=0), LEAST_FLOW) * common
    no = said_no / np.maximum(said_no.sum(axis=0), LEAST_FLOW) * (1 - common)
    total = yes + no
    chances = np.where(total > LEAST_FLOW, yes / np.maximum(total, LEAST_FLOW), common[None, :])
    return np.asarray(chances, dtype=np.float32)


def _given(
    graph: sp.csr_matrix,
    rows: NDArray[np.int64],
    classes: NDArray[np.int64],
    n_classes: int,
    weights: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    if len(rows) == 0 or len(rows) != len(classes):
        raise ValueError("Labels travel from at least one example, each a row with its class.")
    if rows.min() < 0 or rows.max() >= graph.shape[0]:
        raise ValueError("An example names a row outside the graph.")
    if classes.min() < 0 or classes.max() >= n_classes:
        raise ValueError("An example names a class outside the classes.")
    counts = np.zeros((graph.shape[0], n_classes), np.float32)
    np.add.at(counts, (rows, classes), 1.0 if weights is None else weights)
    if not counts.sum() > 0:
        raise ValueError("Every example has weight 0.")
    return counts


def _flow(
    graph: sp.csr_matrix, start: NDArray[np.float32], alpha: float, steps: int
) -> NDArray[np.float32]:
    flow = start.copy()
    for _ in range(steps):
        flow = alpha * (graph @ flow) + (1 - alpha) * start
    return np.asarray(flow, dtype=np.float32)


def _shares(flow: NDArray[np.float32], prior: NDArray[np.float64]) -> NDArray[np.float32]:
    total = flow.sum(axis=1, keepdims=True)
    reached = total[:, 0] > LEAST_FLOW
    shares = np.where(reached[:, None], flow / np.maximum(total, LEAST_FLOW), prior[None, :])
    return np.asarray(shares, dtype=np.float32)

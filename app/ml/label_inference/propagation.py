"""Label propagation along the neighbour graph: many soft labels from few labels, in a second."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

LEAST_FLOW = 1e-20
"""Less than this is nothing: no label reaches the record."""


def propagate(
    graph: sp.csr_matrix,
    rows: NDArray[np.int64],
    classes: NDArray[np.int64],
    n_classes: int,
    *,
    weights: NDArray[np.float32] | None = None,
    alpha: float = 0.99,
    steps: int = 60,
) -> NDArray[np.float32]:
    """Compute soft labels, (n, n_classes) float32: class shares, summing to 1 by row.

    rows, classes  (m,) int64: record rows[i] is of class classes[i] in example i; a record may
                   occur twice, with different classes too
    weights        (m,) float32, how much each example counts; 1 if not given

    All classes are treated as equally common, and a record that no label reaches gets an equal
    share of each; a class without examples gets 0 everywhere.

    Raises ValueError if there are no examples, or one lies outside the graph or the classes.
    Source: Zhou et al. 2003; class mass normalisation from Zhu et al. 2003.
    """
    counts = _place_labels(graph, rows, classes, n_classes, weights)
    named = np.flatnonzero(counts.sum(axis=0) > 0)
    total = counts[:, named].sum(axis=0)
    flow = _spread_labels(graph, counts[:, named] / total, alpha, steps)
    mass = flow.sum(axis=0, dtype=np.float64).astype(np.float32)
    soft = np.zeros((graph.shape[0], n_classes), np.float32)
    soft[:, named] = _normalise_rows(flow / mass)
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
    """Compute the probability of each label for each record, labels independent, (n, K) float32 in
    [0, 1].

    targets  (m, K) bool: which labels example i carries; a row without any is an example of "none"

    Each label is a propagation of its own, yes against no, whose prior is the share of yes among
    the examples. A label that no example carries gets 0 everywhere. Raises ValueError as
    `propagate` does.
    """
    if len(rows) != len(targets):
        raise ValueError("Propagation needs at least one example with a row and its labels.")
    nobody = np.zeros(len(rows), np.int64)
    every = _place_labels(graph, rows, nobody, 1, weights)
    yes = np.zeros((graph.shape[0], targets.shape[1]), np.float32)
    np.add.at(yes, rows, targets * (1.0 if weights is None else weights[:, None]))
    # What is not yes is no, and flows add up: so one more column holds all noes.
    flow = _spread_labels(graph, np.concatenate([yes, every], axis=1), alpha, steps)
    no_flow = np.maximum(flow[:, -1:] - flow[:, :-1], 0)
    return _normalise_flows(flow[:, :-1], no_flow, yes.sum(axis=0) / every.sum())


def _normalise_flows(
    yes_flow: NDArray[np.float32], no_flow: NDArray[np.float32], common: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return yes against no by label, weighted by frequency; a label without examples gets 0."""
    yes = yes_flow / np.maximum(yes_flow.sum(axis=0), LEAST_FLOW) * common
    no = no_flow / np.maximum(no_flow.sum(axis=0), LEAST_FLOW) * (1 - common)
    total = yes + no
    probabilities = np.where(
        total > LEAST_FLOW, yes / np.maximum(total, LEAST_FLOW), common[None, :]
    )
    return np.asarray(probabilities, dtype=np.float32)


def _place_labels(
    graph: sp.csr_matrix,
    rows: NDArray[np.int64],
    classes: NDArray[np.int64],
    n_classes: int,
    weights: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    if len(rows) == 0 or len(rows) != len(classes):
        raise ValueError("Propagation needs at least one example with a row and its class.")
    if rows.min() < 0 or rows.max() >= graph.shape[0]:
        raise ValueError("An example names a row outside the graph.")
    if classes.min() < 0 or classes.max() >= n_classes:
        raise ValueError("An example names a class outside the classes.")
    counts = np.zeros((graph.shape[0], n_classes), np.float32)
    np.add.at(counts, (rows, classes), 1.0 if weights is None else weights)
    if not counts.sum() > 0:
        raise ValueError("Every example has weight 0.")
    return counts


def _spread_labels(
    graph: sp.csr_matrix, start: NDArray[np.float32], alpha: float, steps: int
) -> NDArray[np.float32]:
    flow = start.copy()
    for _ in range(steps):
        flow = alpha * (graph @ flow) + (1 - alpha) * start
    return np.asarray(flow, dtype=np.float32)


def _normalise_rows(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    total = flow.sum(axis=1, keepdims=True)
    reached = total[:, 0] > LEAST_FLOW
    alike = 1 / flow.shape[1]
    shares = np.where(reached[:, None], flow / np.maximum(total, LEAST_FLOW), alike)
    return np.asarray(shares, dtype=np.float32)

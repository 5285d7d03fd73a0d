"""What every figure is: the same queries each time, by true classes.

Written apart from `app.ml.evaluation`, so that the two check each other.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from app.ml.vectors import Vectors

Rows = NDArray[np.int64]
DEPTHS = (5, 10, 25, 50, 100, 250, 500, 1000)
N_QUERIES = 1500
AT_ONCE = 250


def choose_queries(candidates: Rows) -> Rows:
    """At most N_QUERIES of these rows, the same ones each time."""
    if len(candidates) <= N_QUERIES:
        return candidates
    return np.asarray(np.random.RandomState(0).choice(candidates, N_QUERIES, replace=False))


def purity(vectors: Vectors, classes: Rows, queries: Rows) -> dict[str, float]:
    """Neighbours among all n rows: top_5 .. top_1000, r_precision, macro_r_precision.

    vectors  (n, d) float32, rows of length 1
    queries  (q,) int64, rows that ask; never their own neighbour
    top_k    mean share of a query's k nearest others that are of its class; only for k < n
    r_precision  the same with k = how many others are of its class; queries without any are left
                 out, and macro_r_precision is the mean over classes of their means
    """
    depths = [k for k in DEPTHS if k < len(vectors)]
    sizes = np.bincount(classes)
    sums = {f"top_{k}": 0.0 for k in depths}
    precise = np.full(len(queries), np.nan)
    for start in range(0, len(queries), AT_ONCE):
        asked = queries[start : start + AT_ONCE]
        hits = _hits(vectors, classes, asked, max(depths[-1], int(sizes.max())))
        for k in depths:
            sums[f"top_{k}"] += float(hits[:, :k].mean(axis=1).sum()) / len(queries)
        for place, (row, hit) in enumerate(zip(asked, hits, strict=True)):
            others = sizes[classes[row]] - 1
            precise[start + place] = hit[:others].mean() if others else np.nan
    return sums | _averages(precise, classes[queries])


def rightness(classes: Rows, suggested: Rows) -> dict[str, float]:
    """accuracy of suggested classes (n,) int64, and macro_f1 over all that occur on either side."""
    macro_f1 = f1_score(classes, suggested, average="macro", zero_division=0)
    return {"accuracy": float((classes == suggested).mean()), "macro_f1": float(macro_f1)}


def _hits(vectors: Vectors, classes: Rows, asked: Rows, depth: int) -> NDArray[np.bool_]:
    """(q, min(depth, n - 1)) bool: is the neighbour at this rank of the query's class?"""
    similarities = vectors[asked] @ vectors.T
    similarities[np.arange(len(asked)), asked] = -np.inf
    depth = min(depth, len(vectors) - 1)
    near = np.argpartition(-similarities, depth - 1, axis=1)[:, :depth]
    order = np.argsort(-np.take_along_axis(similarities, near, axis=1), axis=1, kind="stable")
    near = np.take_along_axis(near, order, axis=1)
    return np.asarray(classes[near] == classes[asked][:, None])


def _averages(precise: NDArray[np.float64], classes: Rows) -> dict[str, float]:
    kept = ~np.isnan(precise)
    each = [float(precise[kept & (classes == c)].mean()) for c in np.unique(classes[kept])]
    return {
        "r_precision": float(precise[kept].mean()),
        "macro_r_precision": float(np.mean(each)),
    }

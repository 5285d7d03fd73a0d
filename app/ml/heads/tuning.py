"""Tuning: from labels to a head. Cheap to import; torch is loaded where a head is learned."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.examples import Examples, Report, count_label_sets
from app.ml.graph import build_neighbour_graph
from app.ml.heads.head import EvidenceHead, Head, RawHead, compute_reach
from app.ml.label_inference.calibration import fit_temperature
from app.ml.label_inference.infer import infer_probabilities
from app.ml.label_inference.naive_bayes import WordFeatures
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors, unit_rows

__all__ = ["Examples", "Recipe", "Report", "tune"]


def tune(
    vectors: Vectors,
    examples: Examples,
    recipe: Recipe,
    report: Report,
    graph: sp.csr_matrix | None = None,
    words: WordFeatures | None = None,
) -> Head:
    """The head that these examples teach.

    vectors  (n, d) float32, raw, of all records, labeled or not: those without a label teach as
             well
    graph    `neighbour_graph(vectors, recipe.neighbours)`, if somebody kept it
    words    of the same records; the head learns what they say, and needs none itself

    With fewer than two labels in use there is nothing to tell apart, and the raw head comes back.
    Raises ValueError for no examples, or examples outside the vectors.
    """
    rows = unit_rows(vectors)
    _check(rows, examples)
    if count_label_sets(examples) < 2:
        return RawHead(rows.shape[1])
    if recipe.method == "skip_triplet":
        # Loaded here: pages import Recipe from this module and must not pay for torch.
        from app.ml.heads.triplet import learn_skip_connection

        return learn_skip_connection(rows[examples.rows], examples, recipe, report)
    if graph is None:
        report(0.0, "Finding each record's neighbours")
        graph = build_neighbour_graph(rows, recipe.neighbours)
    report(0.2, "Carrying labels to their neighbours")
    probabilities = infer_probabilities(graph, rows, examples, recipe, words)
    return calibrate(
        learn_evidence_head(rows, probabilities, examples, recipe, report), rows, probabilities
    )


def learn_evidence_head(
    rows: Vectors,
    soft: NDArray[np.float32],
    examples: Examples,
    recipe: Recipe,
    report: Report,
) -> EvidenceHead:
    """A head that answers as these soft labels do, (n, K), not yet calibrated. Loads torch."""
    # Loaded here: pages import Recipe from this module and must not pay for torch.
    from app.ml.heads.evidence_mlp import learn_evidence

    return learn_evidence(rows, soft, examples, recipe, report)


def calibrate(
    head: EvidenceHead, rows: Vectors, probabilities: NDArray[np.float32]
) -> EvidenceHead:
    """The same head, whose suggestions are on average as sure as these chances, (n, K)."""
    sampled = np.linspace(0, len(rows) - 1, min(len(rows), 5000)).astype(np.int64)
    logits = head.logits(rows[sampled])
    temperature = fit_temperature(logits, probabilities[sampled], is_binary=head.is_multi_label)
    calibrated = replace(head, temperature=temperature)
    head_probabilities = calibrated.probabilities(logits)
    centre = head_probabilities.mean(axis=0)
    return replace(calibrated, centre=centre, reach=compute_reach(head_probabilities - centre))


def _check(rows: Vectors, examples: Examples) -> None:
    if len(examples) == 0:
        raise ValueError("Tuning needs at least one labeled record.")
    if examples.rows.min() < 0 or examples.rows.max() >= len(rows):
        raise ValueError("An example names a row outside the vectors.")
    if not (np.isfinite(examples.weights).all() and (examples.weights > 0).all()):
        raise ValueError("An example's weight is a number above 0.")

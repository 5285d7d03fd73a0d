"""Tuning: from labels to a head. Cheap to import; torch is loaded where a head is learned."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.calibration import best_temperature
from app.similarity.examples import Examples, Report, n_answers
from app.similarity.graph import neighbour_graph
from app.similarity.head import EvidenceHead, Head, RawHead, reach_of
from app.similarity.recipe import Recipe
from app.similarity.suggesting import chances_of_all
from app.similarity.vectors import Vectors, unit_rows
from app.similarity.words import Words

__all__ = ["Examples", "Recipe", "Report", "tune"]


def tune(
    vectors: Vectors,
    examples: Examples,
    recipe: Recipe,
    report: Report,
    graph: sp.csr_matrix | None = None,
    words: Words | None = None,
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
    if n_answers(examples) < 2:
        return RawHead(rows.shape[1])
    if recipe.method == "skip_triplet":
        # Loaded here: pages import Recipe from this module and must not pay for torch.
        from app.similarity.triplet import learn_skip_connection

        return learn_skip_connection(rows[examples.rows], examples, recipe, report)
    if graph is None:
        report(0.0, "Finding each record's neighbours")
        graph = neighbour_graph(rows, recipe.neighbours)
    report(0.2, "Carrying labels to their neighbours")
    chances = chances_of_all(graph, rows, examples, recipe, words)
    return calibrated(evidence_head(rows, chances, examples, recipe, report), rows, chances)


def evidence_head(
    rows: Vectors,
    soft: NDArray[np.float32],
    examples: Examples,
    recipe: Recipe,
    report: Report,
) -> EvidenceHead:
    """A head that answers as these soft labels do, (n, K), not yet calibrated. Loads torch."""
    # Loaded here: pages import Recipe from this module and must not pay for torch.
    from app.similarity.student import learn_evidence

    return learn_evidence(rows, soft, examples, recipe, report)


def calibrated(head: EvidenceHead, rows: Vectors, chances: NDArray[np.float32]) -> EvidenceHead:
    """The same head, whose suggestions are on average as sure as these chances, (n, K)."""
    sampled = np.linspace(0, len(rows) - 1, min(len(rows), 5000)).astype(np.int64)
    logits = head.logits(rows[sampled])
    temperature = best_temperature(logits, chances[sampled], is_binary=head.is_multi_label)
    surer = replace(head, temperature=temperature)
    said = surer.chances(logits)
    centre = said.mean(axis=0)
    return replace(surer, centre=centre, reach=reach_of(said - centre))


def _check(rows: Vectors, examples: Examples) -> None:
    if len(examples) == 0:
        raise ValueError("Tuning needs at least one labeled record.")
    if examples.rows.min() < 0 or examples.rows.max() >= len(rows):
        raise ValueError("An example names a row outside the vectors.")
    if not (np.isfinite(examples.weights).all() and (examples.weights > 0).all()):
        raise ValueError("An example's weight is a number above 0.")

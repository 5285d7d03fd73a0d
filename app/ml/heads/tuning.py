"""Tuning: from labels to a head. Cheap to import; torch is loaded where a head is learned."""

import scipy.sparse as sp

from app.ml.examples import Examples, Report, check_examples, count_label_sets
from app.ml.graph import build_neighbour_graph
from app.ml.heads.baselines import RawHead
from app.ml.heads.evidence import calibrate, learn_evidence_head
from app.ml.heads.head import Head
from app.ml.label_inference.infer import infer_labels
from app.ml.label_inference.naive_bayes import WordFeatures
from app.ml.recipe import Recipe
from app.ml.vectors import Vectors, unit_rows


def tune(
    vectors: Vectors,
    examples: Examples,
    recipe: Recipe,
    report: Report,
    graph: sp.csr_matrix | None = None,
    words: WordFeatures | None = None,
) -> Head:
    """Train a head on these examples.

    vectors  (n, d) float32, raw, of all records, labeled or not: those without a label teach as
             well
    graph    `neighbour_graph(vectors, recipe.neighbours)`, if somebody kept it
    words    of the same records; the head learns what they say, and needs none itself

    With fewer than two labels in use there is nothing to tell apart, and the raw head comes back.
    Raises ValueError for no examples, or examples outside the vectors.
    """
    rows = unit_rows(vectors)
    check_examples(examples, len(rows))
    if count_label_sets(examples) < 2:
        return RawHead(rows.shape[1])
    if recipe.method == "skip_triplet":
        # Loaded here: pages import Recipe from this module and must not pay for torch.
        from app.ml.heads.triplet import learn_skip_connection

        return learn_skip_connection(rows[examples.rows], examples, recipe, report)
    if graph is None:
        report(0.0, "Finding each record's neighbours")
        graph = build_neighbour_graph(rows, recipe.neighbours)
    report(0.2, "Propagating labels to neighbours")
    labels = infer_labels(graph, rows, examples, recipe, words)
    head = learn_evidence_head(rows, labels.probabilities, examples, recipe, report)
    return calibrate(head, rows, labels)

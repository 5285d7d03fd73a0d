"""Suggestions renewed as labels arrive, between two versions: no network learns, so it takes a
second."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.calibration import trusted
from app.similarity.examples import Examples, n_answers
from app.similarity.head import EvidenceHead
from app.similarity.prior import settled
from app.similarity.recipe import Recipe
from app.similarity.soft_labels import soft_labels
from app.similarity.vectors import Vectors

FEW_STEPS = 30
"""A label's first steps say nearly all that it has to say."""


def resuggest(
    graph: sp.csr_matrix,
    vectors: Vectors,
    examples: Examples,
    recipe: Recipe,
    head: EvidenceHead | None = None,
) -> NDArray[np.float32]:
    """The chance of each class, or of each label, on each record, (n, K) float32, from all labels
    known now.

    graph    `neighbour_graph(vectors, recipe.neighbours)`
    vectors  (n, d) float32, raw, of all records, labeled or not
    head     of the active version, if it has one for the same labels

    With fewer than two answers in use everything gets what the examples say. Raises ValueError for
    no examples, or examples outside the graph.
    """
    del vectors, head
    recipe = settled(replace(recipe, steps=min(recipe.steps, FEW_STEPS)), graph, examples)
    soft = soft_labels(graph, examples, recipe)
    return trusted(soft, graph, examples, recipe) if n_answers(examples) > 1 else soft

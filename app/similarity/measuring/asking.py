"""Asking: what a head says of examples that were hidden from it.

Decision: a hidden example is ranked among hidden examples alone, and never its own group. Ranked
among those that training saw, a tuned vector would look better than the next session will be, for
their evidence is their own label.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.similarity.examples import Examples
from app.similarity.folds import Fold
from app.similarity.head import Head
from app.similarity.measuring.answers import Reply
from app.similarity.measuring.ranking import ranked_rows
from app.similarity.vectors import Vectors

Chances = NDArray[np.float32]


@dataclass(frozen=True)
class Champion:
    """The version in use, which a new one has to match.

    name      as people know it, such as "v3"
    head      what it learned
    vectors   (n, d) float32: the vectors that its head reads, of the same records
    is_fresh  (m,) bool: the examples that it has not learned from; only those are asked
    """

    name: str
    head: Head
    vectors: Vectors
    is_fresh: NDArray[np.bool_]


def ask(head: Head, rows: Vectors, examples: Examples, fold: Fold) -> Reply:
    """What a head that learned from the shown part of the fold says of the hidden part."""
    shown, hidden = fold
    known = examples.taken(hidden)
    vectors = head.tune(rows[known.rows])
    ranked = ranked_rows(vectors, groups=known.groups)
    chances = head.suggest(rows[known.rows])
    if chances is not None:
        return Reply(ranked, *said(chances, head.classes, examples))
    nearest = (vectors @ head.tune(rows[examples.rows[shown]]).T).argmax(axis=1)
    return Reply(ranked, examples.answers()[shown][nearest], None)


def said(
    chances: Chances, classes: tuple[int, ...], examples: Examples
) -> tuple[NDArray[np.bool_], Chances]:
    """Suggested labels and chances in the examples' columns; a label they lack is never right."""
    if examples.is_multi_label:
        suggested = chances > 0.5
    else:
        suggested = np.eye(chances.shape[1], dtype=bool)[chances.argmax(axis=1)]
    columns = [classes.index(i) if i in classes else -1 for i in examples.label_ids]
    # One more column, that of nobody: index -1 finds it.
    wider = np.zeros((len(chances), 1))
    return (
        np.concatenate([suggested, wider > 0], axis=1)[:, columns],
        np.concatenate([chances, wider.astype(np.float32)], axis=1)[:, columns],
    )

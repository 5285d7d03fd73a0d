"""Asking: what a head says of examples that were hidden from it.

Decision: a hidden example is ranked among hidden examples alone, and never its own group. Ranked
among those that training saw, a tuned vector would look better than the next session will be, for
their evidence is their own label.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.similarity.answers import Reply
from app.similarity.calibration import USUAL_TEMPERATURE, best_temperature
from app.similarity.examples import Examples
from app.similarity.folds import Fold
from app.similarity.head import Head, sigmoid, softmax
from app.similarity.ranking import ranked_rows
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
        return Reply(ranked, *_said(chances, head.classes, examples))
    nearest = (vectors @ head.tune(rows[examples.rows[shown]]).T).argmax(axis=1)
    return Reply(ranked, examples.answers()[shown][nearest], None)


def judged(replies: list[Reply], draw: list[Fold], examples: Examples) -> list[Reply]:
    """The replies of one draw, their chances made as sure as those of the other folds were right.

    Each fold's temperature comes from examples that another fold hid: never from its own.
    """
    kept = [i for i, reply in enumerate(replies) if reply.chances is not None]
    if len(kept) < 2:
        return [replace(reply, chances=None) for reply in replies]
    logits = {i: _logits(replies[i], examples) for i in kept}
    answers = {i: examples.answers()[draw[i][1]].astype(np.float32) for i in kept}
    found = list(replies)
    for i in kept:
        others = [j for j in kept if j != i]
        temperature = best_temperature(
            np.concatenate([logits[j] for j in others]),
            np.concatenate([answers[j] for j in others]),
            is_binary=examples.is_multi_label,
            usual=USUAL_TEMPERATURE,
        )
        cooled = logits[i] / np.float32(temperature)
        chances = sigmoid(cooled) if examples.is_multi_label else softmax(cooled)
        found[i] = replace(replies[i], chances=chances)
    return found


def _said(
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


def _logits(reply: Reply, examples: Examples) -> Chances:
    assert reply.chances is not None
    within = np.clip(reply.chances, 1e-6, 1 - 1e-6)
    if examples.is_multi_label:
        return np.asarray(np.log(within) - np.log(1 - within), dtype=np.float32)
    return np.asarray(np.log(within), dtype=np.float32)

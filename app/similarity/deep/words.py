"""What a record's words say: a second opinion on every record, learned from the first one.

The neighbour graph knows records by their vectors; the words in them are another view of the same
records, and where the two disagree both are sometimes right. A Naive Bayes model of the words
learns from what the graph said, of one half of the records for the other, so that no record hears
itself; then both opinions are multiplied, and the words learn again from the result.

Decision: words are the pieces that the encoder's own tokenizer cuts a text into, so a language
without blanks between words has them too.

Source: co-training of two views, Blum and Mitchell 1998; Naive Bayes refined on unlabeled texts,
Nigam et al. 2000; its weights by inverse document frequency and logarithm, Rennie et al. 2003;
logarithmic pools, Genest and Zidek 1986.
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.similarity.activations import softmax
from app.similarity.calibration import LEAST_CHANCE, best_temperature

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

ROUNDS = 3
"""How often the words learn anew: more changed nothing."""

SMOOTHING = 0.02
"""So much of each word is put into each class before any is counted."""

FEWEST_RECORDS = 2
MOST_RECORDS = 0.5
"""Words in fewer records than two, or in more than this share of them, tell classes not apart."""


def with_words(
    pieces: Sequence[Rows], soft: Floats, examples: Rows, weight: float, seed: int
) -> Floats:
    """The chances of each class when words are heard as well, (n, K) float32.

    pieces    of each text, the numbers that the tokenizer gives its words, in any order
    soft      (n, K) float32, shares of the classes by row, of the first opinion
    examples  rows that people labeled: they stay as they are
    weight    of the words beside the first opinion
    """
    words = word_weights(pieces)
    if words.nnz == 0:
        return soft
    first, heard = np.log(np.maximum(soft, LEAST_CHANCE)), soft
    for number in range(ROUNDS):
        said = _said(words, heard, np.random.default_rng((seed, number)))
        # The words of a text are not independent, so Naive Bayes is far too sure of itself.
        temperature = best_temperature(said, soft, is_binary=False)
        second = np.log(np.maximum(softmax(said / np.float32(temperature)), LEAST_CHANCE))
        heard = softmax(np.asarray(first + weight * second, dtype=np.float32))
        heard[examples] = soft[examples]
    return heard


def word_weights(pieces: Sequence[Rows]) -> sp.csr_matrix:
    """(n, words) float32, rows of length 1 or 0: how often each text has each word, on a
    logarithmic scale, times how rare the word is; words that tell no classes apart are left out."""
    ends = np.cumsum([0, *map(len, pieces)])
    columns = np.concatenate([*pieces, np.empty(0, np.int64)])
    shape = (len(pieces), int(columns.max(initial=0)) + 1)
    counts = sp.csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=shape)
    counts.sum_duplicates()
    found_in = np.bincount(counts.indices, minlength=shape[1])
    telling = (found_in >= FEWEST_RECORDS) & (found_in <= MOST_RECORDS * len(pieces))
    counts, found_in = counts[:, telling], found_in[telling]
    rarity = (np.log((1 + len(pieces)) / (1 + found_in)) + 1).astype(np.float32)
    counts.data = (1 + np.log(counts.data)) * rarity[counts.indices]
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(np.maximum(lengths, LEAST_CHANCE), np.diff(counts.indptr))
    return counts


def _said(words: sp.csr_matrix, heard: Floats, rng: np.random.Generator) -> Floats:
    """Log-odds of the classes by the words of each record, (n, K): learned from the other half."""
    half = rng.integers(0, 2, len(heard))
    said = np.zeros(heard.shape, np.float32)
    for part in (0, 1):
        shown, asked = np.flatnonzero(half != part), np.flatnonzero(half == part)
        said[asked] = words[asked] @ _log_shares(words[shown], heard[shown])
    return np.asarray(said - said.mean(axis=1, keepdims=True), dtype=np.float32)


def _log_shares(words: sp.csr_matrix, heard: Floats) -> Floats:
    """How common each word is in each class, (words, K), as logarithms.

    Each record speaks for its likeliest class alone, as much as that is likely: a rare class would
    otherwise be told by the many records that are slightly likely to be of it.
    """
    taught = np.zeros_like(heard)
    likeliest = heard.argmax(axis=1)
    rows = np.arange(len(heard))
    taught[rows, likeliest] = heard[rows, likeliest]
    counts = np.asarray(words.T @ taught) + SMOOTHING
    return np.asarray(np.log(counts / counts.sum(axis=0)), dtype=np.float32)

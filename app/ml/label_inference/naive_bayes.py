"""Word features: a second view of the records beside their vectors.

A Naive Bayes model of the words is trained on one half of the records and predicts the other half,
so that no record influences its own prediction. It is trained again on the combined prediction of
both views.

Decision: words are cut by a plain expression, not by an encoder's tokenizer: that takes a tenth of
the time, works with every provider of vectors, and separated classes as well. Scripts without
blanks between words give pairs of characters instead.

Source: co-training of two views, Blum and Mitchell 1998; Naive Bayes of texts, McCallum and Nigam
1998, refined on unlabeled ones, Nigam et al. 2000; its weights by inverse document frequency and
logarithm, Rennie et al. 2003; logarithmic pools, Genest and Zidek 1986.
"""

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from app.ml.heads.numpy_nn import softmax
from app.ml.label_inference.calibration import MIN_PROBABILITY, fit_temperature

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

WORD = re.compile(r"[^\W_]+")
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese write no blanks between words."""

MOST_CHARACTERS = 2_000
"""Encoders read little more of a text, and a text of 1 MB costs no more than a page."""

ROUNDS = 3
"""How often the words learn: more changed nothing."""

SMOOTHING = 0.02
"""So much of each word is put into each class before any is counted."""

FEWEST_RECORDS = 2
MOST_RECORDS = 0.5
"""Words in fewer than two records, or in more than this share, do not separate classes."""

MOST_WORDS = 50_000
"""The commonest of those: what is rarer adds memory by the class, and little else."""

MAX_CALIBRATION_ROWS = 1_000
"""Rows that show well enough how sure the words may be."""


@dataclass(frozen=True)
class WordFeatures:
    """The words of n records, in two halves drawn once.

    rows    the rows of each half, (h,) int64 each
    counts  (h, words) float32 each, rows of length 1 or 0: see `word_weights`
    """

    rows: tuple[Rows, Rows]
    counts: tuple[sp.csr_matrix, sp.csr_matrix]

    def predict_log_odds(self, beliefs: Floats) -> Floats:
        """Log-odds of the classes by the words of each record, (n, K), up to a constant by row.

        heard  (n, K) float32, current prediction of each record, for training the other half
        """
        log_odds = np.empty(beliefs.shape, np.float32)
        for own, other in ((0, 1), (1, 0)):
            shares = _log_likelihoods(self.counts[other], beliefs[self.rows[other]])
            log_odds[self.rows[own]] = self.counts[own] @ shares
        log_odds -= log_odds.mean(axis=1, keepdims=True)
        return log_odds


def build_word_features(texts: Iterable[str]) -> WordFeatures | None:
    """Read the words of these texts, one by one; None if no word separates classes."""
    numbers: dict[str, int] = {}
    columns, ends = array("i"), array("q", [0])
    for text in texts:
        columns.extend(numbers.setdefault(word, len(numbers)) for word in tokenize(text))
        ends.append(len(columns))
    weights = compute_tf_idf(np.frombuffer(columns, np.int32), np.frombuffer(ends, np.int64))
    if weights.nnz == 0:
        return None
    is_first = np.random.default_rng(0).random(weights.shape[0]) < 0.5
    halves = np.flatnonzero(is_first), np.flatnonzero(~is_first)
    return WordFeatures(halves, (weights[halves[0]], weights[halves[1]]))


def tokenize(text: str) -> list[str]:
    """Return the words of the text's beginning, in lower case; pairs of characters where no blanks
    part them."""
    found: list[str] = []
    for word in WORD.findall(text[:MOST_CHARACTERS].lower()):
        if word.isascii() or not UNSPACED.search(word):
            found.append(word)
        else:
            found += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
    return found


def compute_tf_idf(columns: NDArray[np.int32], ends: Rows) -> sp.csr_matrix:
    """(n, words) float32, rows of length 1 or 0: how often each text has each word, on a
    logarithmic scale, times how rare the word is; words that separate no classes are left out.

    columns  the numbers of all words, text after text; ends (n + 1,) where each text begins
    """
    n = len(ends) - 1
    shape = (n, int(columns.max(initial=0)) + 1)
    counts = sp.csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=shape)
    counts.sum_duplicates()
    found_in = np.bincount(counts.indices, minlength=shape[1])
    informative = np.flatnonzero((found_in >= FEWEST_RECORDS) & (found_in <= MOST_RECORDS * n))
    informative = np.sort(
        informative[np.argsort(-found_in[informative], kind="stable")[:MOST_WORDS]]
    )
    counts, found_in = counts[:, informative], found_in[informative]
    rarity = (np.log((1 + n) / (1 + found_in)) + 1).astype(np.float32)
    counts.data = (1 + np.log(counts.data)) * rarity[counts.indices]
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(np.maximum(lengths, MIN_PROBABILITY), np.diff(counts.indptr))
    return counts


def predict_from_words(
    words: WordFeatures, first: Floats, examples: Rows, answers: Floats
) -> Floats:
    """Predict every record from its words, as log-probabilities, (n, K) float32, with a confidence
    that matches the agreement with the first view.

    first     (n, K) float32, shares of the classes by row
    examples  (m,) int64, rows that people labeled; answers (m, K) float32, what they carry
    """
    some = np.linspace(0, len(first) - 1, min(len(first), MAX_CALIBRATION_ROWS)).astype(np.int64)
    logs, beliefs, second = log_probabilities(first), first.copy(), np.zeros_like(first)
    for _ in range(ROUNDS):
        beliefs[examples] = answers
        log_odds = words.predict_log_odds(beliefs)
        # The words of a text are not independent, so Naive Bayes is far too sure of itself.
        temperature = fit_temperature(log_odds[some], first[some], is_binary=False)
        second = log_probabilities(softmax(log_odds / np.float32(temperature)))
        beliefs = softmax(logs + second)
    return second


def log_probabilities(probabilities: Floats) -> Floats:
    """Return the logarithms, with a minimum probability."""
    return np.log(np.maximum(probabilities, np.float32(MIN_PROBABILITY)))


def _log_likelihoods(words: sp.csr_matrix, beliefs: Floats) -> Floats:
    """Return the log-frequency of each word in each class, (words, K).

    Each record counts only for its most probable class, weighted by that probability: a rare class
    would otherwise be dominated by many records with a slight probability of it.
    """
    likeliest_only = np.zeros_like(beliefs)
    likeliest = beliefs.argmax(axis=1)
    rows = np.arange(len(beliefs))
    likeliest_only[rows, likeliest] = beliefs[rows, likeliest]
    counts = np.asarray(words.T @ likeliest_only) + np.float32(SMOOTHING)
    return np.asarray(np.log(counts / counts.sum(axis=0)), dtype=np.float32)

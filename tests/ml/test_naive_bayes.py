"""What the words say beside the vectors."""

import numpy as np
import pytest

from app.ml.label_inference.naive_bayes import (
    MOST_CHARACTERS,
    WordFeatures,
    build_word_features,
    compute_tf_idf,
    predict_from_words,
    tokenize,
)

pytestmark = pytest.mark.once

N, N_CLASSES = 600, 3
RNG = np.random.default_rng(0)
CLASSES = np.arange(N) % N_CLASSES
EXAMPLES = np.arange(6)


def texts() -> list[str]:
    """Two words of the class's own eight, and six that any text may have."""
    own = RNG.integers(0, 8, (N, 2)) + 8 * CLASSES[:, None]
    return said(np.concatenate([own, RNG.integers(24, 60, (N, 6))], axis=1))


def said(numbers: np.ndarray) -> list[str]:
    return [" ".join(f"w{number}" for number in row) for row in numbers]


def vectors_say() -> np.ndarray:
    """As sure as it is right, on average on seven in ten; right on the examples."""
    sure = RNG.uniform(0.45, 0.95, N).astype(np.float32)
    wrong = (CLASSES + RNG.integers(1, N_CLASSES, N)) % N_CLASSES
    best = np.where(RNG.random(N) < sure, CLASSES, wrong)
    is_best = best[:, None] == np.arange(N_CLASSES)
    soft = np.where(is_best, sure[:, None], (1 - sure[:, None]) / 2).astype(np.float32)
    soft[EXAMPLES] = np.eye(N_CLASSES)[CLASSES[EXAMPLES]]
    return soft


def right(soft: np.ndarray) -> float:
    return float((soft.argmax(axis=1) == CLASSES).mean())


def beside(words: WordFeatures, soft: np.ndarray) -> np.ndarray:
    """The chances when words are heard beside the vectors."""
    heard = soft * np.exp(predict_from_words(words, soft, EXAMPLES, soft[EXAMPLES]))
    return np.asarray(heard / heard.sum(axis=1, keepdims=True))


def test_words_correct_what_the_vectors_got_wrong() -> None:
    soft, words = vectors_say(), build_word_features(texts())
    assert words is not None

    heard = beside(words, soft)

    assert right(soft) < 0.8
    assert right(heard) > right(soft) + 0.05
    assert heard.dtype == np.float32
    assert np.array_equal(beside(words, soft), heard)


def test_uninformative_words_change_little() -> None:
    soft, noise = vectors_say(), build_word_features(said(RNG.integers(0, 200, (N, 8))))
    assert noise is not None

    heard = beside(noise, soft)

    assert abs(right(heard) - right(soft)) < 0.03


def test_a_record_gets_no_evidence_from_itself() -> None:
    """What it says of itself, and its label, reach the other half of the records alone."""
    words, soft = build_word_features(texts()), vectors_say()
    assert words is not None
    changed = soft.copy()
    changed[words.rows[0]] = 1 / N_CLASSES

    before, after = words.predict_log_odds(soft), words.predict_log_odds(changed)

    assert np.array_equal(before[words.rows[0]], after[words.rows[0]])
    assert not np.allclose(before[words.rows[1]], after[words.rows[1]])


def test_confidence_of_words_is_limited_by_agreement_with_vectors() -> None:
    soft, words = vectors_say(), build_word_features(texts())
    assert words is not None
    answers = soft[EXAMPLES]

    second = np.exp(predict_from_words(words, soft, EXAMPLES, answers))

    agreed = (second.argmax(axis=1) == soft.argmax(axis=1)).mean()
    assert 1 / N_CLASSES + 0.1 < second.max(axis=1).mean() < agreed


@pytest.mark.parametrize(
    "ignore_progress",
    [[], [""] * 40, ["the same"] * 40, ["spam"] * 40, [f"own{n}" for n in range(40)], ["?!"] * 40],
    ids=["none", "empty", "equal", "one word", "all different", "no letters"],
)
def test_texts_without_distinguishing_words_have_no_features(ignore_progress: list[str]) -> None:
    assert build_word_features(ignore_progress) is None


def test_scripts_without_blanks_give_pairs_of_characters() -> None:
    assert tokenize("Zwei Wörter, zwei_mal!") == ["zwei", "wörter", "zwei", "mal"]
    assert tokenize("東京都は大") == ["東京", "京都", "都は", "は大"]
    assert tokenize("猫 and 猫") == ["猫", "and", "猫"]
    assert tokenize("письмо №7") == ["письмо", "7"]


def test_only_the_beginning_of_a_text_is_read() -> None:
    assert len(tokenize("word " * 200_000)) == MOST_CHARACTERS // 5


def test_words_are_weighed_by_how_rare_they_are() -> None:
    numbers: tuple[list[int], ...] = ([1, 2, 2, 9], [1, 3], [1, 2], [3, 4], [], [5])
    ends = np.cumsum([0, *map(len, numbers)])

    weights = compute_tf_idf(np.concatenate(numbers).astype(np.int32), ends)

    # Word 1 is in half of the texts, 9, 4 and 5 are in one: of those left, 2 is said twice once.
    assert weights.shape == (6, 3)
    one, two = np.log(7 / 4) + 1, (np.log(7 / 3) + 1) * (1 + np.log(2))
    length = np.hypot(one, two)
    assert weights[0].toarray()[0] == pytest.approx([one / length, two / length, 0.0], abs=1e-6)
    assert weights[4].nnz == weights[5].nnz == 0
    assert weights[3].toarray()[0] == pytest.approx([0.0, 0.0, 1.0])

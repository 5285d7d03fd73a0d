"""What the words say beside the neighbour graph."""

import numpy as np
import pytest

from app.similarity.deep.words import with_words, word_weights

pytestmark = pytest.mark.once

N, N_CLASSES = 600, 3
RNG = np.random.default_rng(0)
CLASSES = np.arange(N) % N_CLASSES
EXAMPLES = np.arange(6)


def pieces() -> list[np.ndarray]:
    """Two words of the class's own eight, and six that any text may have."""
    own = RNG.integers(0, 8, (N, 2)) + 8 * CLASSES[:, None]
    return list(np.concatenate([own, RNG.integers(24, 60, (N, 6))], axis=1))


def graph_says() -> np.ndarray:
    """As sure as it is right, on average on seven in ten; right on the examples."""
    sure = RNG.uniform(0.45, 0.95, N).astype(np.float32)
    wrong = (CLASSES + RNG.integers(1, N_CLASSES, N)) % N_CLASSES
    said = np.where(RNG.random(N) < sure, CLASSES, wrong)
    is_said = said[:, None] == np.arange(N_CLASSES)
    soft = np.where(is_said, sure[:, None], (1 - sure[:, None]) / 2).astype(np.float32)
    soft[EXAMPLES] = np.eye(N_CLASSES)[CLASSES[EXAMPLES]]
    return soft


def right(soft: np.ndarray) -> float:
    return float((soft.argmax(axis=1) == CLASSES).mean())


def test_words_correct_what_the_graph_got_wrong() -> None:
    soft = graph_says()

    heard = with_words(pieces(), soft, EXAMPLES, 1.0, seed=0)

    assert right(soft) < 0.8
    assert right(heard) > right(soft) + 0.05
    assert heard.dtype == np.float32
    assert np.allclose(heard.sum(axis=1), 1.0, atol=1e-5)


def test_examples_keep_their_label_whatever_their_words_say() -> None:
    soft, told = graph_says(), np.roll(np.eye(N_CLASSES, dtype=np.float32), 1, axis=0)
    soft[EXAMPLES] = told[CLASSES[EXAMPLES]]

    heard = with_words(pieces(), soft, EXAMPLES, 1.0, seed=0)

    assert np.array_equal(heard[EXAMPLES], soft[EXAMPLES])


def test_words_that_tell_nothing_change_little_and_no_words_nothing() -> None:
    soft = graph_says()
    noise = list(RNG.integers(0, 200, (N, 8)))

    heard = with_words(noise, soft, EXAMPLES, 1.0, seed=0)

    assert abs(right(heard) - right(soft)) < 0.03
    assert np.array_equal(with_words([np.empty(0, int)] * N, soft, EXAMPLES, 1.0, seed=0), soft)


def test_a_record_does_not_hear_itself() -> None:
    """Two words that nobody shares with anybody of the other half cannot carry an opinion."""
    own = [np.array([2 * (i // 2), 2 * (i // 2) + 1]) for i in range(N)]
    soft = graph_says()

    heard = with_words(own, soft, EXAMPLES, 1.0, seed=0)

    assert (heard.argmax(axis=1) == soft.argmax(axis=1)).mean() > 0.8


def test_words_are_weighed_by_how_rare_they_are() -> None:
    texts = [np.array(each) for each in ([1, 2, 2, 9], [1, 3], [1, 2], [3, 4], [], [5])]

    weights = word_weights(texts)

    # Word 1 is in half of the texts, 9, 4 and 5 are in one: of those left, 2 is said twice once.
    assert weights.shape == (6, 3)
    one, two = np.log(7 / 4) + 1, (np.log(7 / 3) + 1) * (1 + np.log(2))
    length = np.hypot(one, two)
    assert weights[0].toarray()[0] == pytest.approx([one / length, two / length, 0.0], abs=1e-6)
    assert weights[4].nnz == weights[5].nnz == 0
    assert weights[3].toarray()[0] == pytest.approx([0.0, 0.0, 1.0])

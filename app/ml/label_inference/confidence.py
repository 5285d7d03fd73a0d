"""Limit the probability of a suggestion by the number of records with its label.

Calibration on held-out examples is unreliable with few examples and impossible for a label with one
of them; until there are more, no probability exceeds what counting alone allows.
"""

import numpy as np
from numpy.typing import NDArray

from app.ml.examples import Examples

UNLIMITED_BELOW = 0.5
"""Probabilities up to here stay as they are, so that no limit changes which label is suggested."""

MIN_PROBABILITY = 1e-6


def compute_confidence_limits(examples: Examples) -> NDArray[np.float32]:
    """Return the highest probability that may be shown for each label, (K,) float32.

    With n labeled records it is (n + 1) / (n + 2), Laplace's rule of succession: the
    probability that the next record has the label if n records in a row had it. So one labeled
    record never leads to "99 %".
    """
    n = (examples.label_matrix() * examples.weights[:, None]).sum(axis=0)
    return np.asarray((n + 1) / (n + 2), dtype=np.float32)


def limit_confidence(
    probabilities: NDArray[np.float32], limits: NDArray[np.float32], *, is_binary: bool
) -> NDArray[np.float32]:
    """Return probabilities, (n, K), squeezed below each label's limit, in the same order.

    What lies above one half is squeezed in proportion, so that 1 becomes the limit; of classes that
    exclude each other, the others share what is left as they did.
    """
    room = np.maximum(limits - UNLIMITED_BELOW, 0) / (1 - UNLIMITED_BELOW)
    squeezed = np.where(
        probabilities > UNLIMITED_BELOW,
        UNLIMITED_BELOW + room * (probabilities - UNLIMITED_BELOW),
        probabilities,
    )
    if is_binary or probabilities.shape[1] < 2:
        return np.asarray(squeezed, dtype=np.float32)
    freed = (probabilities - squeezed).sum(axis=1, keepdims=True)
    others = np.where(
        probabilities > UNLIMITED_BELOW, 0, probabilities + np.float32(MIN_PROBABILITY)
    )
    others /= np.maximum(others.sum(axis=1, keepdims=True), MIN_PROBABILITY)
    return np.asarray(squeezed + freed * others, dtype=np.float32)

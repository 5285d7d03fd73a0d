"""The learning curve: how often suggestions are right with a quarter, half and all of the labels,
and so what more labels would likely bring.

Decision: what heads are taught is asked, not the heads, which cost as much again and follow it
closely. Every part is asked about the same hidden examples, and each part holds
the smaller ones.
Source: an inverse power law, error = a * n^-b, as in Cortes et al. 1994 and Figueroa et al. 2012.
"""

import numpy as np
from numpy.typing import NDArray

from app.ml.evaluation.classification import score_agreement
from app.ml.evaluation.comparison import Score
from app.ml.evaluation.intervals import BootstrapSamples, percentile_interval
from app.ml.examples import Examples

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

PARTS = (0.25, 0.5, 1.0)
FEWEST = 3
"""Fewer labels than this are no part to learn from."""

N_MORE = 25
LEAST_ERROR = 0.005
MAX_SLOPE = 1.0
"""No error falls faster than 1 / n for long, whatever three noisy points say."""

USUAL, SPREAD = -0.25, 0.2
"""The slopes that learning curves have: -0.07 to -0.5 in Hestness et al. 2017."""

MIN_SLOPE_SPREAD = 0.05
"""Three points never say a slope more precisely than this."""


class LearningCurve:
    """Of m examples: what each got when it was hidden and a part of the others was shown."""

    def __init__(self, m: int) -> None:
        self._values = np.full((m, len(PARTS)), np.nan)
        self._sizes: list[list[int]] = [[] for _ in PARTS]

    def add(self, part: int, n_labels: int, held_out: Rows, values: Floats) -> None:
        """Take down what these hidden examples got from that many labels."""
        self._values[held_out, part] = values
        self._sizes[part].append(n_labels)

    def scores(self, bootstrap: BootstrapSamples) -> list[Score]:
        """learning_curve, k being the number of labels; and gain_of_more, k labels from now.

        None where there are too few labels to be parted.
        """
        if not all(self._sizes) or np.isnan(self._values).all(axis=0).any():
            return []
        samples = bootstrap.means(self._values)
        sizes = np.array([np.mean(some) for some in self._sizes])
        low, high = percentile_interval(samples)
        n = int((~np.isnan(self._values)).any(axis=1).sum())
        points = [
            Score("learning_curve", round(size), n, float(value), float(least), float(most))
            for size, value, least, most in zip(sizes, samples[0], low, high, strict=True)
        ]
        gain = forecast_gain(sizes, samples, len(self._values), N_MORE)
        (least,), (most,) = percentile_interval(gain[:, None])
        return [
            *points,
            Score("gain_of_more", N_MORE, n, float(gain[0]), float(least), float(most)),
        ]


def forecast_gain(sizes: Floats, right: Floats, n_now: int, n_more: int) -> Floats:
    """By how much the share of right suggestions rises with n_more labels, (draws,).

    sizes  (p,) numbers of labels; right  (draws, p) the share that was right with so many, row 0
           as seen, the others resampled
    """
    x = np.log(sizes)
    y = np.log(np.clip(1 - right, LEAST_ERROR, 1.0))
    slope = ((y - y.mean(axis=1, keepdims=True)) @ (x - x.mean())) / ((x - x.mean()) ** 2).sum()
    slope = np.clip(_shrink_slope(slope), -MAX_SLOPE, 0.0)
    # The line goes through the largest part, which is nearest to what is to be foretold.
    error = np.exp(y[:, -1] + slope * (np.log(n_now) - x[-1]))
    return np.asarray(error * (1 - ((n_now + n_more) / n_now) ** slope))


def _shrink_slope(slope: Floats) -> Floats:
    """Return the slopes between what was seen and what is usual, by how sure each is; as unsure as
    that.

    Resampling shows how the slope depends on who is asked, and about as much again depends on which
    labels were the quarter and the half.
    """
    seen = float(slope[1:].var()) if len(slope) > 1 else 0.0
    unsure, usual = 2 * seen + MIN_SLOPE_SPREAD**2, SPREAD**2
    trust = usual / (usual + unsure)
    missing = max(unsure * trust - trust**2 * seen, 0.0)
    noise = np.random.default_rng(0).normal(size=len(slope)) * np.sqrt(missing)
    noise[0] = 0.0
    return np.asarray(trust * slope + (1 - trust) * USUAL + noise)


def split_nested(examples: Examples, train: Rows, seed: int) -> list[Rows]:
    """Split the shown examples in parts, each within the next; whole groups. Empty for too few."""
    rng = np.random.default_rng(seed)
    groups = examples.groups[train]
    names = rng.permutation(np.unique(groups))
    parts = [train[np.isin(groups, names[: max(1, round(part * len(names)))])] for part in PARTS]
    return parts if len(parts[0]) >= FEWEST and len(parts[0]) < len(parts[1]) else []


def score_suggestions(
    probabilities: NDArray[np.float32], examples: Examples, held_out: Rows
) -> Floats:
    """How well what the chances (n, K) say of these examples fits, each in [0, 1]."""
    probabilities = probabilities[examples.rows[held_out]]
    if examples.is_multi_label:
        suggested = probabilities > 0.5
    else:
        suggested = np.eye(probabilities.shape[1], dtype=bool)[probabilities.argmax(axis=1)]
    return score_agreement(suggested, examples.label_matrix()[held_out])

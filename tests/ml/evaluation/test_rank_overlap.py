"""Rank-biased overlap, by hand and against its definition."""

import numpy as np
import pytest

from app.ml.evaluation.rank_overlap import overlap_each, rank_biased_overlap

pytestmark = pytest.mark.once


def defined(first: list[int], second: list[int], p: float) -> float:
    """Webber et al. 2010: sum of (1 - p) p^(d-1) A_d down to the common depth, then A as it is."""
    depth = min(len(first), len(second))
    seen = [len(set(first[:d]) & set(second[:d])) / d for d in range(1, depth + 1)]
    rest = seen[-1] * p**depth
    return (1 - p) * sum(p ** (d - 1) * a for d, a in enumerate(seen, 1)) + rest


def test_overlap_by_hand() -> None:
    same = np.array([3, 1, 2])

    assert rank_biased_overlap(same, same, 0.7) == pytest.approx(1)
    assert rank_biased_overlap(same, np.array([7, 8, 9])) == pytest.approx(0)
    # Agreement is 0 at depth 1 and 1 at depth 2: (1 - p) / p * (0 * p + 1 * p^2) + 1 * p^2.
    assert rank_biased_overlap(np.array([1, 2]), np.array([2, 1]), 0.5) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="twice"):
        rank_biased_overlap(np.array([1, 1]), same)
    with pytest.raises(ValueError, match="0 < p < 1"):
        rank_biased_overlap(same, same, 1.0)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_rank_biased_overlap_matches_its_definition(p: float) -> None:
    rng = np.random.default_rng(4)
    for depth in (1, 2, 7, 40):
        first, second = rng.permutation(60)[:depth], rng.permutation(60)[: depth + 3]

        expected = defined(first.tolist(), second.tolist(), p)
        assert rank_biased_overlap(first, second, p) == pytest.approx(expected)


def test_many_rankings_are_compared_at_once() -> None:
    """Each query has its own candidates, as a record is no neighbour of its own."""
    rng = np.random.default_rng(4)
    candidates = [[i for i in range(9) if i != own] for own in range(9)]
    first = np.array([rng.permutation(some) for some in candidates], np.int32)
    second = np.array([rng.permutation(some) for some in candidates], np.int32)
    second[0] = first[0]

    found = overlap_each(first, second, 0.9)

    expected = [defined(a.tolist(), b.tolist(), 0.9) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(found, expected)
    assert found[0] == pytest.approx(1)

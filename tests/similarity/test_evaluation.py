import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, ndcg_score

from app.similarity.evaluation import (
    agreement,
    classification,
    interval,
    mrr,
    ndcg,
    r_precision,
    rank_biased_overlap,
    scored,
    top_k,
)
from app.similarity.ranking import ranked_hits
from tests.similarity.conftest import Crowd

pytestmark = pytest.mark.once

# By angle: records 0 to 4 lie at 0, 10, 25, 45 and 85 degrees.
ANGLES = np.radians([0, 10, 25, 45, 85])
FAN = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
LABELS = np.array([0, 1, 0, 1, 1])
# Neighbours, nearest first: 0: 1 2 3 4 · 1: 0 2 3 4 · 2: 1 3 0 4 · 3: 2 1 4 0 · 4: 3 2 1 0
# The same label:            . x . .     . . x x     . . x .     . x x .     x . x .


def test_top_k_is_the_mean_share_of_alike_neighbours() -> None:
    assert top_k(FAN, LABELS, 1) == pytest.approx(1 / 5)
    assert top_k(FAN, LABELS, 2) == pytest.approx((1 / 2 + 0 + 0 + 1 / 2 + 1 / 2) / 5)


def test_r_precision_looks_as_far_as_there_are_others() -> None:
    assert r_precision(FAN, LABELS) == pytest.approx((0 + 0 + 0 + 1 / 2 + 1 / 2) / 5)


def test_mrr_is_the_mean_of_one_over_the_first_hit() -> None:
    assert mrr(FAN, LABELS) == pytest.approx((1 / 2 + 1 / 3 + 1 / 3 + 1 / 2 + 1) / 5)


def test_ndcg_agrees_with_scikit_learn(crowd: Crowd) -> None:
    hits = ranked_hits(crowd.vectors, crowd.classes).astype(float)
    falling = np.tile(np.arange(hits.shape[1])[::-1], (600, 1))

    assert ndcg(crowd.vectors, crowd.classes, 20) == pytest.approx(ndcg_score(hits, falling, k=20))


def test_a_record_nothing_is_like_is_left_out() -> None:
    lonely = np.array([0, 1, 0, 1, 2])

    assert r_precision(FAN, lonely) == pytest.approx(0)
    assert mrr(FAN, lonely) == pytest.approx((1 / 2 + 1 / 3 + 1 / 3 + 1 / 2) / 4)
    with pytest.raises(ValueError, match="No record"):
        r_precision(FAN, np.arange(5))


def test_records_with_many_labels_are_alike_if_they_share_one_or_none() -> None:
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [0, 0]], bool)

    hits = ranked_hits(FAN, labels)

    assert hits[0].tolist() == [True, False, False, False]
    assert hits[2].tolist() == [False, False, False, True]
    assert hits[3].tolist() == [False, True, False, False]


def test_members_of_ones_own_group_are_no_hits() -> None:
    hits = ranked_hits(FAN, np.zeros(5, np.int64), groups=np.array([0, 0, 1, 1, 2]))

    assert hits[0].tolist() == [True, True, True, False]
    assert hits[4].tolist() == [True, True, True, True]


@pytest.mark.parametrize("k", [0, 5])
def test_an_impossible_k_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match="1 <= k < n"):
        top_k(FAN, LABELS, k)
    with pytest.raises(ValueError, match="1 <= k < n"):
        ndcg(FAN, LABELS, k)


def test_rank_biased_overlap_by_hand() -> None:
    same = np.array([3, 1, 2])

    assert rank_biased_overlap(same, same, 0.7) == pytest.approx(1)
    assert rank_biased_overlap(same, np.array([7, 8, 9])) == pytest.approx(0)
    # Agreement is 0 at depth 1 and 1 at depth 2: (1 - p) / p * (0 * p + 1 * p^2) + 1 * p^2.
    assert rank_biased_overlap(np.array([1, 2]), np.array([2, 1]), 0.5) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="twice"):
        rank_biased_overlap(np.array([1, 1]), same)


def test_classification_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    true, suggested = rng.integers(0, 5, 300), rng.integers(0, 6, 300)

    found = classification(true, suggested)

    assert found.accuracy == pytest.approx(accuracy_score(true, suggested))
    assert found.macro_f1 == pytest.approx(f1_score(true, suggested, average="macro"))


def test_agreement_counts_shared_labels_twice() -> None:
    suggested = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]], bool)
    true = np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0]], bool)

    np.testing.assert_allclose(agreement(suggested, true), [2 / 3, 1, 0, 0])


def test_the_interval_covers_the_mean_as_the_normal_one_does() -> None:
    values = np.random.default_rng(5).normal(0.5, 0.2, 400)

    low, high = interval(values, seed=1)

    assert low == pytest.approx(values.mean() - 1.96 * 0.2 / 20, abs=0.005)
    assert high == pytest.approx(values.mean() + 1.96 * 0.2 / 20, abs=0.005)
    assert interval(values, seed=1) == (low, high)


def test_a_score_counts_only_what_was_asked() -> None:
    score = scored("top_k", np.array([1.0, np.nan, 0.0]), k=3)

    assert (score.metric, score.k, score.n, score.value) == ("top_k", 3, 2, 0.5)
    assert 0 <= score.low <= 0.5 <= score.high <= 1

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from app.similarity.measuring.evaluation import mrr, ndcg, r_precision, top_k
from app.similarity.measuring.ranking import ranked_hits
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

"""Metrics of rankings: by hand, and against sentence-transformers and scikit-learn."""

import numpy as np
import pytest
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from sklearn.metrics import average_precision_score, ndcg_score

from app.ml.evaluation.ranking import (
    average_precision_each,
    capped_top_k_each,
    chance_each,
    grade_hits,
    graded_ndcg_each,
    jaccard_index,
    mark_hits,
    ndcg_each,
    r_precision_each,
    rank_hits,
    rank_rows,
    recall_each,
    reciprocal_rank_each,
    top_k_each,
)
from tests.ml.conftest import Crowd

pytestmark = pytest.mark.once

# By angle: records 0 to 4 lie at 0, 10, 25, 45 and 85 degrees.
ANGLES = np.radians([0, 10, 25, 45, 85])
FAN = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
LABELS = np.array([0, 1, 0, 1, 1])
# Neighbours, nearest first: 0: 1 2 3 4 · 1: 0 2 3 4 · 2: 1 3 0 4 · 3: 2 1 4 0 · 4: 3 2 1 0
# The same label:            . x . .     . . x x     . . x .     . x x .     x . x .


def test_metrics_by_hand() -> None:
    hits = rank_hits(FAN, LABELS)

    np.testing.assert_array_equal(top_k_each(hits, 1), [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(top_k_each(hits, 2), [1 / 2, 0, 0, 1 / 2, 1 / 2])
    np.testing.assert_array_equal(r_precision_each(hits), [0, 0, 0, 1 / 2, 1 / 2])
    np.testing.assert_allclose(reciprocal_rank_each(hits), [1 / 2, 1 / 3, 1 / 3, 1 / 2, 1])


def test_every_metric_of_a_ranking_agrees_with_sentence_transformers(crowd: Crowd) -> None:
    """Its evaluator sorts ties by name, so the names are such that rows come in their order."""
    vectors, classes = crowd.vectors[::4], crowd.classes[::4]
    n, ks = len(vectors), [1, 5, 50, 100]
    names = [f"{i:04d}" for i in range(n)]
    alike = {
        name: {names[j] for j in np.flatnonzero(classes == classes[i]) if j != i}
        for i, name in enumerate(names)
    }
    evaluator = InformationRetrievalEvaluator(
        dict.fromkeys(names, ""),
        dict.fromkeys(names, ""),
        alike,
        mrr_at_k=[n],
        ndcg_at_k=ks,
        precision_recall_at_k=ks,
        map_at_k=[n],
    )
    similarities = vectors @ vectors.T
    answers: list[object] = [
        [{"corpus_id": names[j], "score": float(row[j])} for j in range(n) if j != i]
        for i, row in enumerate(similarities)
    ]

    oracle = evaluator.compute_metrics(answers)

    hits = rank_hits(vectors, classes)
    for k in ks:
        assert top_k_each(hits, k).mean() == pytest.approx(oracle["precision@k"][k])
        assert recall_each(hits, k).mean() == pytest.approx(oracle["recall@k"][k])
        assert ndcg_each(hits, k).mean() == pytest.approx(oracle["ndcg@k"][k])
    assert reciprocal_rank_each(hits).mean() == pytest.approx(oracle["mrr@k"][n])
    assert average_precision_each(hits).mean() == pytest.approx(oracle["map@k"][n])


def test_average_precision_agrees_with_scikit_learn(crowd: Crowd) -> None:
    some, classes = crowd.vectors[::4], crowd.classes[::4]
    hits = rank_hits(some, classes)
    falling = np.arange(hits.shape[1])[::-1]

    by_query = [average_precision_score(row, falling) for row in hits]

    np.testing.assert_allclose(average_precision_each(hits), by_query)


def test_k_is_capped_by_how_many_are_alike() -> None:
    # Class 0 has one other each, class 1 has two: a query looks at one or two places at most.
    hits = rank_hits(FAN, LABELS)
    np.testing.assert_array_equal(capped_top_k_each(hits, 1), [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(capped_top_k_each(hits, 2), [0, 0, 0, 1 / 2, 1 / 2])
    assert (capped_top_k_each(rank_hits(FAN, np.zeros(5, np.int64)), 4) == 1).all()
    np.testing.assert_array_equal(capped_top_k_each(hits, 4), r_precision_each(hits))


def test_ndcg_agrees_with_scikit_learn(crowd: Crowd) -> None:
    hits = rank_hits(crowd.vectors, crowd.classes)
    falling = np.tile(np.arange(hits.shape[1])[::-1], (600, 1))

    found = ndcg_each(hits, 20).mean()

    assert found == pytest.approx(ndcg_score(hits.astype(float), falling, k=20))


def test_a_record_nothing_is_like_is_left_out() -> None:
    lonely = rank_hits(FAN, np.array([0, 1, 0, 1, 2]))

    np.testing.assert_array_equal(r_precision_each(lonely), [0, 0, 0, 0, np.nan])
    np.testing.assert_allclose(reciprocal_rank_each(lonely), [1 / 2, 1 / 3, 1 / 3, 1 / 2, np.nan])
    assert top_k_each(lonely, 2)[4] == 0


def test_chance_is_the_share_that_is_alike() -> None:
    hits = rank_hits(FAN, np.array([0, 1, 0, 1, 2]))

    np.testing.assert_allclose(chance_each(hits), [1 / 4, 1 / 4, 1 / 4, 1 / 4, np.nan])
    np.testing.assert_allclose(recall_each(hits, 2), [1, 0, 0, 1, np.nan])


def test_a_ranking_is_looked_up_without_ranking_again(crowd: Crowd) -> None:
    groups = np.arange(600) // 2

    ranked = rank_rows(crowd.vectors, groups=groups)

    np.testing.assert_array_equal(
        mark_hits(ranked, crowd.classes, groups=groups),
        rank_hits(crowd.vectors, crowd.classes, groups=groups),
    )
    assert sorted([0, *ranked[0].tolist()]) == list(range(600))


def test_graded_ndcg_counts_what_two_records_share() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], bool)

    gains = grade_hits(rank_rows(FAN), labels)

    shared = np.asarray(jaccard_index(labels, np.array([0, 4])), np.float64)
    np.testing.assert_allclose(shared[:, :3], np.array([[1, 0.5, 1], [0, 0, 0]]))
    np.testing.assert_allclose(gains[0], [0.5, 1, 0, 0])
    best = 1 + 0.5 / np.log2(3)
    assert graded_ndcg_each(gains, 4)[0] == pytest.approx((0.5 + 1 / np.log2(3)) / best)
    assert np.isnan(graded_ndcg_each(gains, 4)[4])


def test_graded_ndcg_agrees_with_scikit_learn(crowd: Crowd) -> None:
    rng = np.random.default_rng(2)
    labels = rng.random((600, 4)) < 0.4
    gains = grade_hits(rank_rows(crowd.vectors), labels)
    falling = np.tile(np.arange(599)[::-1], (600, 1))
    asked = gains.any(axis=1)

    for k in (5, 100, 599):
        found = np.nanmean(graded_ndcg_each(gains, k))
        assert found == pytest.approx(ndcg_score(gains[asked], falling[asked], k=k))


def test_records_with_many_labels_are_alike_if_they_share_one_or_none() -> None:
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [0, 0]], bool)

    hits = rank_hits(FAN, labels)

    assert hits[0].tolist() == [True, False, False, False]
    assert hits[2].tolist() == [False, False, False, True]
    assert hits[3].tolist() == [False, True, False, False]


def test_members_of_ones_own_group_are_no_hits() -> None:
    hits = rank_hits(FAN, np.zeros(5, np.int64), groups=np.array([0, 0, 1, 1, 2]))

    assert hits[0].tolist() == [True, True, True, False]
    assert hits[4].tolist() == [True, True, True, True]

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from app.ml.reranking import MOST_LEARNED, compute_posterior, compute_prior_shares, propose_cutoff
from app.ml.vectors import unit_rows
from tests.ml.conftest import Crowd

pytestmark = pytest.mark.once


def session_of(crowd: Crowd, seed: int, n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The n records nearest to one of them."""
    return np.argsort(-(crowd.vectors @ crowd.vectors[seed]), kind="stable")[:n]


def test_probabilities_equal_the_reference(crowd: Crowd) -> None:
    near = session_of(crowd, 0, 80)
    vectors, rows = crowd.vectors[near], np.arange(20)
    said = np.eye(3, dtype=np.float32)[crowd.classes[near[rows]]]
    expected = np.full((80, 3), 0.2, np.float32)

    found = compute_posterior(vectors, expected, rows, said)

    centred = vectors - vectors.mean(axis=0)
    scaled = centred / np.sqrt((centred**2).sum(axis=1).mean())
    process = GaussianProcessRegressor(RBF(1.0), alpha=1.0, optimizer=None)
    departures = process.fit(scaled[rows], said - 0.2).predict(scaled)
    wanted = np.clip(0.2 + departures, 0, 1)
    wanted /= np.maximum(1, wanted.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_votes_move_the_seeds_class_up(crowd: Crowd) -> None:
    frozen, learned = [], []
    for seed in range(0, 600, 20):
        near = session_of(crowd, seed, 300)
        said = np.eye(3, dtype=np.float32)[crowd.classes[near[:60]]]
        rest = np.arange(60, 300)
        chances = compute_posterior(
            crowd.vectors[near], compute_prior_shares(said, 300), np.arange(60), said
        )[rest, crowd.classes[seed]]
        is_wanted = crowd.classes[near[rest]] == crowd.classes[seed]
        frozen.append(is_wanted[:40].mean())
        learned.append(is_wanted[np.argsort(-chances, kind="stable")[:40]].mean())

    assert np.mean(learned) > np.mean(frozen) + 0.15


def test_without_votes_suggestions_rank_and_new_votes_update_them() -> None:
    rng = np.random.default_rng(0)
    vectors = unit_rows(rng.normal(size=(MOST_LEARNED + 50, 8)).astype(np.float32))
    expected = rng.uniform(0, 0.5, (len(vectors), 2)).astype(np.float32)
    rows = np.arange(len(vectors))
    said = np.tile(np.array([[1, 0]], np.float32), (len(rows), 1))
    said[:50] = [0, 1]

    nothing = compute_posterior(vectors, expected, rows[:0], said[:0])
    much = compute_posterior(vectors, expected, rows, said)

    np.testing.assert_array_equal(nothing, expected)
    np.testing.assert_array_equal(much, compute_posterior(vectors, expected, rows[50:], said[50:]))


def test_none_of_these_speaks_against_every_class() -> None:
    vectors = unit_rows(np.array([[1, 0], [1, 0.01], [0, 1], [0.01, 1]], np.float32))
    expected = np.full((4, 2), 0.45, np.float32)

    chances = compute_posterior(vectors, expected, np.array([0]), np.zeros((1, 2), np.float32))

    assert (chances[1] < 0.3).all()
    np.testing.assert_allclose(chances[3], 0.45, atol=0.1)
    same = np.full((4, 2), 0.5, np.float32)
    alike = compute_posterior(same, expected, np.array([0]), np.array([[1, 0]], np.float32))
    assert np.isfinite(alike).all()


@pytest.mark.parametrize(
    ("chances", "end"),
    [
        ([], 0),
        ([0.4, 0.3], 0),
        ([0.9, 0.8, 0.4, 0.2], 2),
        ([0.9, 0.3, 0.8, 0.2], 3),  # 0.3 and 0.8 make 0.55 on average
        ([0.9, 0.1, 0.8, 0.2], 1),
        ([0.2, 0.9, 0.9, 0.1], 3),
        ([0.5, 0.5], 2),
    ],
)
def test_the_proposed_end_is_where_the_fitted_chance_falls_below_half(
    chances: list[float], end: int
) -> None:
    assert propose_cutoff(np.array(chances)) == end


def test_shares_so_far_are_what_is_expected_where_nothing_is_suggested() -> None:
    said = np.array([[1, 0], [1, 0], [0, 0]], np.float32)

    np.testing.assert_allclose(compute_prior_shares(said, 2), [[0.625, 0.125]] * 2)
    np.testing.assert_allclose(compute_prior_shares(said[:0], 1), [[0.5, 0.5]])

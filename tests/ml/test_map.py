"""The map: the same for the same seed, aligned to the one before, and never without a place."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.ml import map as maps
from app.ml.map import (
    Points,
    align_to,
    compute_layout,
    compute_principal_components,
    compute_sketch,
    place_missing,
)
from app.ml.vectors import Vectors

pytestmark = pytest.mark.once


def clusters(n: int, noise: float = 0.25, seed: int = 3) -> tuple[Vectors, NDArray[np.int64]]:
    """Unit vectors (n, 16) around four centres, and which centre each is of."""
    rng = np.random.default_rng(seed)
    classes = np.arange(n) % 4
    rows = np.eye(4, 16)[classes] + noise * rng.normal(size=(n, 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), classes


def turned(points: Points, degrees: float) -> Points:
    """The same map mirrored, turned, shrunk and moved aside."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((points * [-1, 1]) @ turn * 0.4 + [0.1, -0.2], np.float32)


def share_of_own_class(points: Points, classes: NDArray[np.int64]) -> float:
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1)[:, :10]
    return float((classes[near] == classes[:, None]).mean())


def test_alike_records_lie_together_the_same_way_each_time() -> None:
    vectors, classes = clusters(240)
    told: list[float] = []

    points = compute_layout(vectors, report=told.append)
    again = compute_layout(vectors)

    assert points.shape == (240, 2)
    assert points.dtype == np.float32
    assert np.array_equal(points, again)
    assert np.abs(points).max() == pytest.approx(0.9)
    assert share_of_own_class(points, classes) > 0.9
    assert told == sorted(told)
    assert 0 <= told[0] < 0.1 < told[-1] <= 1


def test_a_turned_map_comes_back_to_the_one_before() -> None:
    before, _ = clusters(60)
    points = before[:, :2] * 0.9

    back = align_to(turned(points, 75), points)

    assert np.abs(back - points).max() < 1e-5


def test_alignment_uses_records_on_both_maps() -> None:
    points = clusters(60)[0][:, :2] * 0.8
    before = points.copy()
    before[40:] = np.nan

    back = align_to(turned(points, 200), before)

    assert np.abs(back - points).max() < 1e-5


def test_the_next_layout_of_the_same_vectors_hardly_moves() -> None:
    vectors, _ = clusters(240)
    before = turned(compute_layout(vectors), 130)

    after = compute_layout(vectors, before=before, seed=7)

    assert np.median(np.linalg.norm(after - before, axis=1)) < 0.12


def test_a_map_never_leaves_its_square() -> None:
    before = np.array([[-1, -1], [1, 1], [1, -1], [np.nan, np.nan]], np.float32)
    points = np.array([[-1, -1], [1, 1], [1, -1], [-3, 3]], np.float32)

    laid = align_to(points, before)

    assert np.abs(laid).max() == pytest.approx(1)


def test_new_records_find_a_place_near_their_like_and_nobody_else_moves() -> None:
    vectors, classes = clusters(200)
    points = compute_layout(vectors)
    twin = np.concatenate([vectors, vectors[:5], clusters(40, seed=8)[0]])
    known = np.full((245, 2), np.nan, np.float32)
    known[:200] = points

    placed = place_missing(twin, known)

    assert np.array_equal(placed[:200], points)
    assert np.allclose(placed[200:205], points[:5], atol=1e-3)
    centres = np.stack([np.median(points[classes == each], axis=0) for each in range(4)])
    nearest = np.linalg.norm(placed[205:, None] - centres[None], axis=2).argmin(axis=1)
    assert (nearest == np.arange(40) % 4).mean() > 0.9


def test_many_records_are_laid_out_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "MOST_DRAWN", 150)
    vectors, classes = clusters(400)

    points = compute_layout(vectors)

    assert np.isfinite(points).all()
    assert share_of_own_class(points, classes) > 0.85


@pytest.mark.parametrize("n", [0, 1, 2, 3, 49])
def test_few_records_have_a_map_at_once(n: int) -> None:
    vectors = clusters(50)[0][:n]

    points = compute_layout(vectors)

    assert points.shape == (n, 2)
    assert np.isfinite(points).all()
    assert points == pytest.approx(compute_sketch(vectors), abs=1e-5)
    assert n < 2 or np.abs(points).max() == pytest.approx(0.9)


@pytest.mark.parametrize("n", [5, 120])
def test_equal_and_collinear_vectors_have_a_place(n: int) -> None:
    equal = np.tile(clusters(1)[0], (n, 1))
    line = np.linspace(0, 1, n, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)

    assert np.array_equal(compute_layout(equal), np.zeros((n, 2), np.float32))
    assert np.isfinite(compute_layout(line)).all()
    assert np.ptp(compute_layout(line), axis=0).tolist() == pytest.approx([1.8, 0.0])


def test_many_twins_among_others_have_a_place() -> None:
    vectors, _ = clusters(120)
    vectors[:100] = vectors[0]

    assert np.isfinite(compute_layout(vectors)).all()


def test_without_anybody_in_place_nobody_can_be_placed() -> None:
    with pytest.raises(ValueError, match="This map has no records"):
        place_missing(clusters(5)[0], np.full((5, 2), np.nan, np.float32))


def test_components_keep_the_directions_that_differ_most() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(300, 3)) * [0.1, 5, 1]).astype(np.float32)

    reduced = compute_principal_components(rows, 2)

    assert np.abs(np.corrcoef(reduced[:, 0], rows[:, 1])[0, 1]) > 0.999
    assert np.abs(np.corrcoef(reduced[:, 1], rows[:, 2])[0, 1]) > 0.99
    assert compute_principal_components(rows[:1], 2).tolist() == [[0, 0]]

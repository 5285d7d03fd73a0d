import numpy as np
import pytest

from app.ml import nearest_rows
from app.ml.graph import build_neighbour_graph
from app.ml.label_inference.infer import remove_cannot_link_edges
from tests.ml.conftest import Crowd

pytestmark = pytest.mark.once


def test_the_graph_is_the_one_that_numpy_computes(crowd: Crowd) -> None:
    similarities = crowd.vectors @ crowd.vectors.T
    np.fill_diagonal(similarities, -np.inf)
    w = np.zeros_like(similarities)
    for row, near in enumerate(np.argsort(-similarities, axis=1)[:, :5]):
        w[row, near] = np.maximum(similarities[row, near], 0) ** 3
    w = np.maximum(w, w.T)
    scale = 1 / np.sqrt(w.sum(axis=1))

    found = build_neighbour_graph(crowd.vectors, 5)

    np.testing.assert_allclose(found.toarray(), w * scale[:, None] * scale[None, :], atol=1e-5)


def test_duplicates_are_neighbours_and_nobody_is_its_own() -> None:
    same = np.ones((40, 3), np.float32)

    found = build_neighbour_graph(same, 5)

    assert found.diagonal().sum() == 0
    assert (found.getnnz(axis=1) >= 5).all()


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_a_handful_of_records_still_makes_a_graph(n: int) -> None:
    found = build_neighbour_graph(np.eye(4, dtype=np.float32)[:n] + 0.5, 15)

    assert found.shape == (n, n)
    assert found.nnz == n * (n - 1)


def test_many_records_are_searched_by_cells(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    _, exact = nearest_rows.find_nearest_others(crowd.vectors, 10)
    monkeypatch.setattr(nearest_rows, "EXACT_UP_TO", 100)

    _, quick = nearest_rows.find_nearest_others(crowd.vectors, 10)

    shared = [len(np.intersect1d(a, b)) for a, b in zip(exact, quick, strict=True)]
    assert np.mean(shared) > 9.5


def test_not_similar_pairs_are_no_longer_neighbours(crowd: Crowd) -> None:
    s = build_neighbour_graph(crowd.vectors, 10)
    first = s[0].indices[:2]
    apart = np.array([[0, first[0]], [first[1], 0], [0, 599], [0, 599]])

    cut = remove_cannot_link_edges(s, apart)

    assert cut[0, first[0]] == cut[first[0], 0] == cut[0, first[1]] == cut[first[1], 0] == 0
    assert cut.nnz == s.nnz - 2 * 2 - 2 * int(s[0, 599] != 0)
    assert remove_cannot_link_edges(s, np.empty((0, 2), np.int64)) is s

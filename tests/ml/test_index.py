from pathlib import Path

import numpy as np
import pytest

from app.ml.index import VectorIndex
from tests.ml.conftest import Crowd

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def index(crowd: Crowd) -> VectorIndex:
    return VectorIndex.build(np.arange(600) * 3 + 1000, crowd.vectors)


def test_the_nearest_come_first_as_numpy_finds_them(index: VectorIndex, crowd: Crowd) -> None:
    cosines = crowd.vectors[:5] @ crowd.vectors.T
    nearest = np.argsort(-cosines, axis=1)[:, :10] * 3 + 1000

    ids, similarities = index.search(crowd.vectors[:5] * 7, 10)

    assert np.mean(ids == nearest) > 0.9
    np.testing.assert_allclose(similarities, -np.sort(-cosines, axis=1)[:, :10], atol=2e-3)
    assert ids.dtype == np.int64
    assert similarities.dtype == np.float32


def test_filters_apply_inside_the_search(index: VectorIndex, crowd: Crowd) -> None:
    among = np.array([1000, 1003, 1006, 1009, 5])

    ids, _ = index.search(crowd.vectors[500:501], 600, among=among, without=np.array([1003]))
    none, _ = index.search(crowd.vectors[:2], 5, among=np.array([4]))

    assert sorted(ids[0]) == [1000, 1006, 1009]
    assert none.shape == (2, 0)


def test_without_leaves_k_results(index: VectorIndex, crowd: Crowd) -> None:
    ids, _ = index.search(crowd.vectors[:1], 20, without=np.array([1000]))

    assert ids.shape == (1, 20)
    assert 1000 not in ids


def test_a_k_beyond_the_record_count_returns_all_records(index: VectorIndex, crowd: Crowd) -> None:
    ids, _ = index.search(crowd.vectors[:1], 5000)

    assert sorted(ids[0]) == index.ids.tolist()
    assert len(index) == index.n_records == 600
    assert index.dimension == 24


def test_equal_similarities_are_ordered_by_id_also_at_the_cut() -> None:
    same = VectorIndex.build(np.arange(300)[::-1].copy(), np.ones((300, 4), np.float32))

    ids, _ = same.search(np.ones((1, 4), np.float32), 7)

    assert ids[0].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_vectors_come_back_in_the_requested_order(index: VectorIndex, crowd: Crowd) -> None:
    found = index.vectors(np.array([1006, 1000, 1006]))

    np.testing.assert_allclose(found, crowd.vectors[[2, 0, 2]], atol=1e-3)
    assert index.vectors(np.array([], np.int64)).shape == (0, 24)
    with pytest.raises(ValueError, match="lacks"):
        index.vectors(np.array([1001]))


def test_a_saved_index_answers_the_same(index: VectorIndex, crowd: Crowd, tmp_path: Path) -> None:
    index.save(tmp_path / "index.faiss")

    loaded = VectorIndex.load(tmp_path / "index.faiss")

    for before, after in zip(
        index.search(crowd.vectors[:3], 9), loaded.search(crowd.vectors[:3], 9), strict=True
    ):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(index.vectors(index.ids[:4]), loaded.vectors(index.ids[:4]))


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_cut_file_is_refused(index: VectorIndex, tmp_path: Path, kept: float) -> None:
    path = tmp_path / "index.faiss"
    index.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(ValueError, match=r"index\.faiss"):
        VectorIndex.load(path)


@pytest.mark.parametrize(
    ("ids", "vectors", "reason"),
    [
        ([1, 1], [[1, 0], [0, 1]], "twice"),
        ([-1, 1], [[1, 0], [0, 1]], "negative"),
        ([1], [[1, 0], [0, 1]], "1 ids for 2"),
        ([1, 2], [[1, 0], [0, 0]], "zero"),
        ([1, 2], [[1, 0], [np.nan, 0]], "NaN"),
    ],
)
def test_invalid_faiss_input_is_refused(
    ids: list[int], vectors: list[list[float]], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        VectorIndex.build(np.array(ids), np.array(vectors, np.float32))


def test_blocks_give_the_same_index_as_all_at_once(crowd: Crowd, index: VectorIndex) -> None:
    ids = np.arange(600) * 3 + 1000
    blocks = [(ids[part], crowd.vectors[part]) for part in (slice(250), slice(250, 600))]

    for n_expected in (600, 1, 5000):
        built = VectorIndex.build_from(iter(blocks), crowd.vectors.shape[1], n_expected)

        assert built.ids.tolist() == ids.tolist()
        np.testing.assert_array_equal(built.vectors(ids), index.vectors(ids))
        found, expected = (each.search(crowd.vectors[:5], 20) for each in (built, index))
        np.testing.assert_array_equal(found[0], expected[0])


def test_an_id_in_two_blocks_is_refused() -> None:
    block = (np.array([1, 2]), np.eye(2, dtype=np.float32))

    with pytest.raises(ValueError, match="twice"):
        VectorIndex.build_from([block, block], 2, 4)


def test_impossible_queries_are_refused(index: VectorIndex) -> None:
    with pytest.raises(ValueError, match="dimensions"):
        index.search(np.ones((1, 3), np.float32), 5)
    with pytest.raises(ValueError, match="NaN"):
        index.search(np.full((1, 24), np.nan, np.float32), 5)
    with pytest.raises(ValueError, match="k must be at least 1"):
        index.search(np.ones((1, 24), np.float32), 0)

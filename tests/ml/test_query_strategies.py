import time

import numpy as np
import pytest

from app.ml.query_strategies import select_representatives, uncertainty
from app.ml.vectors import unit_rows

pytestmark = pytest.mark.once


def test_each_cluster_is_represented_the_biggest_first() -> None:
    rng = np.random.default_rng(0)
    sizes = [300, 200, 100]
    cluster = np.repeat(np.arange(3), sizes)
    rows = unit_rows((np.eye(8)[cluster] + rng.normal(scale=0.05, size=(600, 8))).astype("f"))

    picked = select_representatives(rows, 3)

    assert cluster[picked].tolist() == [0, 1, 2]


def test_no_record_represents_twice_even_among_duplicates() -> None:
    picked = select_representatives(np.ones((50, 4), np.float32), 10)

    assert len(np.unique(picked)) == 10


def test_few_records_all_represent_themselves() -> None:
    assert select_representatives(np.eye(3, dtype=np.float32), 25).tolist() == [0, 1, 2]


def test_the_same_seed_picks_the_same_and_20_000_take_little_time() -> None:
    rows = np.random.default_rng(1).normal(size=(20_000, 64)).astype(np.float32)
    start = time.process_time()

    picked = select_representatives(rows, 25, seed=3)

    assert time.process_time() - start < 10
    np.testing.assert_array_equal(picked, select_representatives(rows, 25, seed=3))


def test_uncertainty_is_one_less_the_margin() -> None:
    p = np.array([[0.5, 0.5, 0], [1, 0, 0], [0.2, 0.7, 0.1]], np.float32)

    np.testing.assert_allclose(uncertainty(p), [1, 0, 0.5], atol=1e-6)
    assert uncertainty(p[:, :1]).tolist() == [0, 0, 0]

import numpy as np
import pytest

from app.ml.vectors import BLOCK_ROWS, unit_rows

pytestmark = pytest.mark.once


def test_rows_come_back_at_length_1() -> None:
    rows = unit_rows(np.array([[3, 4], [0, 2]], np.float32))

    np.testing.assert_allclose(rows, np.array([[0.6, 0.8], [0, 1]], "f"), rtol=1e-6)
    assert rows.dtype == np.float32


@pytest.mark.parametrize("bad", [[[np.nan, 1.0]], [[np.inf, 1.0]], [[0.0, 0.0]]])
def test_rows_without_a_direction_are_refused(bad: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="A vector"):
        unit_rows(np.array(bad, np.float32))


def test_a_row_without_a_direction_is_found_in_any_block() -> None:
    rows = np.ones((BLOCK_ROWS + 2, 2), np.float32)
    rows[-1] = 0

    with pytest.raises(ValueError, match="zero"):
        unit_rows(rows)


def test_rows_of_length_1_come_back_as_they_are() -> None:
    once = unit_rows(np.random.default_rng(0).normal(size=(BLOCK_ROWS + 2, 24)).astype(np.float32))

    assert unit_rows(once) is once


def test_one_row_of_another_length_is_brought_to_length_1() -> None:
    rows = np.tile(np.array([[0.6, 0.8]], np.float32), (BLOCK_ROWS + 2, 1))
    rows[-1] = 3, 4

    unit = unit_rows(rows)

    np.testing.assert_allclose(unit, np.full_like(rows, 1) * [0.6, 0.8], rtol=1e-6)
    assert rows[-1].tolist() == [3, 4]


@pytest.mark.parametrize(
    "given",
    [
        np.arange(1, 9, dtype=np.float32).reshape(4, 2),
        np.arange(1, 9, dtype=np.float64).reshape(4, 2),
        np.arange(1, 17, dtype=np.float32).reshape(4, 4)[:, 1:3],
        np.asfortranarray(np.arange(1, 9, dtype=np.float32).reshape(4, 2)),
    ],
    ids=["plain", "double", "columns", "fortran"],
)
def test_what_is_given_stays_as_it_is(given: np.ndarray) -> None:
    before = given.copy()

    unit = unit_rows(given)

    np.testing.assert_array_equal(given, before)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    assert unit.flags.c_contiguous
    assert unit.dtype == np.float32

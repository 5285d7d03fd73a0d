import numpy as np
import pytest

from app.similarity.vectors import unit_rows

pytestmark = pytest.mark.once


def test_rows_come_back_at_length_1() -> None:
    rows = unit_rows(np.array([[3, 4], [0, 2]], np.float32))

    np.testing.assert_allclose(rows, np.array([[0.6, 0.8], [0, 1]], "f"), rtol=1e-6)
    assert rows.dtype == np.float32


@pytest.mark.parametrize("bad", [[[np.nan, 1.0]], [[np.inf, 1.0]], [[0.0, 0.0]]])
def test_rows_without_a_direction_are_refused(bad: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="A vector"):
        unit_rows(np.array(bad, np.float32))

import numpy as np
import pytest

from app.ml.encoding.agreement import agreement
from app.ml.vectors import Vectors, unit_rows

pytestmark = pytest.mark.once


def on_a_circle(*degrees: float) -> Vectors:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_a_turn_is_measured_by_its_cosine_and_by_the_neighbours_that_change() -> None:
    # Nearest of 0 is 50, of 50 is 0, of 110 is 50; after the second moves to 70: 70, 110, 70.
    measured = agreement(on_a_circle(0, 50, 110), on_a_circle(0, 70, 110))

    assert measured.n == 3
    assert measured.mean_cosine == pytest.approx((2 + np.cos(np.radians(20))) / 3)
    assert measured.least_cosine == pytest.approx(np.cos(np.radians(20)))
    assert measured.overlap == 1.0  # Both others are among the two nearest, in whatever order.


def test_the_neighbours_that_both_name_are_counted() -> None:
    # Two groups of eleven: everybody's ten neighbours are the rest of the own group. Then two
    # texts change places, so each of the others has lost one of ten, and these two all.
    groups = np.repeat([[1.0, 0.0], [0.0, 1.0]], 11, axis=0)
    places = np.arange(22)
    places[[0, 11]] = places[[11, 0]]

    measured = agreement(unit_rows(groups), unit_rows(groups[places]))

    assert measured.overlap == pytest.approx((20 * 0.9 + 2 * 0.0) / 22)
    assert (measured.least_cosine, measured.mean_cosine) == pytest.approx((0, 20 / 22))


@pytest.mark.parametrize(("spread", "is_enough"), [(0.0, True), (0.02, True), (0.2, False)])
def test_noise_ends_the_agreement(spread: float, is_enough: bool) -> None:
    draw = np.random.default_rng(0)
    vectors = unit_rows(draw.normal(size=(200, 32)).astype(np.float32))
    noise = draw.normal(size=vectors.shape).astype(np.float32) * spread / np.sqrt(32)

    measured = agreement(vectors, unit_rows(vectors + noise))

    assert measured.is_enough is is_enough
    assert (
        f"on 200 texts the mean cosine to torch is {measured.mean_cosine:.4f}" in measured.sentence
    )


def test_one_text_has_no_neighbours_to_agree_on() -> None:
    with pytest.raises(ValueError, match="two or more"):
        agreement(on_a_circle(0), on_a_circle(0))

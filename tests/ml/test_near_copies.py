"""Which texts are near-copies of each other."""

import pytest

from app.ml.evaluation.near_copies import compute_near_copy_key

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "other",
    [
        "where is my parcel 17",
        "  Where is   MY parcel?\n",
        "Where is my parcel (4)",
        "Where is my parcel? 😍",
        "\uff37here is my parcel\uff1f",
    ],
)
def test_case_digits_punctuation_symbols_and_blanks_make_no_difference(other: str) -> None:
    assert compute_near_copy_key(other) == compute_near_copy_key("Where is my parcel?")


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Where is my parcel?", "Where is your parcel?"),
        ("สวัสดี", "สวัสดู"),
        ("हिन्दी", "हिन्दा"),
        ("17", "18"),
        ("😍", "😡"),
        ("part one", "partone"),
    ],
)
def test_other_letters_make_another_text_and_so_does_all_where_there_are_none(
    text: str, other: str
) -> None:
    assert compute_near_copy_key(text) != compute_near_copy_key(other)


def test_a_lone_surrogate_has_a_key() -> None:
    assert compute_near_copy_key("a \ud800") == compute_near_copy_key("a")

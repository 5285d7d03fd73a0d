import pytest

from app.labeling.sessions.highlights import (
    FOLDED_AFTER,
    Piece,
    build_shown_text,
    extract_query_words,
    extract_words,
    pieces,
)
from app.labeling.sessions.rows import LONGEST_WHOLE
from app.models import LabelingSession

pytestmark = pytest.mark.once

NOTHING: frozenset[str] = frozenset()


def kinds(found: list[Piece]) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in found if piece.kind]


def session(**seed: object) -> LabelingSession:
    return LabelingSession(seed_kind="text", seed=dict(seed))


def test_what_a_near_duplicate_has_and_the_seed_lacks_is_cut_out() -> None:
    seed = extract_words("Refund 30 EUR for order 4711, please")

    found = pieces("refund 35 EUR for my order 4711!", NOTHING, seed)

    assert kinds(found) == [("differs", "35"), ("differs", "my")]
    assert "".join(piece.text for piece in found) == "refund 35 EUR for my order 4711!"


def test_neighbouring_differences_are_one_piece_and_unlike_texts_have_none() -> None:
    seed = extract_words("the parcel never came to my house")

    assert kinds(pieces("the big red parcel never came", NOTHING, seed)) == [("differs", "big red")]
    assert kinds(pieces("login fails since the update", NOTHING, seed)) == []


def test_sought_words_are_marked_where_a_word_begins_with_them() -> None:
    words = extract_query_words(
        session(text="Refund for the parcel", filters={"keyword": "late -early"})
    )

    found = pieces("Refunds? The refund of a PARCEL, late; translate it.", words, None)

    assert words == {"refund", "parcel", "late"}
    assert kinds(found) == [
        ("sought", "Refunds"),
        ("sought", "refund"),
        ("sought", "PARCEL"),
        ("sought", "late"),
    ]


def test_scripts_without_spaces_are_compared_by_character_and_sought_as_they_stand() -> None:
    found = pieces(
        "我的包裹还没有到", extract_query_words(session(text="包裹")), extract_words("我的包裹没到")
    )

    assert kinds(found) == [("sought", "包裹"), ("differs", "还"), ("differs", "有")]


def test_markup_in_a_query_is_only_words() -> None:
    words = extract_query_words(session(text="<em>(.*)[az]+</em> plan"))

    assert words == {"em", "az", "plan"}
    assert kinds(pieces("plan b", words, None)) == [("sought", "plan")]


@pytest.mark.parametrize(("length", "is_folded"), [(LONGEST_WHOLE, False), (1_000_000, True)])
def test_long_texts_are_folded(length: int, is_folded: bool) -> None:
    shown = build_shown_text("x" * length, NOTHING, None)

    assert shown.is_folded == is_folded
    assert len("".join(piece.text for piece in shown.pieces)) == (
        FOLDED_AFTER if is_folded else length
    )

import pytest

from app.records.query_parser import Piece, WordQuery, parse_words, snippet
from tests.conftest import make_project
from tests.records.test_filters import found, make_records

TEXTS = [
    "The late parcel came",
    "parcel\ncame late",
    "GRÜSSE aus Köln, 100% sicher",
    "我的包裹丢了",
    "ΟΔΥΣΣΕΥΣ [a*b?]",
    "a_b back\\slash and 'quotes'",
]


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("late  parcel", WordQuery(("late", "parcel"))),
        ('"late parcel" -came', WordQuery(("late parcel",), ("came",))),
        ('-"came late" x', WordQuery(("x",), ("came late",))),
        ("“late parcel” e-mail -", WordQuery(("late parcel", "e-mail", "-"))),
        ('"never closed', WordQuery(("never closed",))),
        ('"" -""', WordQuery()),
    ],
)
def test_what_is_typed_is_words_phrases_and_exclusions(typed: str, wanted: WordQuery) -> None:
    assert parse_words(typed) == wanted


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ('"late parcel"', [0]),
        ("late parcel", [0, 1]),
        ("parcel -the", [1]),
        ('parcel -"parcel came"', [1]),
        ("-parcel -包裹", [2, 4, 5]),
        ("grüsse KÖLN", [2]),
        ("köl -sicher", []),
        ("包裹", [3]),
        ("裹丢", [3]),
        ("οδυσσευς", [4]),
        ("[a*", [4]),
        ("*b?]", [4]),
        ("a_b", [5]),
        ("k\\s", [5]),
        ("'quotes'", [5]),
        ("100%", [2]),
        ("id-3", [3]),
    ],
)
def test_words_are_found_without_case_in_every_alphabet(
    database: str, typed: str, rows: list[int]
) -> None:
    project = make_project()
    ids = make_records(project.id, TEXTS)

    assert found(project.id, keyword=typed) == [ids[row] for row in rows]


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("reuters", [0]),
        ("desk", []),
        ("ÉMILE", [1]),
        ('"12" one', [0]),
        ("新聞", [2]),
        ('say "hi"', []),
        ("three -reuters", [2]),
        ("-émile -12", [2]),
    ],
)
def test_values_of_fields_are_found_and_their_names_are_not(
    database: str, typed: str, rows: list[int]
) -> None:
    project = make_project()
    ids = make_records(
        project.id, ["one", "two", "three"], desk=["Reuters", "Émile", "新聞"], n=[12, 7, None]
    )

    assert found(project.id, keyword=typed) == [ids[row] for row in rows]


def test_a_snippet_marks_what_was_found_and_begins_near_it() -> None:
    text = "x" * 1000 + " The LATE parcel " + "y" * 1000

    pieces = snippet(text, ("late", "late parcel"), length=100)

    assert [piece.text for piece in pieces if piece.is_match] == ["LATE parcel"]
    assert (pieces[0], pieces[-1]) == (Piece("… "), Piece("…"))
    assert len("".join(piece.text for piece in pieces)) == 103
    assert snippet("short", ()) == [Piece("short")]
    assert snippet("Ärger", ("äRG",)) == [Piece("Ärg", True), Piece("er")]

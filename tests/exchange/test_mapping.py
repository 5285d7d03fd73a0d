"""What a file's columns are taken for before a person has looked."""

import pytest

from app.exchange.imports.mapping import suggest_mapping


def rows(column: str, *values: str) -> list[dict[str, str]]:
    return [{column: value, "subject": f"Subject {i}"} for i, value in enumerate(values)]


@pytest.mark.parametrize("column", ["ticket_no", "Ticket No", "customer-id", "caseNumber", "No"])
def test_a_column_that_numbers_its_rows_is_their_id(column: str) -> None:
    given = rows(column, "81", "82", "90")

    assert suggest_mapping([column, "subject"], given, is_multi_label=False).id_column == column


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("ticket_no", ("81", "82", "81")),
        ("ticket_no", ("81", "", "82")),
        ("ticket_no", ("81",)),
        ("volcano", ("81", "82")),
        ("amount", ("81", "82")),
    ],
)
def test_what_repeats_is_empty_or_is_called_otherwise_is_no_id(
    column: str, values: tuple[str, ...]
) -> None:
    found = suggest_mapping([column, "subject"], rows(column, *values), is_multi_label=False)

    assert found.id_column is None


def test_a_column_that_is_called_id_comes_first() -> None:
    given = [{"ticket_no": str(i), "id": "same", "subject": "x"} for i in range(3)]

    assert (
        suggest_mapping(["ticket_no", "id", "subject"], given, is_multi_label=False).id_column
        == "id"
    )

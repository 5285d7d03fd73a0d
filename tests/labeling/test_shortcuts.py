import pytest

from app.labeling.labels.shortcuts import load_letters, pair_with_digits
from app.models import Label, Project, User

pytestmark = pytest.mark.once


def keyed(n_labels: int, chosen: object = None) -> list[tuple[int, str]]:
    offered = [Label(id=i, name=f"label {i}", position=i) for i in range(1, n_labels + 1)]
    user = User(preferences={} if chosen is None else {"digits_7": chosen})
    return [(label.id, key) for label, key in pair_with_digits(user, Project(id=7), offered)]


def test_labels_have_digits_by_their_place_and_the_rest_has_none() -> None:
    assert keyed(3) == [(1, "1"), (2, "2"), (3, "3")]
    assert keyed(12)[8:] == [(9, "9"), (10, "0"), (11, ""), (12, "")]


def test_chosen_shortcuts_stay_and_free_digits_go_to_other_labels() -> None:
    assert keyed(12, [12, None, 1])[:4] == [(12, "1"), (2, "2"), (1, "3"), (3, "4")]
    assert keyed(12, [12, None, 1])[-2:] == [(10, ""), (11, "")]
    assert sorted(label_id for label_id, _ in keyed(12, [12, None, 1])) == list(range(1, 13))


@pytest.mark.parametrize("chosen", ["x", [99, 99], [2, 2], [True, "1"], [None] * 50])
def test_a_choice_that_makes_no_sense_loses_no_label(chosen: object) -> None:
    found = keyed(3, chosen)

    assert sorted(label_id for label_id, _ in found) == [1, 2, 3]
    assert len({key for _, key in found}) == 3


def test_letter_shortcuts_are_unique_within_a_project() -> None:
    offered = [Label(id=i, name=f"label {i}", position=i) for i in (1, 2)]
    chosen = {"1": "s", "2": "s", "3": "q", "x": "y", "0": "ab"}

    def letters(stored: object) -> dict[int, str]:
        return load_letters(User(preferences={"letters_7": stored}), Project(id=7), offered)

    assert letters(chosen) == {1: "s"}
    assert letters({"2": "r", "1": "7"}) == {2: "r"}
    assert letters(["s"]) == letters(None) == {}

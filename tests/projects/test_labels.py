import pytest
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.errors import Conflict, Invalid
from app.models import Label, LabelChange, utc_now
from app.projects.labels import add_label, label_set, list_all_labels, shortcut_for_position
from tests.conftest import make_project, make_user


def add(project_id: int, *names: str) -> list[Label]:
    with write_session() as db:
        return [add_label(db, project_id, name, None) for name in names]


def test_labels_come_in_order_with_colours_that_cycle(database: str) -> None:
    project = make_project()

    labels = add(project.id, *[f"label {i}" for i in range(21)])

    assert [label.position for label in labels] == list(range(21))
    assert [label.colour for label in labels] == [*range(20), 0]
    with read_session() as db:
        assert [each.name for each in label_set(db, project.id)] == [each.name for each in labels]


@pytest.mark.parametrize("name", ["refund", "  ReFund  ", "REFUND\n"])
def test_names_that_read_alike_are_one_label(database: str, name: str) -> None:
    project, other = make_project("one"), make_project("two")
    add(project.id, "Refund")

    with write_session() as db, pytest.raises(Conflict, match="label “Refund” already"):
        add_label(db, project.id, name, None)
    assert add(other.id, name)[0].project_id == other.id


def test_letters_composed_differently_are_one_label(database: str) -> None:
    project = make_project()
    add(project.id, "Gr\u00f6\u00dfe")

    with write_session() as db, pytest.raises(Conflict):
        add_label(db, project.id, "GRO\u0308SSE", None)


@pytest.mark.parametrize("name", ["", " \t", "x" * 201])
def test_a_label_needs_a_name(database: str, name: str) -> None:
    project = make_project()

    with write_session() as db, pytest.raises(Invalid, match="1 to 200 characters"):
        add_label(db, project.id, name, None)


def test_retired_and_merged_labels_are_no_longer_offered_but_stay(database: str) -> None:
    project = make_project()
    first, second, third = add(project.id, "a", "b", "c")

    with write_session() as db:
        db.get_one(Label, first.id).retired_at = utc_now()
        db.get_one(Label, second.id).merged_into_id = third.id

    with read_session() as db:
        assert [each.name for each in label_set(db, project.id)] == ["c"]
        assert [each.name for each in list_all_labels(db, project.id)] == ["a", "b", "c"]
    for name, why in (("A", "is retired"), ("B", "was merged")):
        with write_session() as db, pytest.raises(Conflict, match=why):
            add_label(db, project.id, name, None)


def test_the_author_of_a_label_is_stored(database: str) -> None:
    project, ada = make_project(), make_user()

    with write_session() as db:
        label = add_label(db, project.id, "Refund", ada)

    with read_session() as db:
        change = db.scalars(select(LabelChange)).one()
    assert (change.kind, change.label_id, change.user_id) == ("add", label.id, ada.id)
    assert change.after == {"name": "Refund", "colour": 0}


def test_ten_labels_have_a_key() -> None:
    assert "".join(shortcut_for_position(position) for position in range(12)) == "1234567890"
    assert shortcut_for_position(-1) == ""

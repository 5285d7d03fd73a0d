import pytest
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.errors import NotFound
from app.labeling.annotations.undo import find_next_redo, find_next_undo, redo, undo
from app.models import Annotation, User, UserAction
from tests.labeling.conftest import Desk


def undone(desk: Desk, user: User, action_id: int | None = None) -> UserAction | None:
    with write_session() as db:
        return undo(db, desk.project, user.id, action_id=action_id)


def redone(desk: Desk, user: User, action_id: int | None = None) -> UserAction | None:
    with write_session() as db:
        return redo(db, desk.project, user.id, action_id=action_id)


def test_undo_walks_back_through_everything_and_redo_forward_again(desk: Desk) -> None:
    actions = [desk.label(desk.ada, (0, i), key=f"k{i}").id for i in range(3)]
    seen = []

    for _ in range(3):
        action = undone(desk, desk.ada)
        seen.append((action.id if action else None, desk.consensus(0)))
    assert seen == [(actions[2], [1]), (actions[1], [0]), (actions[0], None)]
    assert undone(desk, desk.ada) is None

    for action_id, label in zip(actions, range(3), strict=True):
        action = redone(desk, desk.ada)
        assert action is not None
        assert action.id == action_id
        assert desk.consensus(0) == [label]
    assert redone(desk, desk.ada) is None


def test_a_page_is_undone_and_redone_as_one(desk: Desk) -> None:
    desk.label(desk.ada, (0, 2), key="before")
    desk.label(desk.ada, *[(i, 1) for i in range(12)], key="page", source="page")
    assert [desk.consensus(i) for i in range(12)] == [[1]] * 12

    undone(desk, desk.ada)
    assert [desk.consensus(i) for i in range(12)] == [[2]] + [None] * 11

    redone(desk, desk.ada)
    assert [desk.consensus(i) for i in range(12)] == [[1]] * 12


def test_a_new_action_clears_redo(desk: Desk) -> None:
    for i in range(3):
        desk.label(desk.ada, (i, 0), key=f"k{i}")
    undone(desk, desk.ada)
    undone(desk, desk.ada)

    newest = desk.label(desk.ada, (5, 0), key="new")
    assert redone(desk, desk.ada) is None

    undone(desk, desk.ada)
    action = redone(desk, desk.ada)
    assert action is not None
    assert action.id == newest.id
    assert redone(desk, desk.ada) is None


def test_asking_again_for_the_same_undo_does_nothing_more(desk: Desk) -> None:
    first = desk.label(desk.ada, (0, 0), key="a").id
    second = desk.label(desk.ada, (1, 0), key="b").id

    undone(desk, desk.ada, second)
    undone(desk, desk.ada, second)
    assert (desk.consensus(0), desk.consensus(1)) == ([0], None)

    redone(desk, desk.ada, second)
    redone(desk, desk.ada, second)
    assert (desk.consensus(0), desk.consensus(1)) == ([0], [0])
    with read_session() as db:
        following = find_next_undo(db, desk.project.id, desk.ada.id)
        assert following is not None
        assert following.id == second > first


def test_people_undo_their_own_actions_only(desk: Desk) -> None:
    action = desk.label(desk.ada, (0, 0), key="a")

    assert undone(desk, desk.ben) is None
    with pytest.raises(NotFound):
        undone(desk, desk.ben, action.id)
    assert desk.consensus(0) == [0]


def test_an_import_is_not_taken_back_by_a_key(desk: Desk) -> None:
    with write_session() as db:
        db.add(
            UserAction(
                project_id=desk.project.id, user_id=desk.ada.id, kind="import", key="import-1"
            )
        )

    assert undone(desk, desk.ada) is None


def test_nothing_is_ever_deleted(desk: Desk) -> None:
    desk.label(desk.ada, (0, 0), key="a")
    undone(desk, desk.ada)

    with read_session() as db:
        row = db.scalars(select(Annotation)).one()
        assert row.withdrawn_at is not None
        assert find_next_redo(db, desk.project.id, desk.ada.id) is not None

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.session import read_session, write_session
from app.errors import Conflict, Invalid, NotFound
from app.labeling.annotations.counts import count_by_label, count_labeled
from app.labeling.labels import label_set as edits
from app.models import Annotation, Label, LabelChange
from app.projects.labels import add_label, label_set
from tests.conftest import make_project
from tests.labeling.conftest import Desk


def changed(edit: Callable[[Session], object]) -> int:
    """Carry out an edit in its own transaction; returns the newest change's id."""
    with write_session() as db:
        edit(db)
    with read_session() as db:
        return db.scalars(select(LabelChange.id).order_by(LabelChange.id.desc())).first() or 0


def names(desk: Desk) -> list[str]:
    with read_session() as db:
        return [label.name for label in label_set(db, desk.project.id)]


def undo(desk: Desk, change_id: int) -> None:
    with write_session() as db:
        edits.undo_change(db, desk.project.id, change_id)


def test_a_merge_moves_every_record_and_its_undo_gives_each_back(desk: Desk) -> None:
    project, (billing, delivery, _) = desk.project.id, desk.labels
    desk.label(desk.ada, *[(i, 0) for i in range(5)], key="a", source="page")
    desk.label(desk.ada, *[(i, 1) for i in range(5, 8)], key="b", source="page")
    desk.label(desk.ben, (0, 1), key="c")
    assert desk.consensus(0) is None

    merge = changed(lambda db: edits.merge(db, project, billing, delivery, desk.ada))
    assert [desk.consensus(i) for i in range(8)] == [[1]] * 8
    assert names(desk) == ["delivery", "returns"]
    with read_session() as db:
        assert count_by_label(db, project) == {delivery: 8}
        assert set(db.scalars(select(Annotation.label_id))) == {billing, delivery}

    undo(desk, merge)
    assert [desk.consensus(i) for i in range(8)] == [None, *[[0]] * 4, *[[1]] * 3]
    assert names(desk) == ["billing", "delivery", "returns"]


def test_a_chain_of_merges_counts_for_its_end(desk: Desk) -> None:
    billing, delivery, returns = desk.labels
    desk.label(desk.ada, (0, 0), (1, 1), key="a", source="page")

    changed(lambda db: edits.merge(db, desk.project.id, billing, delivery, None))
    second = changed(lambda db: edits.merge(db, desk.project.id, delivery, returns, None))
    assert (desk.consensus(0), desk.consensus(1)) == ([2], [2])
    desk.label(desk.ada, (2, 0), key="a stale page still sends the merged label")
    assert desk.consensus(2) == [2]

    undo(desk, second)
    assert (desk.consensus(0), desk.consensus(1), desk.consensus(2)) == ([1], [1], [1])


def test_a_merge_that_makes_no_sense_is_refused(desk: Desk) -> None:
    billing, delivery, _ = desk.labels
    changed(lambda db: edits.merge(db, desk.project.id, billing, delivery, None))

    for one, other, error in (
        (delivery, delivery, Invalid),
        (delivery, billing, Conflict),
        (billing, delivery, Conflict),
        (delivery, 999_999, NotFound),
    ):
        with pytest.raises(error), write_session() as db:
            edits.merge(db, desk.project.id, one, other, None)


def test_names_stay_unique_however_they_are_written(desk: Desk) -> None:
    project, billing = desk.project.id, desk.labels[0]

    with pytest.raises(Conflict, match="DELIVERY"), write_session() as db:
        edits.rename(db, project, billing, "  DELIVERY ", None)
    rename = changed(lambda db: edits.rename(db, project, billing, "Invoices", desk.ada))
    assert names(desk)[0] == "Invoices"

    undo(desk, rename)
    assert names(desk)[0] == "billing"


def test_a_rename_is_not_undone_into_a_taken_name(desk: Desk) -> None:
    project, billing = desk.project.id, desk.labels[0]
    rename = changed(lambda db: edits.rename(db, project, billing, "Invoices", None))
    changed(lambda db: add_label(db, project, "Billing", None))

    with pytest.raises(Conflict, match="billing"):
        undo(desk, rename)


def test_only_the_newest_change_of_a_thing_is_undone(desk: Desk) -> None:
    project, billing = desk.project.id, desk.labels[0]
    first = changed(lambda db: edits.recolour(db, project, billing, 7, None))
    second = changed(lambda db: edits.recolour(db, project, billing, 9, None))

    with pytest.raises(Conflict, match="changed again"):
        undo(desk, first)
    undo(desk, second)
    undo(desk, second)
    undo(desk, first)
    with read_session() as db:
        assert db.get_one(Label, billing).colour == 0


def test_a_retired_label_keeps_its_records_and_comes_back(desk: Desk) -> None:
    project, billing = desk.project.id, desk.labels[0]
    desk.label(desk.ada, (0, 0), key="a")

    retire = changed(lambda db: edits.retire(db, project, billing, desk.ada))
    assert names(desk) == ["delivery", "returns"]
    assert desk.consensus(0) == [0]
    undo(desk, retire)
    assert names(desk) == ["billing", "delivery", "returns"]

    changed(lambda db: edits.retire(db, project, billing, desk.ada))
    changed(lambda db: edits.restore(db, project, billing, desk.ada))
    assert names(desk) == ["billing", "delivery", "returns"]


def test_a_label_that_was_added_is_undone_by_retiring_it(desk: Desk) -> None:
    added = changed(lambda db: add_label(db, desk.project.id, "praise", desk.ada))
    assert names(desk)[-1] == "praise"

    undo(desk, added)
    assert names(desk) == ["billing", "delivery", "returns"]


def test_labels_move_and_move_back(desk: Desk) -> None:
    project, returns = desk.project.id, desk.labels[2]

    move = changed(lambda db: edits.move(db, project, returns, -2, None))
    assert names(desk) == ["returns", "billing", "delivery"]
    changed(lambda db: edits.move(db, project, returns, -5, None))
    assert names(desk) == ["returns", "billing", "delivery"]

    undo(desk, move)
    assert names(desk) == ["billing", "delivery", "returns"]


def test_labels_of_another_project_read_as_unknown(desk: Desk) -> None:
    other = make_project("others")

    with pytest.raises(NotFound), write_session() as db:
        edits.rename(db, other.id, desk.labels[0], "mine", None)
    change = changed(lambda db: edits.retire(db, desk.project.id, desk.labels[0], None))
    with pytest.raises(NotFound), write_session() as db:
        edits.undo_change(db, other.id, change)


def test_counts_follow_consensus_and_people(desk: Desk) -> None:
    desk.label(desk.ada, (0, 0), (1, 0), (2, None), key="a", source="page")
    desk.label(desk.ben, (0, 1), key="b")

    with read_session() as db:
        assert count_labeled(db, desk.project.id) == 2
        assert count_by_label(db, desk.project.id) == {desk.labels[0]: 1}

import pytest

from app.db.session import read_session, write_session
from app.errors import Conflict, Invalid
from app.labeling.annotations.record_state import load_record_states
from app.labeling.annotations.undo import undo
from app.labeling.sessions.next_best import find_next_best
from app.labeling.sessions.rows import load_items
from app.labeling.sessions.sessions import build_seed, start_session
from app.labeling.team.assignments import assign
from app.labeling.team.multi_annotation import (
    load_hidden_records,
    multi_annotation_share,
    set_multi_annotation,
)
from app.models import Project, Record
from tests.labeling.conftest import Desk
from tests.labeling.test_sessions import order


def overlap(desk: Desk, share: float, n_people: int = 2) -> None:
    with write_session() as db:
        project = db.get_one(Project, desk.project.id)
        set_multi_annotation(db, project, share, n_people, desk.ada)
        desk.project.multi_annotation_from = project.multi_annotation_from


def test_a_multi_annotated_record_is_unlabeled_until_enough_people_voted(desk: Desk) -> None:
    overlap(desk, 1.0, 3)
    desk.label(desk.ada, (0, 0), (1, 0), key="a")
    desk.label(desk.ben, (0, 0), (1, 1), key="b")
    assert (desk.consensus(0), desk.consensus(1)) == (None, None)

    overlap(desk, 1.0, 2)
    assert (desk.consensus(0), desk.consensus(1)) == ([0], None), "two agree, two differ"

    with write_session() as db:
        undo(db, desk.project, desk.ben.id)
    assert desk.consensus(0) is None
    overlap(desk, 0.0)
    assert (desk.consensus(0), desk.consensus(1)) == ([0], [0]), "one voice is enough again"


def test_the_multi_annotated_share_is_the_requested_share(desk: Desk) -> None:
    overlap(desk, 0.4)
    desk.label(desk.ada, *[(i, 0) for i in range(12)], key="a")

    with read_session() as db:
        project = db.get_one(Project, desk.project.id)
        hashes = [db.get_one(Record, i).content_hash for i in desk.records]
    assert multi_annotation_share(project) == pytest.approx(0.4)
    drawn = {i for i in range(12) if hashes[i] >= f"{int(0.6 * 16**64):064x}"}
    assert drawn == {i for i in range(12) if desk.consensus(i) is None}
    assert 0 < len(drawn) < 12
    for share, n_people in ((1.1, 2), (-0.1, 2), (0.5, 1), (0.5, 11)):
        with pytest.raises(Invalid):
            overlap(desk, share, n_people)


def test_what_one_judged_is_offered_to_others_alone(desk: Desk) -> None:
    overlap(desk, 1.0)
    desk.label(desk.ada, *[(i, 0) for i in range(12)], key="a")

    theirs = start_session(desk.project, desk.ben, "random", k=12)

    assert set(order(theirs)) == set(desk.records)
    with pytest.raises(Conflict, match="Nothing left"):
        start_session(desk.project, desk.ada, "random", k=12)
    with read_session() as db, pytest.raises(Conflict, match="Nothing left"):
        find_next_best(db, desk.project, desk.ada.id)


def test_votes_of_others_are_hidden_until_one_has_voted(desk: Desk) -> None:
    overlap(desk, 1.0)
    desk.label(desk.ada, (0, 0), key="a")

    def seen_by_ben(position: int) -> tuple[int, bool]:
        record = desk.records[position]
        with read_session() as db:
            standing = load_record_states(db, [record], desk.ben.id)[record]
            is_hidden = load_hidden_records(db, desk.ben.id, [record]) == {record}
        return len(standing.others), is_hidden

    assert seen_by_ben(0) == (0, True)
    assert seen_by_ben(1) == (0, False), "nothing was said"
    desk.label(desk.ben, (0, 1), key="b")
    assert seen_by_ben(0) == (1, False)


def test_a_session_for_several_people_hides_votes_of_others(desk: Desk) -> None:
    seed = build_seed("given", desk.records)
    session = start_session(desk.project, desk.ada, "given", seed=seed)
    desk.label(desk.ada, (0, 2), key="a")

    def first_row() -> tuple[int, tuple[int | None, ...]]:
        with read_session() as db:
            standing = load_items(db, desk.project, session, desk.ben.id)[0].state
        return len(standing.others), standing.consensus

    assert first_row() == (1, (desk.labels[2],))
    with write_session() as db:
        assign(db, desk.project, session, [desk.ada.id, desk.ben.id], desk.ada)
    assert first_row() == (0, ())
    desk.label(desk.ben, (0, 2), key="b")
    assert first_row() == (1, (desk.labels[2],))

from sqlalchemy import select

from app.db.session import read_session, write_session
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.annotations.consensus import (
    compute_agreed_labels,
    recompute_consensus,
    update_consensus,
)
from app.labeling.annotations.votes import CurrentVote
from app.models import Annotation, Consensus, UserAction
from tests.conftest import make_user
from tests.labeling.conftest import Desk


def say(
    user: int, action: int, *labels: int, verdict: str = "label", person: bool = True
) -> CurrentVote:
    return CurrentVote(user, action, verdict, labels, person)


def imported(desk: Desk, position: int, label: int) -> int:
    """What the exchange room does with a label cell of a file."""
    with write_session() as db:
        action = UserAction(
            project_id=desk.project.id, user_id=desk.ada.id, kind="import", key="import-1"
        )
        db.add(action)
        db.flush()
        db.add(
            Annotation(
                action_id=action.id,
                project_id=desk.project.id,
                record_id=desk.records[position],
                user_id=desk.ada.id,
                verdict="label",
                label_id=desk.labels[label],
                source="import",
            )
        )
        update_consensus(db, desk.project.id, [desk.records[position]])
        return action.id


def test_two_people_who_disagree_leave_the_record_unlabeled(desk: Desk) -> None:
    desk.label(desk.ada, (0, 0), key="a")
    assert desk.consensus(0) == [0]

    desk.label(desk.ben, (0, 1), key="b")
    assert desk.consensus(0) is None

    desk.label(make_user("cy", "annotator"), (0, 1), key="c")
    assert desk.consensus(0) == [1]


def test_none_of_these_is_a_voice_and_skip_is_none(desk: Desk) -> None:
    desk.label(desk.ada, (0, None), key="a")
    assert desk.consensus(0) == [None]

    with write_session() as db:
        skip = [AnnotationInput(desk.records[0], "skip")]
        annotate(db, desk.project, desk.ben.id, skip, key="b")
    assert desk.consensus(0) == [None]

    desk.label(desk.ben, (0, 2), key="c")
    assert desk.consensus(0) is None


def test_a_newer_vote_of_the_same_person_replaces_the_older(desk: Desk) -> None:
    desk.label(desk.ada, (0, 0), key="a")
    desk.label(desk.ada, (0, 2), key="b")

    assert desk.consensus(0) == [2]


def test_not_similar_is_no_vote_about_the_record(desk: Desk) -> None:
    desk.label(desk.ada, (0, 0), key="a")

    with write_session() as db:
        says = [
            AnnotationInput(desk.records[0], "not_similar"),
            AnnotationInput(desk.records[1], "not_similar"),
        ]
        annotate(db, desk.project, desk.ada.id, says, key="b")

    assert desk.consensus(0) == [0]
    assert desk.consensus(1) is None


def test_a_file_yields_to_people_and_to_its_own_importer(desk: Desk) -> None:
    imported(desk, 0, 0)
    assert desk.consensus(0) == [0]

    desk.label(desk.ben, (0, 1), key="b")
    assert desk.consensus(0) == [1]

    desk.label(desk.ada, (1, 1), key="a")
    imported_again = desk.label(desk.ada, (1, 1), key="c")
    assert imported_again.kind == "single"
    assert desk.consensus(1) == [1]


def test_labels_that_more_than_half_carry_are_agreed_in_a_multi_label_project(
    multi_desk: Desk,
) -> None:
    record, (a, b, c) = multi_desk.records[0], multi_desk.labels
    with write_session() as db:
        annotate(
            db,
            multi_desk.project,
            multi_desk.ada.id,
            [AnnotationInput(record, "label", (a, b))],
            key="1",
        )
    assert multi_desk.consensus(0) == [0, 1]

    with write_session() as db:
        annotate(
            db,
            multi_desk.project,
            multi_desk.ben.id,
            [AnnotationInput(record, "label", (b, c))],
            key="2",
        )
    assert multi_desk.consensus(0) == [1]


def test_the_action_of_agreement_does_not_move_with_another_vote(desk: Desk) -> None:
    first = desk.label(desk.ada, (0, 1), key="a")
    desk.label(desk.ben, (0, 1), key="b")

    with read_session() as db:
        assert db.scalars(select(Consensus.action_id)).all() == [first.id]


def test_agreement_by_hand() -> None:
    one, two, three = 11, 12, 13
    tie = [say(1, 1, one), say(2, 2, two)]

    assert compute_agreed_labels([say(1, 1, one)], {}, False) == {one: 1}
    assert compute_agreed_labels(tie, {}, False) == {}
    assert compute_agreed_labels([*tie, say(3, 3, two)], {}, False) == {two: 3}
    assert compute_agreed_labels(tie, {one: two}, False) == {two: 1}
    assert compute_agreed_labels([say(1, 1, one, person=False), say(2, 2, two)], {}, False) == {
        two: 2
    }
    assert compute_agreed_labels([say(1, 1, one, person=False), say(2, 2, one)], {}, False) == {
        one: 1
    }
    assert compute_agreed_labels([say(1, 1, one, two), say(2, 2, two, three)], {}, True) == {two: 1}
    assert compute_agreed_labels([say(1, 1, verdict="skip")], {}, True) == {}


def test_stored_consensus_is_what_a_fresh_look_gives(desk: Desk) -> None:
    for i in range(12):
        desk.label(desk.ada, (i, i % 3), key=f"a{i}")
        desk.label(desk.ben, (i, i % 2), key=f"b{i}")

    with read_session() as db:
        fresh = recompute_consensus(db, desk.project.id, desk.records)
        rows = db.execute(
            select(Consensus.record_id, Consensus.label_id, Consensus.action_id)
        ).all()
    stored: dict[int, dict[int | None, int]] = {}
    for record_id, label_id, action_id in rows:
        stored.setdefault(record_id, {})[label_id] = action_id
    assert stored == fresh
    assert len(stored) == 4

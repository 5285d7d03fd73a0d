import numpy as np
import pytest

from app.db.session import read_session, write_session
from app.errors import NotFound
from app.models import Consensus, Label, Record, UserAction
from app.records.filters import Filters
from app.records.records import (
    count_records,
    find_record,
    list_field_names,
    load_consensus,
    load_excerpts,
    load_page,
    load_records,
)
from tests.conftest import make_project
from tests.records.test_filters import make_records


def test_pages_follow_each_other_without_gap_or_overlap(database: str) -> None:
    project = make_project()
    ids = make_records(project.id, [f"text {number}" for number in range(7)])
    seen: list[int] = []
    after: int | None = 0

    with read_session() as db:
        while after is not None:
            page = load_page(db, project.id, Filters(keyword="text"), after, limit=3)
            seen += [record.id for record in page.records]
            after = page.next_after_id

        assert count_records(db, project.id, Filters()) == 7
    assert seen == ids


def test_a_record_is_found_in_its_own_project_only(database: str) -> None:
    ours, theirs = make_project(), make_project("theirs")
    [mine], [other] = make_records(ours.id, ["mine"]), make_records(theirs.id, ["other"])

    with read_session() as db:
        assert find_record(db, ours.id, mine).text == "mine"
        with pytest.raises(NotFound, match="Record not found"):
            find_record(db, ours.id, other)


def test_many_records_are_looked_up_by_numpy_ids(database: str) -> None:
    project = make_project()
    ids = make_records(project.id, [f"text {number}" for number in range(1200)])

    with read_session() as db:
        found = load_records(db, np.asarray([*ids, 10**6], dtype=np.int64))

    assert {each: found[each].text for each in ids[:2]} == {ids[0]: "text 0", ids[1]: "text 1"}
    assert sorted(found) == ids


def test_a_list_reads_the_beginning_of_a_text_and_no_fields_that_are_long(database: str) -> None:
    project = make_project()
    [long, short] = make_records(project.id, ["é" * 5_000, "brief"])
    with write_session() as db:
        db.get_one(Record, long).fields = {"body": "x" * 50_000}
        db.get_one(Record, short).fields = {"channel": "mail"}

    with read_session() as db:
        found = load_excerpts(db, [long, short, 10**6], 100, has_fields=True)
        plain = load_excerpts(db, [short], 100)

    assert sorted(found) == sorted([long, short])
    assert (found[long].text, found[long].n_characters, found[long].fields) == ("é" * 100, 5000, {})
    assert (found[short].text, found[short].n_characters) == ("brief", 5)
    assert found[short].fields == {"channel": "mail"}
    assert plain[short].fields == {}


def test_consensus_lists_labels_and_none_and_leaves_out_the_unlabeled(database: str) -> None:
    project = make_project(is_multi_label=True)
    both, none, unlabeled = make_records(project.id, ["a", "b", "c"])
    with write_session() as db:
        labels = [
            Label(project_id=project.id, name=name, name_key=name, colour=0, position=0)
            for name in ("x", "y")
        ]
        action = UserAction(project_id=project.id, kind="single", key="1")
        db.add_all([*labels, action])
        db.flush()
        for record_id, label_id in [(both, labels[0].id), (both, labels[1].id), (none, None)]:
            db.add(
                Consensus(
                    project_id=project.id,
                    record_id=record_id,
                    label_id=label_id,
                    action_id=action.id,
                )
            )

    with read_session() as db:
        agreed = load_consensus(db, [both, none, unlabeled])

    assert agreed == {both: [labels[0].id, labels[1].id], none: [None]}


def test_field_names_come_once_in_file_order(database: str) -> None:
    project = make_project()
    make_records(project.id, ["a", "b"], split=["train", "test"], Author=["x", "y"])

    with read_session() as db:
        assert sorted(list_field_names(db, project.id)) == ["Author", "split"]

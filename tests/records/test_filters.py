from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.session import read_session, write_session
from app.errors import Invalid
from app.models import Comment, Consensus, Label, Record, UserAction
from app.records.filters import SOURCES, STATES, Filters
from app.records.record_ids import find_matching_ids
from tests.conftest import make_project

TEXTS = ["The card is 100% late", "where is my CARD_holder", "refund\nplease", "Grüße 😀"]


def make_records(project_id: int, texts: list[str], **fields: list[Any]) -> list[int]:
    with write_session() as db:
        records = [
            Record(
                project_id=project_id,
                external_id=f"id-{number}",
                text=text,
                content_hash="0" * 64,
                fields={name: values[number] for name, values in fields.items()},
            )
            for number, text in enumerate(texts)
        ]
        db.add_all(records)
        db.flush()
        return [record.id for record in records]


def found(project_id: int, **filters: Any) -> list[int]:
    with read_session() as db:
        return [int(each) for each in find_matching_ids(db, project_id, Filters(**filters))]


@pytest.mark.parametrize(
    ("keyword", "rows"),
    [
        ("card", [0, 1]),
        ("LATE card", [0]),
        ("100%", [0]),
        ("%", [0]),
        ("_", [1]),
        ("refund please", [2]),
        ("id-3", [3]),
        ("Grüße", [3]),
        ("😀", [3]),
        ("nothing", []),
    ],
)
def test_keyword_means_every_word_without_case_and_without_wildcards(
    database: str, keyword: str, rows: list[int]
) -> None:
    project, other = make_project(), make_project("other")
    ids = make_records(project.id, TEXTS)
    make_records(other.id, TEXTS)

    assert found(project.id, keyword=keyword) == [ids[row] for row in rows]


@pytest.mark.parametrize(
    ("value", "stored"),
    [("yes", "yes"), ("5", 5), ("true", True), ("1.5", 1.5), ("-", "-")],
)
@pytest.mark.parametrize("name", ["plain", 'a"b', "a.b", "__proto__", "x y", "Größe"])
def test_a_field_matches_by_what_it_reads_as(
    database: str, name: str, value: str, stored: Any
) -> None:
    project = make_project()
    ids = make_records(project.id, ["one", "two"], **{name: [stored, "other"]})

    assert found(project.id, field=name, value=value) == ids[:1]
    assert found(project.id, field=name + "?", value=value) == []


def test_states_and_labels_follow_the_consensus(database: str) -> None:
    project = make_project()
    labeled, none, open_, flagged = make_records(project.id, TEXTS)
    with write_session() as db:
        label = Label(project_id=project.id, name="A", name_key="a", colour=0, position=0)
        action = UserAction(project_id=project.id, kind="single", key="1")
        db.add_all([label, action])
        db.flush()
        row = {"project_id": project.id, "action_id": action.id}
        db.add(Consensus(record_id=labeled, label_id=label.id, **row))
        db.add(Consensus(record_id=none, label_id=None, **row))
        db.add(Comment(record_id=flagged, kind="flag", **row))
        db.add(Comment(record_id=labeled, kind="comment", body="why", **row))

    by_state = {state: found(project.id, state=state) for state in STATES}

    assert by_state == {
        "any": [labeled, none, open_, flagged],
        "unlabeled": [open_, flagged],
        "labeled": [labeled, none],
        "none": [none],
        "flagged": [flagged],
        "commented": [labeled],
        "skipped": [],
        "disagreed": [],
    }
    assert found(project.id, label_id=label.id) == [labeled]
    by_both = {state: found(project.id, state=state, label_id=label.id) for state in STATES}
    assert {state for state, ids in by_both.items() if ids} == {"any", "labeled", "commented"}
    assert found(project.id, label_id=label.id, state="none") == []


filters = st.builds(
    Filters,
    keyword=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).map(
        str.strip
    ),
    state=st.sampled_from(STATES),
    label_id=st.none() | st.integers(1, 10**8),
    suggested_id=st.none() | st.integers(1, 10**8),
    least=st.none() | st.integers(0, 10**4).map(lambda n: n / 10**4),
    source=st.sampled_from(SOURCES),
    since=st.none() | st.dates(),
    import_id=st.none() | st.integers(1, 10**8),
)


@given(filters)
def test_an_address_and_a_stored_seed_bring_the_same_filters_back(wanted: Filters) -> None:
    assert Filters.from_query(wanted.as_query()) == wanted
    assert Filters.from_json(wanted.as_json()) == wanted
    assert wanted.is_empty == (wanted == Filters())


@pytest.mark.parametrize(
    "query",
    [
        {"state": "lost"},
        {"label": "x"},
        {"label": "٣"},
        {"least": "nan"},
        {"most": "2"},
        {"since": "yesterday"},
        {"source": "hearsay"},
        {"import": "-1"},
    ],
)
def test_filters_that_cannot_be_read_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        Filters.from_query(query)

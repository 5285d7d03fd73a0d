import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.db.session import read_session, write_session
from app.errors import Conflict, Invalid
from app.exchange.imports import imports as importing
from app.exchange.imports import write_throttle as pace
from app.exchange.imports.imports import cancel, mark_failed, queue_import, retry_import, run_import
from app.exchange.imports.mapping import Mapping
from app.exchange.imports.write_throttle import WriteThrottle
from app.jobs.steps import JobCancelled
from app.labeling.annotations.annotate import AnnotationInput, annotate
from app.labeling.labels.label_set import merge
from app.models import Annotation, Import, Label, Record, UserAction
from app.projects.labels import list_all_labels
from app.settings import settings as app_settings
from tests.conftest import make_project, make_user
from tests.exchange.files import (
    FORMATS,
    all_fields,
    as_csv,
    as_jsonl,
    counts,
    imported,
    labels,
    queued,
    received,
    rejects,
    texts,
    the_import,
)

ROWS = [
    {"id": "a", "text": 'one 😀, with "quotes"\nand a second line', "label": "Yes", "split": "x"},
    {"id": "b", "text": "e\u0301 combining, \u202ertl, 𠀀, \u2028 line", "label": "", "split": "y"},
    {"id": "c", "text": "=1+1", "label": "No", "split": "-5"},
]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_stores_the_same_records(database: str, name: str) -> None:
    project = make_project()

    found = imported(project, FORMATS[name](ROWS), f"file.{name}")

    assert counts(found) == (3, 0, 0, 0)
    assert (found.status, found.format, found.n_rows, found.error) == ("succeeded", name, 3, None)
    assert texts(project) == {str(row["id"]): row["text"] for row in ROWS}
    assert all_fields(project) == {str(row["id"]): {"split": row["split"]} for row in ROWS}
    assert labels(project) == {"a": {"Yes"}, "c": {"No"}}
    assert list((app_settings().data_dir / "imports").iterdir()) == []


@pytest.mark.parametrize("with_id", [True, False])
def test_importing_the_same_file_twice_changes_nothing(database: str, with_id: bool) -> None:
    project = make_project()
    rows = ROWS if with_id else [{k: v for k, v in row.items() if k != "id"} for row in ROWS]
    imported(project, as_csv(rows))

    again = imported(project, as_csv(rows))

    assert counts(again) == (0, 0, 3, 0)
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Annotation)) == 2
        assert db.scalar(select(func.count()).select_from(Record)) == 3


def test_a_changed_row_updates_its_record_and_keeps_its_id(database: str) -> None:
    project = make_project()
    imported(project, as_csv(ROWS))
    with read_session() as db:
        before = dict(db.execute(select(Record.external_id, Record.id)).all())
    changed = [ROWS[0] | {"text": "new"}, ROWS[1] | {"split": "z"}, ROWS[2] | {"label": "Yes"}]

    found = imported(project, as_csv([*changed, {**ROWS[0], "id": "d"}]))

    assert counts(found) == (1, 3, 0, 0)
    assert texts(project)["a"] == "new"
    assert all_fields(project)["b"] == {"split": "z"}
    assert labels(project) == {"a": {"Yes"}, "c": {"Yes"}, "d": {"Yes"}}
    with read_session() as db:
        after = dict(db.execute(select(Record.external_id, Record.id)).all())
    assert {key: after[key] for key in before} == before


def test_an_id_that_occurs_twice_with_one_text_is_one_record_and_later_fields_count(
    database: str,
) -> None:
    project = make_project()
    rows = [{"id": "a", "text": "one", "label": "A", "n": n} for n in (1, 2, 2)]

    found = imported(project, as_csv(rows))

    assert counts(found) == (1, 1, 1, 0)
    assert labels(project) == {"a": {"A"}}
    assert all_fields(project) == {"a": {"n": "2"}}


def test_a_template_joins_columns_and_is_never_run(database: str) -> None:
    project = make_project()
    rows = [
        {"Title": "{id.__class__}", "Description": "b", "n": "1"},
        {"Title": "only", "Description": "", "n": "2"},
    ]

    imported(project, as_csv(rows), id_column="n")
    assert texts(project) == {"1": "{id.__class__}. b", "2": "only"}

    imported(project, as_csv(rows), id_column="n", text_template="")
    assert texts(project) == {"1": "{id.__class__}. b", "2": "only"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"text_columns": ["body"]}, "no column 'body'. Columns: id, text, label, split"),
        ({"text_template": "{nope}"}, "no column 'nope'"),
        ({"text_template": "x"}, "names no column"),
        ({"id_column": "label"}, "different columns for the id and the label"),
    ],
)
def test_a_mapping_that_does_not_fit_the_file_is_refused_and_can_be_mended(
    database: str, change: dict[str, Any], sentence: str
) -> None:
    project = make_project()
    found = received(project, as_csv(ROWS))
    mapping = Mapping.model_validate(found.mapping)

    with pytest.raises(Invalid, match=sentence), write_session() as db:
        queue_import(db, found, mapping.model_copy(update=change))

    with write_session() as db:
        queue_import(db, found, mapping)
    with pytest.raises(Conflict, match="already been started"), write_session() as db:
        queue_import(db, found, mapping)


def test_near_equal_labels_are_one_and_merged_ones_count_for_their_target(database: str) -> None:
    project = make_project()
    user = make_user()
    imported(project, as_csv([{"text": "a", "label": "Caf\u00e9"}, {"text": "b", "label": "Bar"}]))
    with write_session() as db:
        cafe, bar = list_all_labels(db, project.id)
        merge(db, project.id, bar.id, cafe.id, user)

    rows = [{"text": "c", "label": "CAFE\u0301"}, {"text": "d", "label": "bar"}]
    imported(project, as_csv(rows))

    assert set(texts(project).values()) == {"a", "b", "c", "d"}
    assert list(labels(project).values()) == [{"Caf\u00e9"}] * 4


def test_several_labels_of_a_cell_in_a_multi_label_project(database: str) -> None:
    project = make_project(is_multi_label=True)
    rows = [{"id": "a", "text": "a", "label": "X|Y"}, {"id": "b", "text": "b", "label": " X | x"}]

    imported(project, as_csv(rows))
    imported(project, as_jsonl([{"id": "c", "text": "c", "label": ["Y", "Z"]}]), "file.jsonl")

    assert labels(project) == {"a": {"X", "Y"}, "b": {"X"}, "c": {"Y", "Z"}}


def test_several_labels_are_rejected_where_a_record_carries_one(database: str) -> None:
    project = make_project()

    found = imported(project, as_jsonl([{"text": "c", "label": ["Y", "Z"]}]), "file.jsonl")

    assert rejects(found) == [(1, None, "2 labels, but this project allows one per record")]
    assert (counts(found), found.status) == ((0, 0, 0, 1), "failed")


def test_a_persons_vote_outweighs_a_file(database: str) -> None:
    project, user = make_project(), make_user()
    imported(project, as_csv(ROWS), user_id=user.id)
    with write_session() as db:
        record = db.scalars(select(Record).where(Record.external_id == "a")).one()
        no = db.scalars(select(Label).where(Label.name == "No")).one()
        annotate(db, project, user.id, [AnnotationInput(record.id, "label", (no.id,))], key="1")

    changed = imported(project, as_csv([ROWS[0] | {"label": "Other"}]), user_id=user.id)

    assert counts(changed) == (0, 1, 0, 0)
    assert labels(project)["a"] == {"No"}
    with read_session() as db:
        assert db.scalars(select(UserAction.kind).order_by(UserAction.id)).all() == [
            "import",
            "single",
            "import",
        ]


class Killed(BaseException):
    """What the process would not survive."""


@pytest.mark.parametrize("moment", ["import.chunk.before_commit", "import.chunk.after_commit"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_killed_import_goes_on_where_it_stopped(
    database: str, monkeypatch: pytest.MonkeyPatch, moment: str, nth: int
) -> None:
    project = make_project()
    monkeypatch.setattr(importing, "WriteThrottle", lambda: WriteThrottle(n_rows=10))
    monkeypatch.setattr(pace, "FEWEST_ROWS", 10)
    monkeypatch.setattr(pace, "MOST_ROWS", 10)
    rows = [
        {"id": n, "text": "" if n % 7 == 3 else f"text {n}", "label": "AB"[n % 2]}
        for n in range(35)
    ]
    import_id = queued(project, as_csv(rows))
    passes = {"n": 0}

    def die(name: str) -> None:
        passes["n"] += name == moment
        if name == moment and passes["n"] == nth:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("app.exchange.imports.chunks.failpoint", die)
        patched.setattr("app.exchange.imports.imports.failpoint", die)
        with pytest.raises(Killed):
            run_import(import_id)
    halfway = the_import(import_id)
    assert halfway.n_read == 10 * (nth - (moment == "import.chunk.before_commit"))
    assert sum(counts(halfway)) == halfway.n_read
    run_import(import_id)
    run_import(import_id)

    found = the_import(import_id)
    assert (found.status, counts(found)) == ("succeeded", (30, 0, 0, 5))
    assert len(rejects(found)) == 5
    assert texts(project) == {str(n): f"text {n}" for n in range(35) if n % 7 != 3}
    assert labels(project) == {str(n): {"AB"[n % 2]} for n in range(35) if n % 7 != 3}
    with read_session() as db:
        assert db.scalar(select(func.count()).select_from(Annotation)) == 30
        assert db.scalar(select(func.count()).select_from(UserAction)) == 1


def test_a_cancelled_import_stops_and_can_go_on(database: str) -> None:
    project = make_project()
    import_id = queued(project, as_csv(ROWS))
    with write_session() as db:
        cancel(db, db.get_one(Import, import_id))

    with pytest.raises(JobCancelled):
        run_import(import_id)
    assert texts(project) == {}
    with write_session() as db:
        retry_import(db, db.get_one(Import, import_id))
    run_import(import_id)

    found = the_import(import_id)
    assert (found.attempt, counts(found)) == (2, (3, 0, 0, 0))


def test_a_failed_import_shows_the_reason_and_keeps_its_chunks(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    import_id = queued(project, as_csv(ROWS))

    mark_failed(import_id, "The disk is full.")

    found = the_import(import_id)
    assert (found.status, found.error) == ("failed", "The disk is full.")
    assert found.finished_at is not None


cells = st.text(st.characters(codec="utf-8"), max_size=12)
contents = st.lists(st.tuples(cells, cells), min_size=1, max_size=8)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=contents, tail=st.binary(max_size=30))
def test_rows_read_are_stored_updated_unchanged_or_rejected(
    database: str, content: list[tuple[str, str]], tail: bytes
) -> None:
    rows = [{"id": left, "text": right} for left, right in content]
    project = make_project(f"p-{uuid.uuid4().hex}")

    found = imported(project, as_csv(rows) + tail, encoding="utf-8", delimiter=",")

    has_records = found.n_rejected < found.n_read
    assert found.status == ("succeeded" if has_records else "failed")
    assert sum(counts(found)) == found.n_read
    assert found.n_rows == found.n_read
    assert len(rejects(found)) == found.n_rejected
    assert len(texts(project)) == found.n_stored

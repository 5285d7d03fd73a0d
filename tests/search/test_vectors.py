"""All vectors of a project, read block by block, while records come and go."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from sqlalchemy import event

from app.db.session import engine, read_session, write_session
from app.ml.vectors import Vectors, unit_rows
from app.models import Embedding, Project, Version
from app.search import vectors as stored_vectors
from app.search.embedding import load_all_vectors
from app.search.index_revisions import needs_index, write_index
from app.search.indexes import open_version
from app.search.versions import get_or_create_raw_version
from tests.conftest import make_project
from tests.search.conftest import add_records, delete_records


def store_rows(project: Project, n: int) -> tuple[int, list[int], Vectors]:
    """The raw encoder's id, and so many records with their stored vectors."""
    rows = unit_rows(np.random.default_rng(1).standard_normal((n, 16)).astype(np.float32))
    records = add_records(project, [f"text {i}" for i in range(n)])
    with write_session() as db:
        encoder = get_or_create_raw_version(db, project)
        db.add_all(
            Embedding(
                version_id=encoder.id, record_id=each, content_hash=str(each), vector=row.tobytes()
            )
            for each, row in zip(records, rows, strict=True)
        )
    return encoder.id, records, rows


@contextmanager
def after_first_read(action: Callable[[], object]) -> Iterator[None]:
    """Do something else in the database between two blocks of vectors that are read."""
    left = [action]

    def look(*about: object) -> None:
        if "embeddings.vector" in str(about[2]) and "BETWEEN" in str(about[2]) and left:
            left.pop()()

    event.listen(engine(), "after_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(engine(), "after_cursor_execute", look)
    assert left == []


@pytest.mark.parametrize("n", [0, 1, 7, 8, 30])
def test_vectors_are_read_block_by_block_in_the_order_of_ids(
    database: str, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    monkeypatch.setattr(stored_vectors, "ROWS_PER_READ", 7)
    version_id, records, rows = store_rows(make_project(), n)
    store_rows(make_project("others"), 5)

    with read_session() as db:
        ids, vectors = load_all_vectors(db, version_id)
        some, theirs = load_all_vectors(db, version_id, among=np.array([*records[::3], 10**9]))

    assert ids.tolist() == records
    np.testing.assert_array_equal(vectors.ravel(), rows.ravel())
    assert some.tolist() == records[::3]
    np.testing.assert_array_equal(theirs.ravel(), rows[::3].ravel())


def test_records_that_go_or_come_while_vectors_are_read_do_no_harm(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_vectors, "ROWS_PER_READ", 7)
    project = make_project()
    version_id, records, rows = store_rows(project, 30)
    gone = [records[0], records[9], *records[21:28], records[29]]

    def change_meanwhile() -> None:
        store_rows(project, 3)
        delete_records(gone)

    with read_session() as db, after_first_read(change_meanwhile):
        ids, vectors = load_all_vectors(db, version_id)

    stay = [each for each in records if each not in gone]
    assert set(stay) <= set(ids.tolist()) <= set(records)
    assert ids.tolist() == sorted(ids.tolist())
    np.testing.assert_array_equal(vectors, rows[np.searchsorted(records, ids)])


def test_an_index_lacks_what_was_deleted_while_it_was_made_and_is_due_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_vectors, "ROWS_PER_READ", 7)
    project = make_project()
    version_id, records, rows = store_rows(project, 30)

    def change_meanwhile() -> None:
        delete_records([records[1], *records[7:14]])

    with after_first_read(change_meanwhile):
        write_index(version_id)

    with read_session() as db:
        encoder = db.get_one(Version, version_id)
        index = open_version(db, version_id).index
        assert needs_index(db, encoder), "the first block was read before the record went"
    assert index.ids.tolist() == records[:7] + records[14:]
    np.testing.assert_allclose(index.vectors(index.ids[7:]), rows[14:], atol=1e-3)
    write_index(version_id)
    with read_session() as db:
        assert not needs_index(db, encoder)
        assert open_version(db, version_id).index.ids.tolist() == [
            records[0],
            *records[2:7],
            *records[14:],
        ]

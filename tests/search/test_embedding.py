from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import event, select, update

from app.db.session import engine, read_session, write_session
from app.jobs.steps import JobCancelled
from app.ml.vectors import Vectors
from app.models import Embedding, Project, WorkerStatus, utc_now
from app.search import embedding
from app.search.embedding import (
    count_missing,
    embed_missing,
    load_all_vectors,
    load_embedding_progress,
)
from app.search.embedding_progress import EmbeddingStatus, read_status, write_status
from app.search.model_cache import BaseModelMissing, load_encoder
from app.search.versions import find_raw_version, get_or_create_raw_version
from tests.conftest import make_project
from tests.search.conftest import (
    TEXTS,
    CountingEncoder,
    add_records,
    change_text,
    delete_records,
    embed_all,
    hash_of,
)

NewProject = Callable[[str], Project]


def stored(project: Project) -> tuple[list[int], Vectors]:
    with read_session() as db:
        encoder = find_raw_version(db, project)
        assert encoder is not None
        ids, vectors = load_all_vectors(db, encoder.id)
    return ids.tolist(), vectors


def missing(project: Project) -> int:
    with read_session() as db:
        return count_missing(db, project)


def test_every_record_gets_the_vector_of_its_text(
    new_project: NewProject, encoder: CountingEncoder
) -> None:
    project = new_project("letters")
    records = add_records(project, TEXTS)

    embed_all(project)

    ids, vectors = stored(project)
    assert ids == sorted(records)
    np.testing.assert_allclose(vectors, encoder.encoder.encode(TEXTS), atol=1e-5)


def test_embedding_goes_on_where_it_was_left(
    new_project: NewProject, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "SLICE", 8)
    project = new_project("letters")
    add_records(project, TEXTS)
    encoder.fails_at = 2

    with pytest.raises(RuntimeError, match="the power went"):
        embed_all(project)
    assert missing(project) == len(TEXTS) - 16
    encoder.fails_at = None
    embed_all(project)

    assert missing(project) == 0
    assert sorted(encoder.texts) == sorted(TEXTS)
    np.testing.assert_allclose(stored(project)[1], encoder.encoder.encode(TEXTS), atol=1e-5)


def test_embedding_batches_group_texts_of_similar_length(
    new_project: NewProject, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "SLICE", 2)
    project = new_project("letters")
    texts = ["a" * n for n in (50, 3, 1, 40, 2, 60)]
    add_records(project, texts)

    embed_all(project)

    lengths = sorted(sorted(len(text) for text in some) for some in encoder.asked)
    assert lengths == [[1, 2], [3, 40], [50, 60]]


def test_equal_texts_are_embedded_once(new_project: NewProject, encoder: CountingEncoder) -> None:
    project = new_project("letters")
    add_records(project, ["my lamp is late"] * 5 + ["my card was lost"])
    embed_all(project)

    add_records(project, ["my lamp is late", "my order is wrong"])
    embed_all(project)

    assert sorted(encoder.texts) == ["my card was lost", "my lamp is late", "my order is wrong"]
    _, vectors = stored(project)
    assert (vectors[:5] == vectors[0]).all()
    assert (vectors[6] == vectors[0]).all()


def test_a_changed_text_is_embedded_again(
    new_project: NewProject, encoder: CountingEncoder
) -> None:
    project = new_project("letters")
    records = add_records(project, ["my lamp is late", "my card was lost"])
    embed_all(project)

    change_text(records[0], "my kettle is wrong")
    assert missing(project) == 1
    embed_all(project)

    assert missing(project) == 0
    ids, vectors = stored(project)
    assert ids == records
    np.testing.assert_allclose(
        vectors, encoder.encoder.encode(["my kettle is wrong", "my card was lost"]), atol=1e-5
    )
    with read_session() as db:
        kept = db.scalars(select(Embedding.content_hash).order_by(Embedding.record_id)).all()
    assert list(kept) == [hash_of("my kettle is wrong"), hash_of("my card was lost")]


def test_a_text_that_changes_while_it_is_embedded_stays_missing(
    new_project: NewProject, encoder: CountingEncoder
) -> None:
    project = new_project("letters")
    records = add_records(project, ["my lamp is late", "my card was lost"])
    encoder.while_thinking = lambda: change_text(records[0], "my kettle is wrong")

    embed_missing(project.id, lambda n_done, n_total: None, at_most=2)

    assert missing(project) == 1


def test_a_record_that_is_deleted_while_it_is_embedded_is_left_out(
    new_project: NewProject, encoder: CountingEncoder
) -> None:
    project = new_project("letters")
    records = add_records(project, ["my lamp is late", "my card was lost"])
    encoder.while_thinking = lambda: delete_records([records[0]])

    embed_all(project)

    assert stored(project)[0] == [records[1]]


def test_the_report_counts_up_and_may_stop_it(
    new_project: NewProject, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "SLICE", 16)
    project = new_project("letters")
    add_records(project, TEXTS)
    seen: list[tuple[int, int]] = []

    def stop_at_sixteen(n_done: int, n_total: int) -> None:
        seen.append((n_done, n_total))
        if len(seen) == 2:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        embed_missing(project.id, stop_at_sixteen)

    assert seen[0] == (0, 40)
    assert seen[1][0] in {8, 16}
    assert missing(project) == 40 - seen[1][0]


def test_progress_has_speed_and_time_left(
    new_project: NewProject, encoder: CountingEncoder
) -> None:
    project = new_project("letters")
    add_records(project, TEXTS)
    embed_missing(project.id, lambda n_done, n_total: None, at_most=10)
    write_status(project.id, EmbeddingStatus(per_second=5.0))

    with read_session() as db:
        now = load_embedding_progress(db, project)

    assert (now.n_done, now.n_total, now.is_done) == (10, 40, False)
    assert (now.per_second, now.seconds_left) == (5.0, 6.0)


@pytest.mark.parametrize(("seconds_ago", "per_second"), [(80, 5.0), (100, None)])
def test_a_rate_that_was_reported_long_ago_is_not_shown(
    new_project: NewProject, seconds_ago: int, per_second: float | None
) -> None:
    project = new_project("letters")
    write_status(project.id, EmbeddingStatus(per_second=5.0))
    with write_session() as db:
        reported_at = utc_now() - timedelta(seconds=seconds_ago)
        db.execute(update(WorkerStatus).values(reported_at=reported_at))

    with read_session() as db:
        assert read_status(db, project.id).per_second == per_second


def test_progress_has_no_rate_when_all_is_done(
    new_project: NewProject, encoder: CountingEncoder
) -> None:
    project = new_project("letters")
    add_records(project, TEXTS)
    embed_all(project)

    with read_session() as db:
        now = load_embedding_progress(db, project)

    assert now.is_done
    assert (now.per_second, now.seconds_left, now.error) == (None, None, None)


def test_a_changed_text_is_missing_as_soon_as_the_worker_is_at_it(
    new_project: NewProject, encoder: CountingEncoder
) -> None:
    project = new_project("letters")
    ids = add_records(project, TEXTS)
    embed_all(project)
    change_text(ids[0], "another text")

    with read_session() as db:
        before = load_embedding_progress(db, project).n_done
    write_status(project.id, EmbeddingStatus(per_second=5.0))
    with read_session() as db:
        now = load_embedding_progress(db, project).n_done

    assert (before, now) == (40, 39)


def test_a_missing_base_model_is_one_clear_sentence(database: str) -> None:
    with pytest.raises(BaseModelMissing, match="nobody/nothing"):
        load_encoder("nobody/nothing")


def test_vectors_come_back_bit_for_bit(database: str) -> None:
    project = make_project()
    rows = np.random.default_rng(0).standard_normal((500, 384)).astype("<f4")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    records = add_records(project, [f"text {i}" for i in range(500)])
    with write_session() as db:
        encoder = get_or_create_raw_version(db, project)
        db.add_all(
            Embedding(
                version_id=encoder.id, record_id=each, content_hash=str(each), vector=row.tobytes()
            )
            for each, row in zip(records, rows, strict=True)
        )

    with read_session() as db:
        ids, vectors = load_all_vectors(db, encoder.id)

    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    np.testing.assert_array_equal(vectors, rows)
    assert ids.tolist() == records


@contextmanager
def statements() -> Iterator[list[tuple[str, str]]]:
    """What the database is asked meanwhile: each statement and its values."""
    seen: list[tuple[str, str]] = []

    def note(*about: object) -> None:
        seen.append((str(about[2]), str(about[3])))

    event.listen(engine(), "after_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine(), "after_cursor_execute", note)


def test_records_are_counted_before_the_first_batch_and_at_the_end(
    new_project: NewProject, encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "SLICE", 4)
    monkeypatch.setattr(embedding, "SLICES_PER_COUNT", 6)
    project = new_project("letters")
    add_records(project, TEXTS)
    told: list[tuple[int, int]] = []

    with statements() as seen:
        embed_missing(project.id, lambda n_done, n_total: told.append((n_done, n_total)))

    assert told == [(4 * i, 40) for i in range(11)]
    counts = [each for each, _ in seen if "count(" in each and "JOIN records" in each]
    assert len(counts) == 3, "before slices 1 and 7, and at the end"


def test_what_is_done_is_not_walked_past_again_and_nothing_is_forgotten(
    new_project: NewProject, encoder: CountingEncoder
) -> None:
    project = new_project("letters")
    records = add_records(project, TEXTS)
    for _ in range(2):
        embed_missing(project.id, lambda n_done, n_total: None, at_most=10)

    change_text(records[3], "my kettle is wrong again")
    with statements() as seen:
        embed_missing(project.id, lambda n_done, n_total: None, at_most=10)

    looks = [values for each, values in seen if "length(records.text)" in each]
    assert len(looks) == 1
    assert str(records[9]) in looks[0], "it begins after the first round"
    assert missing(project) == 11, "the changed text waits for its turn"
    embed_missing(project.id, lambda n_done, n_total: None, at_most=20)
    assert missing(project) == 0
    assert "my kettle is wrong again" in encoder.texts

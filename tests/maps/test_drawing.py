"""Every version gets its map: raw first, the others aligned to it, and new records find a place."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from app.db.session import read_session, write_session
from app.errors import NotFound, StorageFull
from app.jobs.dispatcher import Dispatcher
from app.jobs.steps import JobCancelled
from app.maps import map_files as stored
from app.maps.drawing import draw_map, draw_sketch, note_failure
from app.maps.drawing_status import read_status
from app.maps.map_files import find_map, list_maps, load_map
from app.ml.map import compute_layout, ignore_progress
from app.models import Artifact, Embedding, Project, Record, utc_now
from app.search.vector_lock import hold_vectors
from app.settings import settings
from tests.conftest import PATIENCE_SECONDS
from tests.maps.conftest import arrive, draw_all, due, indexed_project, map_of, raw, tuned
from tests.training.conftest import clusters, embedded_project, record_ids


@pytest.fixture
def project(database: str) -> Project:
    return indexed_project()


def kinds(project: Project) -> list[str]:
    with read_session() as db:
        return [each.kind for each in list_maps(db, raw(project).id)]


def test_the_raw_map_is_drawn_first_and_then_the_tuned_ones(project: Project) -> None:
    version = tuned(project)

    asked = due()
    draw_sketch(asked[0])
    first = kinds(project)
    draw_map(asked[0])

    assert asked == [raw(project).id]
    assert first == ["sketch"]
    assert kinds(project) == ["map", "sketch"]
    assert due() == [version.id]
    drawn = map_of(raw(project))
    assert drawn.ids.tolist() == record_ids(project)
    assert np.array_equal(drawn.points, compute_layout(clusters(0.3, 40)[0]))
    draw_all()
    assert due() == []


def test_a_tuned_map_lies_as_the_raw_one_does(project: Project) -> None:
    version = tuned(project)

    draw_all()

    before, after = map_of(raw(project)), map_of(version)
    # Forty records are their principal components: free to turn, but for the alignment.
    apart = np.linalg.norm(before.points - after.points, axis=1)
    across = np.linalg.norm(before.points - after.points[::-1], axis=1)
    assert np.array_equal(before.ids, after.ids)
    assert not np.array_equal(before.points, after.points)
    assert apart.mean() < 0.5 * across.mean()


def test_records_that_arrive_are_placed_and_nobody_moves(project: Project) -> None:
    draw_all()
    before = map_of(raw(project))

    late = arrive(project, 8)
    asked = due()
    draw_all()

    after = map_of(raw(project))
    assert asked == [raw(project).id]
    assert after.n_drawn == 40
    assert after.ids.tolist() == [*before.ids.tolist(), *late]
    assert np.array_equal(after.points[:40], before.points)
    assert np.isfinite(after.points).all()


def test_half_as_many_again_and_the_map_is_laid_out_anew(database: str) -> None:
    project = indexed_project(30)
    draw_all()
    before = map_of(raw(project))

    arrive(project, 15)
    draw_all()

    after = map_of(raw(project))
    assert after.n_drawn == 45
    assert not np.array_equal(after.points[:30], before.points)
    assert np.median(np.linalg.norm(after.points[:30] - before.points, axis=1)) < 0.6


def test_a_changed_text_finds_another_place(project: Project) -> None:
    draw_all()
    before = map_of(raw(project))
    first, other = record_ids(project)[:2]
    with write_session() as db:
        vector = db.scalar(select(Embedding.vector).where(Embedding.record_id == other))
        db.execute(
            update(Embedding)
            .where(Embedding.record_id == first)
            .values(vector=vector, embedded_at=utc_now())
        )

    draw_map(raw(project).id)

    after = map_of(raw(project))
    assert np.allclose(after.points[0], before.points[1], atol=1e-2)
    assert np.array_equal(after.points[1:], before.points[1:])


def test_deleted_records_leave_the_map(project: Project) -> None:
    draw_all()
    gone = record_ids(project)[:3]
    with write_session() as db:
        db.execute(delete(Record).where(Record.id.in_(gone)))

    draw_map(raw(project).id)

    assert map_of(raw(project)).ids.tolist() == record_ids(project)


def test_nothing_is_drawn_before_every_record_is_embedded(database: str) -> None:
    project = indexed_project(12)
    with write_session() as db:
        db.add(Record(project_id=project.id, external_id="new", text="new", content_hash="0" * 64))

    assert due() == []


def test_a_project_without_vectors_has_no_map(database: str) -> None:
    project = embedded_project(n=2)
    with write_session() as db:
        db.execute(delete(Embedding))

    draw_sketch(raw(project).id)
    draw_map(raw(project).id)

    with read_session() as db, pytest.raises(NotFound):
        find_map(db, raw(project).id)


def test_only_the_newest_files_are_kept(project: Project) -> None:
    for _ in range(3):
        draw_map(raw(project).id)

    with read_session() as db:
        revisions = [each.revision for each in list_maps(db, raw(project).id)]
    assert revisions == [3, 2]
    assert len(list((settings().data_dir / "artifacts").glob("*-map"))) == 2


def test_a_damaged_map_is_not_shown_and_drawn_again(project: Project) -> None:
    draw_all()
    draw_map(raw(project).id)
    stored._open_maps.clear()
    with read_session() as db:
        newest = list_maps(db, raw(project).id)[0]
    path = settings().data_dir / newest.file
    path.write_bytes(path.read_bytes()[:-4])

    with read_session() as db:
        shown, _ = find_map(db, raw(project).id)

    assert shown.revision == newest.revision - 1
    assert due() == [raw(project).id]
    draw_all()
    assert load_map(settings().data_dir / newest_file(project)).ids.tolist() == record_ids(project)


def newest_file(project: Project) -> str:
    with read_session() as db:
        return find_map(db, raw(project).id)[0].file


def test_a_file_without_a_map_is_refused(project: Project) -> None:
    path = settings().data_dir / "no-map"
    path.write_bytes(b"nonsense")

    with pytest.raises(ValueError, match="no map"):
        load_map(path)


def test_a_failure_is_reported_and_retried(project: Project) -> None:
    note_failure(raw(project).id, StorageFull().sentence)

    assert read_status(raw(project).id).error == StorageFull().sentence
    assert due() == []


def test_how_far_a_map_is_can_be_read_and_stopping_leaves_the_sketch(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.status.SECONDS_BETWEEN", 0.0)
    project = indexed_project(80)
    told: list[float] = []

    def go_on(share: float) -> None:
        told.append(read_status(raw(project).id).share)
        if share > 0.5:
            raise InterruptedError

    draw_sketch(raw(project).id)
    with pytest.raises(InterruptedError):
        draw_map(raw(project).id, go_on)

    assert told == sorted(told)
    assert 0.4 < told[-1] <= 0.5
    assert kinds(project) == ["sketch"]
    assert due() == [raw(project).id]


@pytest.mark.parametrize("draws", [draw_sketch, draw_map])
def test_a_map_waits_for_the_vector_lock_and_can_be_cancelled(
    project: Project, draws: Callable[[int, Callable[[float], None]], None]
) -> None:
    def stop(_share: float) -> None:
        raise JobCancelled

    with hold_vectors(project.id), pytest.raises(JobCancelled):
        draws(raw(project).id, stop)

    assert kinds(project) == []
    draws(raw(project).id, ignore_progress)
    assert len(kinds(project)) == 1


def test_the_vectors_are_let_go_of_while_a_map_is_laid_out(database: str) -> None:
    project = indexed_project(80)
    shares: list[float] = []

    def hold_too(share: float) -> None:
        with hold_vectors(project.id, lambda: pytest.fail("still held")):
            shares.append(share)

    draw_map(raw(project).id, hold_too)

    assert shares[-1] > 0.9


def test_a_worker_that_stays_draws_maps(project: Project) -> None:
    stop = threading.Event()
    staying = Dispatcher(stop, draws_maps=True)
    staying.launch()
    try:
        net = threading.Timer(PATIENCE_SECONDS, stop.set)
        net.start()
        staying.dispatch_until(lambda: "map" in kinds(project))
        net.cancel()
    finally:
        staying.stop()

    assert kinds(project) == ["map", "sketch"]
    assert read_status(raw(project).id).error is None
    with read_session() as db:
        assert len(db.scalars(select(Artifact).where(Artifact.kind == "map")).all()) == 1

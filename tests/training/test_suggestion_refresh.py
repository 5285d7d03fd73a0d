from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import select

from app.db.session import read_session, write_session
from app.jobs.steps import JobCancelled
from app.labeling.annotations.undo import undo
from app.models import Artifact, Project, TrainingRun, User
from app.search.index_revisions import write_index
from app.search.indexes import LoadedVersion, open_version
from app.search.vector_lock import hold_vectors
from app.search.versions import find_active_version
from app.settings import settings
from app.training.runs import runs
from app.training.suggestion_refresh import (
    MIN_CHANGED_LABELS,
    find_due_refreshes,
    is_refresh_due,
    refresh_suggestions,
)
from app.worker import work_until
from tests.conftest import PATIENCE_SECONDS, make_user
from tests.saved_state import build_project_once
from tests.training.conftest import N_CLASSES, N, embedded_project, label, label_ids, record_ids


@pytest.fixture
def user(database: str) -> User:
    return make_user()


@pytest.fixture
def project(user: User) -> Project:
    """Indexed, 25 records labeled, and no run starts by itself."""
    return build_project_once("refresh", lambda: _build_project(user))


def _build_project(user: User) -> None:
    made = embedded_project()
    with write_session() as db:
        db.get_one(Project, made.id).has_auto_training = False
    write_index(version_id(made))
    label(made, user, range(25))


def version_id(project: Project) -> int:
    with read_session() as db:
        encoder = find_active_version(db, project.id)
    assert encoder is not None
    return encoder.id


def opened(project: Project) -> LoadedVersion:
    with read_session() as db:
        return open_version(db, version_id(project))


def due(project: Project) -> bool:
    with read_session() as db:
        return is_refresh_due(db, project)


def share_right(project: Project) -> float:
    """How many of all records are suggested the label of their own cluster."""
    ids, labels = record_ids(project), label_ids(project)
    best = opened(project).suggestions.of(ids)
    return float(np.mean([best[i].label_id == labels[n % N_CLASSES] for n, i in enumerate(ids)]))


def test_a_version_without_a_head_suggests_once_enough_is_labeled(project: Project) -> None:
    assert due(project)
    assert opened(project).suggestions.label_ids == ()

    refresh_suggestions(project.id)

    assert not due(project)
    assert set(opened(project).suggestions.label_ids) == set(label_ids(project))
    assert share_right(project) > 0.9
    assert opened(project).revision == 1, "the index stays what it is"


def test_too_few_labels_are_left_to_the_first_run(user: User) -> None:
    project = embedded_project()
    write_index(version_id(project))

    label(project, user, range(24))

    assert not due(project)


def test_ten_changed_labels_refresh_the_suggestions(project: Project, user: User) -> None:
    refresh_suggestions(project.id)
    # From now on the first two clusters are told apart the other way round.
    said = np.array([1, 0, 2, 3])[np.arange(N) % N_CLASSES]
    label(project, user, range(25, 25 + MIN_CHANGED_LABELS - 1), classes=said)
    assert not due(project)
    label(project, user, range(34, 35), classes=said)
    assert due(project)
    ids = np.array(record_ids(project)[100:180])
    before = opened(project).suggestions.probabilities(ids)

    refresh_suggestions(project.id)

    after = opened(project).suggestions.probabilities(ids)
    swapped = np.arange(N)[100:180] % N_CLASSES < 2
    surest = [each[swapped].max(axis=1).mean() for each in (before, after)]
    assert surest[1] < surest[0] - 0.05, "less sure than before"
    with read_session() as db:
        assert find_due_refreshes(db) == []


def test_two_refreshes_are_kept_and_older_files_deleted(project: Project, user: User) -> None:
    for start in (25, 35, 45):
        refresh_suggestions(project.id)
        label(project, user, range(start, start + 10))
    refresh_suggestions(project.id)

    with read_session() as db:
        kept = db.scalars(select(Artifact.file).where(Artifact.kind == "suggestions")).all()

    assert len(kept) == 2
    stored = {path.name for path in (settings().data_dir / "artifacts").glob("*-suggestions")}
    assert {f"artifacts/{name}" for name in stored} == set(kept)


def test_damaged_suggestions_fall_back_to_those_before(project: Project, user: User) -> None:
    refresh_suggestions(project.id)
    first = opened(project).suggestions
    label(project, user, range(25, 40))
    refresh_suggestions(project.id)
    with read_session() as db:
        newest = db.scalars(select(Artifact.file).where(Artifact.kind == "suggestions")).all()[-1]
    (settings().data_dir / newest).write_bytes(b"not what was stored")

    found = opened(project)

    np.testing.assert_array_equal(found.suggestions.chances, first.chances)
    assert found.index.n_records == N


def test_an_index_with_more_records_asks_for_suggestions_that_know_them(project: Project) -> None:
    refresh_suggestions(project.id)
    write_index(version_id(project))
    assert due(project)

    refresh_suggestions(project.id)

    assert not due(project)


def test_undone_labels_are_not_used_by_the_next_refresh(project: Project, user: User) -> None:
    refresh_suggestions(project.id)
    label(project, user, range(25, 35))
    with write_session() as db:
        undo(db, project, user.id)

    assert not due(project)


def test_the_worker_renews_by_itself(project: Project) -> None:
    work_until(lambda: not due(project), project.id)

    assert share_right(project) > 0.9


def queue_run(project: Project) -> int:
    with write_session() as db:
        return runs.request_run(db, project).id


def number_of_try(project: Project) -> int:
    with read_session() as db:
        return dict(find_due_refreshes(db))[project.id]


def test_nothing_is_renewed_while_a_run_is_queued_or_running(project: Project, user: User) -> None:
    refresh_suggestions(project.id)
    label(project, user, range(25, 35))
    before = number_of_try(project)

    run_id = queue_run(project)
    assert not due(project)
    assert runs.begin_stage(run_id, "collect") is not None
    assert not due(project)
    refresh_suggestions(project.id)
    with read_session() as db:
        assert find_due_refreshes(db) == []
        assert len(db.scalars(select(Artifact).where(Artifact.kind == "suggestions")).all()) == 1
    runs.fail_run(run_id, "The disk is full.")

    assert due(project)
    assert number_of_try(project) > before, "the engine starts no try of the same number again"
    refresh_suggestions(project.id)
    assert not due(project)


def test_each_end_of_a_run_is_an_occasion_to_renew(project: Project) -> None:
    numbers = [number_of_try(project)]
    run_id = queue_run(project)
    runs.fail_run(run_id, "The disk is full.")
    numbers.append(number_of_try(project))
    with write_session() as db:
        runs.retry_run(db, db.get_one(TrainingRun, run_id))
    assert not due(project)
    runs.fail_run(run_id, "The disk is still full.")
    numbers.append(number_of_try(project))

    assert numbers == sorted(set(numbers))


def test_after_a_run_that_failed_the_worker_renews_by_itself(project: Project) -> None:
    runs.fail_run(queue_run(project), "The disk is full.")

    work_until(lambda: not due(project), project.id)

    assert share_right(project) > 0.9


def test_a_refresh_waits_for_the_vector_lock(project: Project) -> None:
    with ThreadPoolExecutor(1) as pool:
        with hold_vectors(project.id):
            job = pool.submit(refresh_suggestions, project.id)
            with pytest.raises(TimeoutError):
                job.result(1.0)
            assert due(project)
        job.result(PATIENCE_SECONDS)

    assert not due(project)


def test_a_waiting_renewal_makes_way_for_a_run(project: Project) -> None:
    with ThreadPoolExecutor(1) as pool, hold_vectors(project.id):
        job = pool.submit(refresh_suggestions, project.id)
        queue_run(project)
        with pytest.raises(JobCancelled):
            job.result(PATIENCE_SECONDS)

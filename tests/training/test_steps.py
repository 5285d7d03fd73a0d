"""From labels to an active version, in order: repeated, killed, cancelled or refused."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import delete, func, select, update

from app.db.session import read_session, write_session
from app.errors import AppError
from app.jobs.steps import JobCancelled, JobFinished
from app.ml.recipe import Recipe
from app.models import (
    Activation,
    Artifact,
    Embedding,
    Evaluation,
    Project,
    Record,
    RunEvent,
    TrainingRun,
    User,
    Version,
    utc_now,
)
from app.search.indexes import open_version
from app.search.vector_lock import hold_vectors
from app.search.versions import find_active_version
from app.settings import settings
from app.storage import verified_path
from app.training.pipeline import steps as loop
from app.training.pipeline import workspace
from app.training.runs import runs
from tests.conftest import PATIENCE_SECONDS
from tests.forked import carry_on, process, status_of
from tests.training.conftest import embedded_project, evaluations_of, label, record_ids

# Steps so long that the baseline forgets where every record was.
HARMFUL = replace(
    Recipe(),
    method="skip_triplet",
    triplet_learning_rate=1.0,
    triplet_epochs=40,
    patience=100,
    margin=2.0,
)


def queue(project: Project, recipe: Recipe = Recipe(), *, is_forced: bool = False) -> int:
    with write_session() as db:
        return runs.request_run(db, project, recipe, is_forced=is_forced).id


def take_steps(run_id: int, *, again: bool = False) -> None:
    for _, step in loop.STEPS:
        step(run_id)
        if again:
            with suppress(JobFinished):
                step(run_id)


def row(run_id: int) -> TrainingRun:
    with read_session() as db:
        return db.get_one(TrainingRun, run_id)


def count(table: type) -> int:
    with read_session() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def figures(run_id: int) -> list[tuple[object, ...]]:
    """What the run measured, each figure by everything but its value."""
    with read_session() as db:
        rows = evaluations_of(db, run_id)
    return [(e.role, e.metric, e.k, e.label_id, e.suggested_id) for e in rows]


def test_a_run_publishes_a_version_measures_it_and_activates_it(project: Project) -> None:
    run_id = queue(project)

    take_steps(run_id)

    run = row(run_id)
    assert (run.status, run.stage, run.progress) == ("succeeded", "activate", 1.0)
    assert (run.n_examples, len(run.snapshot_hash or "")) == (32, 64)
    with read_session() as db:
        active = find_active_version(db, project.id)
        assert active is not None
        assert (active.id, active.kind) == (run.version_id, "head")
        version = open_version(db, active.id)
        found = [e for e in evaluations_of(db, run_id) if e.label_id is None]
        raw = {(e.metric, e.k): e for e in found if e.role == "raw"}
        tuned = {(e.metric, e.k): e for e in found if e.role == "tuned"}
    assert (version.index.n_records, version.index.dimension) == (320, 24 + 4)
    kept = tuned.pop(("probe_overlap", 10))
    assert tuned.pop(("probe_rbo", 50)).n == kept.n == 200
    assert 0.3 < kept.low < kept.value < kept.high < 1
    only_tuned = {metric for metric, _ in set(tuned) - set(raw)}
    assert only_tuned == {"loss", "calibration_error", "rbo", "learning_curve", "gain_of_more"}
    assert set(raw) < set(tuned)
    assert tuned["r_precision", None].value > raw["r_precision", None].value
    assert {e.version_id for e in tuned.values()} == {active.id}
    assert {e.n for e in raw.values()} == {e.n for e in tuned.values()} == {32}
    assert all(e.low <= e.high for e in found)
    assert "It was activated." in (run.verdict or "")


def test_suggestions_carry_labels_to_records_that_nobody_labeled(project: Project) -> None:
    run_id = queue(project)
    take_steps(run_id)

    with read_session() as db:
        suggested = open_version(db, row(run_id).version_id or 0).suggestions
        ids = record_ids(project)
        found = suggested.of(ids)
        names = sorted(suggested.label_ids)

    right = [found[record_id].label_id == names[i % 4] for i, record_id in enumerate(ids)]
    assert np.mean(right[32:]) > 0.7


def test_a_repeated_step_doubles_nothing(project: Project) -> None:
    run_id = queue(project)

    take_steps(run_id, again=True)

    assert row(run_id).status == "succeeded"
    assert (count(Version), count(Activation)) == (2, 2)
    assert len(figures(run_id)) == len(set(figures(run_id))) > 50
    assert count(Artifact) == 5  # The graph of the raw vectors; head, index, suggestions, figures.
    assert len(list((settings().data_dir / "artifacts").iterdir())) == 5
    assert list((settings().data_dir / "runs").iterdir()) == []


def test_the_same_run_gives_the_same_version(project: Project) -> None:
    shas, hashes = [], []
    for _ in range(2):
        run_id = queue(project)
        take_steps(run_id)
        with read_session() as db:
            of_head = select(Artifact).where(
                Artifact.version_id == row(run_id).version_id, Artifact.kind == "head"
            )
            artifact = db.scalars(of_head).one()
        shas.append(verified_path(artifact.file, artifact.sha256).read_bytes())
        hashes.append(row(run_id).snapshot_hash)

    assert shas[0] == shas[1]
    assert hashes[0] == hashes[1]
    assert count(Artifact) == 9  # One graph, used twice.


def test_what_measured_worse_is_published_and_not_activated(ada: User) -> None:
    project = embedded_project(noise=0.15)
    label(project, ada, range(40))
    run_id = queue(project, HARMFUL)

    take_steps(run_id)

    with read_session() as db:
        active = find_active_version(db, project.id)
    assert active is not None
    assert active.kind == "raw"
    assert row(run_id).version_id != active.id
    assert "Tuned is worse" in (row(run_id).verdict or "")
    assert "The version in use stays" in (row(run_id).verdict or "")


def test_a_worse_version_is_activated_on_an_admins_request(ada: User) -> None:
    project = embedded_project(noise=0.15)
    label(project, ada, range(40))
    run_id = queue(project, HARMFUL, is_forced=True)

    take_steps(run_id)

    with read_session() as db:
        active = find_active_version(db, project.id)
    assert active is not None
    assert active.id == row(run_id).version_id
    assert "as requested for any result" in (row(run_id).verdict or "")


def test_too_few_labels_to_measure_are_reported_and_still_used(ada: User) -> None:
    project = embedded_project()
    label(project, ada, range(8))
    run_id = queue(project)

    take_steps(run_id)

    assert count(Evaluation) == 0
    assert (row(run_id).verdict or "").startswith("Not measured: ")
    assert "It was activated" in (row(run_id).verdict or "")


def test_too_few_labels_of_one_kind_are_not_activated_unmeasured(ada: User) -> None:
    project = embedded_project()
    label(project, ada, range(7))  # The fourth label has one record.
    run_id = queue(project)

    take_steps(run_id)

    assert "a label has only one record" in (row(run_id).verdict or "")
    with read_session() as db:
        active = find_active_version(db, project.id)
    assert active is not None
    assert active.kind == "raw"


def test_the_skip_connection_recipe_runs_the_same_way(project: Project) -> None:
    run_id = queue(project, replace(Recipe(), method="skip_triplet", triplet_epochs=5))

    take_steps(run_id)

    assert row(run_id).status == "succeeded"
    with read_session() as db:
        version = open_version(db, row(run_id).version_id or 0)
    assert (version.head.kind, version.index.dimension) == ("skip_connection", 24)


@pytest.mark.parametrize("stage", runs.STAGES)
def test_a_run_can_be_cancelled_at_every_stage(project: Project, stage: str) -> None:
    run_id = queue(project)
    steps = dict(loop.STEPS)
    for name in runs.STAGES[: runs.STAGES.index(stage)]:
        steps[name](run_id)
    with write_session() as db:
        db.execute(update(TrainingRun).values(status="running", cancel_requested_at=utc_now()))

    with pytest.raises(JobCancelled):
        steps[stage](run_id)

    assert row(run_id).status == "cancelled"
    assert count(Version) == 1
    kept = [path.name for path in (settings().data_dir / "artifacts").glob("*")]
    assert [name for name in kept if not name.endswith("-graph")] == []
    assert not (settings().data_dir / "runs" / str(run_id)).exists()
    with pytest.raises(JobCancelled):
        steps[stage](run_id)


def test_cancelling_is_noticed_in_the_middle_of_a_step(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = queue(project)
    loop.collect(run_id)

    def ask_meanwhile(*_: object, **__: object) -> None:
        with write_session() as db:
            runs.cancel_run(db, db.get_one(TrainingRun, run_id))

    monkeypatch.setattr("app.training.pipeline.inputs.load_or_build_graph", ask_meanwhile)
    monkeypatch.setattr("app.training.runs.progress.SECONDS_BETWEEN", 0.0)
    with pytest.raises(JobCancelled):
        loop.tune(run_id)

    assert row(run_id).status == "cancelled"
    assert row(run_id).error is None


def wait_for_line(run_id: int, line: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with read_session() as db:
            if line in [event.message for event in runs.list_events(db, run_id)]:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("stage", ["tune", "evaluate"])
def test_a_waiting_run_shows_the_reason_and_can_be_cancelled(project: Project, stage: str) -> None:
    run_id = queue(project)
    steps = dict(loop.STEPS)
    for name in ("collect", "tune", "evaluate")[: 1 if stage == "tune" else 2]:
        steps[name](run_id)

    with ThreadPoolExecutor(1) as pool, hold_vectors(project.id):
        job = pool.submit(steps[stage], run_id)
        wait_for_line(run_id, loop.WAITING)
        with write_session() as db:
            db.get_one(TrainingRun, run_id).cancel_requested_at = utc_now()
        with pytest.raises(JobCancelled):
            job.result(PATIENCE_SECONDS)

    assert row(run_id).status == "cancelled"


def test_a_run_goes_on_when_the_other_job_is_done(project: Project) -> None:
    run_id = queue(project)
    loop.collect(run_id)

    with ThreadPoolExecutor(1) as pool:
        with hold_vectors(project.id):
            job = pool.submit(loop.tune, run_id)
            wait_for_line(run_id, loop.WAITING)
        job.result(PATIENCE_SECONDS)

    assert workspace.has_file(run_id, workspace.HEAD)


def test_a_failed_run_shows_the_reason_and_leaves_no_files(project: Project) -> None:
    run_id = queue(project)
    for _, step in loop.STEPS[:4]:
        step(run_id)

    runs.fail_run(run_id, "The disk is full.")
    runs.fail_run(run_id, "Something else.")

    assert (row(run_id).status, row(run_id).error) == ("failed", "The disk is full.")
    kept = [path.name for path in (settings().data_dir / "artifacts").glob("*")]
    assert [name for name in kept if not name.endswith("-graph")] == []
    with read_session() as db:
        assert runs.list_events(db, run_id)[-1].message == "The disk is full."


def test_records_that_arrive_during_a_run_are_in_its_index(project: Project) -> None:
    run_id = queue(project)
    loop.collect(run_id)
    other = embedded_project("other", n=8)
    with write_session() as db:
        from_other = select(Version.id).where(Version.project_id == other.id).scalar_subquery()
        ours = select(Version.id).where(Version.project_id == project.id).scalar_subquery()
        late = record_ids(other)
        db.execute(
            update(Record)
            .where(Record.id.in_(late))
            .values(project_id=project.id, external_id="late-" + Record.external_id)
        )
        db.execute(
            update(Embedding).where(Embedding.version_id == from_other).values(version_id=ours)
        )
    for _, step in loop.STEPS[1:]:
        step(run_id)

    with read_session() as db:
        version = open_version(db, row(run_id).version_id or 0)
    assert version.index.n_records == 320 + 8
    assert row(run_id).n_examples == 32


@pytest.mark.parametrize("stage", runs.STAGES)
def test_a_run_that_was_killed_goes_on_and_doubles_nothing(project: Project, stage: str) -> None:
    run_id = queue(project)
    with process(carry_on, run_id, failpoint=f"run.{stage}.inside:kill:1") as killed:
        assert status_of(killed) == -signal.SIGKILL
    with read_session() as db:
        before = find_active_version(db, project.id)
    again = carry_on(run_id)

    assert before is not None
    assert before.kind == "raw"  # The old version went on serving.
    assert again[0] == stage  # It went on where it was killed.
    assert row(run_id).status == "succeeded"
    assert (count(Version), count(Activation)) == (2, 2)
    assert len(figures(run_id)) == len(set(figures(run_id))) > 50
    with read_session() as db:
        verdicts = select(func.count()).where(RunEvent.message == row(run_id).verdict)
        assert db.scalar(verdicts) == 1
        assert open_version(db, row(run_id).version_id or 0).index.n_records == 320


def test_a_run_without_vectors_fails_with_a_sentence(project: Project) -> None:
    run_id = queue(project)
    with write_session() as db:
        db.execute(delete(Embedding))

    with pytest.raises(AppError, match="No labeled record is embedded yet"):
        loop.collect(run_id)

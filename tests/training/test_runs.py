"""When runs start by themselves, and that there is one at a time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import delete, select

from app.db.session import read_session, write_session
from app.errors import Conflict
from app.models import Embedding, Project, TrainingRun, User
from app.search.versions import find_raw_version
from app.training.pipeline.snapshot import freeze
from app.training.runs import runs
from app.training.runs.readiness import find_due_projects, readiness
from tests.training.conftest import embedded_project, label, record_ids


def due() -> list[str]:
    with read_session() as db:
        return [project.slug for project in find_due_projects(db)]


def test_a_run_is_due_at_25_changed_labels_and_not_before(ada: User) -> None:
    project = embedded_project()

    label(project, ada, range(24))
    before = due()
    label(project, ada, range(24, 25))

    assert before == []
    assert due() == ["letters"]


def test_after_a_run_of_any_outcome_25_other_labels_must_change(
    project: Project, ada: User
) -> None:
    with write_session() as db:
        run_id = runs.request_run(db, project).id
    while_going = due()
    runs.fail_run(run_id, "The disk is full.")

    after = due()
    label(project, ada, range(32, 56))
    nearly = due()
    label(project, ada, range(56, 57))

    assert (while_going, after, nearly, due()) == ([], [], [], ["letters"])


def test_a_project_that_does_not_train_itself_is_never_due(project: Project) -> None:
    with write_session() as db:
        db.get_one(Project, project.id).has_auto_training = False

    assert due() == []


def test_a_run_waits_until_nine_of_ten_records_are_embedded(project: Project) -> None:
    with write_session() as db:
        db.execute(delete(Embedding).where(Embedding.record_id.in_(record_ids(project)[-40:])))

    with read_session() as db:
        state = readiness(db, project)

    assert due() == []
    assert state.missing == ("more embedded records (280 of 320 so far)",)


def test_two_admins_at_once_start_one_run(project: Project) -> None:
    together = Barrier(4)

    def ask(_: int) -> str:
        together.wait()
        try:
            with write_session() as db:
                runs.request_run(db, project)
        except Conflict as refusal:
            return refusal.sentence
        return "started"

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(ask, range(4)))

    assert answers == ["Run 1 is already queued or running."] * 3 + ["started"]
    with read_session() as db:
        assert db.scalars(select(TrainingRun.number)).all() == [1]


def test_the_holdout_sample_is_never_trained_on(project: Project) -> None:
    with write_session() as db:
        db.get_one(Project, project.id).holdout_until = f"{9:064x}"  # The first ten records.

    with read_session() as db:
        state = readiness(db, project)
        raw = find_raw_version(db, project)
        assert raw is not None
        snapshot = freeze(db, db.get_one(Project, project.id), raw)

    assert (state.n_labeled, state.n_changed) == (22, 22)
    assert snapshot.record_ids.tolist() == record_ids(project)[10:32]
    assert len(snapshot.pool) == 320
